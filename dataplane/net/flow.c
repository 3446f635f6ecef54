#include "dataplane/net/flow.h"

#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/frame.h"

/* Remote address and both ports; our own address adds nothing. 0 is for what has no flow. */
static uint32_t flow_mix(const struct siphash_key *key, const uint8_t *address,
                         uint32_t address_bytes, const uint8_t *ports)
{
    uint8_t flow[16 + 4];
    uint32_t hash;

    memcpy(flow, ports, 4);
    memcpy(flow + 4, address, address_bytes);
    hash = (uint32_t)siphash(key, flow, 4 + (size_t)address_bytes);
    return hash != 0 ? hash : 1;
}

static uint32_t flow_ipv4(const struct siphash_key *key, const uint8_t *ip, uint32_t length)
{
    uint32_t header;

    if (length < FRAME_IPV4_BYTES)
        return 0;
    header = (uint32_t)(ip[0] & 0x0f) * 4;
    if (ip[9] != FRAME_PROTOCOL_TCP || length < header + 4 ||
        (bytes_get16(ip + 6) & FRAME_IPV4_FRAGMENT_MASK) != 0)
        return 0;
    return flow_mix(key, ip + 12, 4, ip + header);
}

/* A flow whose segments carry extension headers sometimes only would be split over workers; all its
 * packets with them go to worker 0, which knows no such connection and refuses them. Hosts that do
 * this to SMTP are not known. */
static uint32_t flow_ipv6(const struct siphash_key *key, const uint8_t *ip, uint32_t length)
{
    if (length < FRAME_IPV6_BYTES + 4 || ip[6] != FRAME_PROTOCOL_TCP)
        return 0;
    return flow_mix(key, ip + 8, 16, ip + FRAME_IPV6_BYTES);
}

uint32_t net_flow_hash(const struct siphash_key *key, const uint8_t *frame, uint32_t length)
{
    uint32_t at = FRAME_ETHERNET_BYTES;
    uint16_t type;

    if (length < at)
        return 0;
    type = bytes_get16(frame + 12);
    if (type == FRAME_TYPE_VLAN && length >= at + FRAME_VLAN_BYTES) {
        type = bytes_get16(frame + 16);
        at += FRAME_VLAN_BYTES;
    }
    if (type == FRAME_TYPE_IPV4)
        return flow_ipv4(key, frame + at, length - at);
    if (type == FRAME_TYPE_IPV6)
        return flow_ipv6(key, frame + at, length - at);
    return 0;
}
