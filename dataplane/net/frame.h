/* frame.h: Ethernet, VLAN and IPv4 headers as we write them. Hot path, no state. */
#ifndef DATAPLANE_NET_FRAME_H
#define DATAPLANE_NET_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/packet.h"

#define FRAME_ETHERNET_BYTES     14u
#define FRAME_VLAN_BYTES         4u
#define FRAME_IPV4_BYTES         20u
#define FRAME_IPV6_BYTES         40u
#define FRAME_TTL                64u
#define FRAME_TYPE_IPV4          0x0800u
#define FRAME_TYPE_ARP           0x0806u
#define FRAME_TYPE_VLAN          0x8100u
#define FRAME_TYPE_IPV6          0x86ddu
#define FRAME_PROTOCOL_ICMP      1u
#define FRAME_PROTOCOL_TCP       6u
#define FRAME_PROTOCOL_ICMPV6    58u
#define FRAME_IPV4_FRAGMENT_MASK 0x3fffu /* more fragments, or an offset */

/* Bytes of the link header that `path` calls for: 14, or 18 with a VLAN tag. */
static inline uint32_t frame_header_bytes(const struct packet_path *path)
{
    return FRAME_ETHERNET_BYTES + (path->vlan != 0 ? FRAME_VLAN_BYTES : 0);
}

void frame_put_ethernet(uint8_t *frame, const struct packet_path *path, uint16_t type);

/* A header without options, DF set, identification 0 (RFC 6864). `payload_bytes` follow it.
 * `leave_checksum`: the port fills it in. */
void frame_put_ipv4(uint8_t *header, const uint8_t source[4], const uint8_t destination[4],
                    uint8_t protocol, uint32_t payload_bytes, bool leave_checksum);

/* A header without extensions, flow label 0. */
void frame_put_ipv6(uint8_t *header, const uint8_t source[16], const uint8_t destination[16],
                    uint8_t protocol, uint32_t payload_bytes, uint8_t hop_limit);

#endif
