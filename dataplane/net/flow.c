#include "dataplane/net/flow.h"

#include <stdbool.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/frame.h"

/* 2^64 divided by the golden ratio: spreads well, and nothing secret depends on it. */
#define FLOW_MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

/* Remote address and both ports; our own address adds nothing. */
static uint32_t flow_mix(const uint8_t *address, uint32_t address_bytes, const uint8_t *ports)
{
    uint64_t mixed = bytes_get32(ports);

    for (uint32_t i = 0; i < address_bytes; i += 4)
        mixed = (mixed ^ (uint64_t)bytes_get32(address + i) << 32) * FLOW_MULTIPLIER;
    return (uint32_t)(mixed >> 32);
}

static uint32_t flow_ipv4(const uint8_t *ip, uint32_t length)
{
    uint32_t header;

    if (length < FRAME_IPV4_BYTES)
        return 0;
    header = (uint32_t)(ip[0] & 0x0f) * 4;
    if (ip[9] != FRAME_PROTOCOL_TCP || length < header + 4 ||
        (bytes_get16(ip + 6) & FRAME_IPV4_FRAGMENT_MASK) != 0)
        return 0;
    return flow_mix(ip + 12, 4, ip + header);
}

/* A flow whose segments carry extension headers sometimes only would be split over workers; all its
 * packets with them go to worker 0, which knows no such connection and refuses them. Hosts that do
 * this to SMTP are not known. */
static uint32_t flow_ipv6(const uint8_t *ip, uint32_t length)
{
    if (length < FRAME_IPV6_BYTES + 4 || ip[6] != FRAME_PROTOCOL_TCP)
        return 0;
    return flow_mix(ip + 8, 16, ip + FRAME_IPV6_BYTES);
}

uint32_t net_flow_hash(const uint8_t *frame, uint32_t length)
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
        return flow_ipv4(frame + at, length - at);
    if (type == FRAME_TYPE_IPV6)
        return flow_ipv6(frame + at, length - at);
    return 0;
}
