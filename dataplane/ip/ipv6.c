/* IPv6 (RFC 8200): extension headers are walked within a bound, fragments refused on purpose (an
 * atomic fragment, RFC 6946, is none), routing headers accepted only when used up. */
#include <string.h>

#include "dataplane/ip/internal.h"
#include "dataplane/net/bytes.h"

#define IPV6_HEADERS_MAX    8u
#define IPV6_HOP_BY_HOP     0u
#define IPV6_ROUTING        43u
#define IPV6_FRAGMENT       44u
#define IPV6_DESTINATION    60u
#define IPV6_FRAGMENT_BYTES 8u

static bool ipv6_multicast(const uint8_t address[16])
{
    return address[0] == 0xff;
}

/* Unspecified, loopback, multicast and IPv4-mapped addresses never speak TCP on a wire. */
static bool ipv6_source_valid(const uint8_t source[16])
{
    static const uint8_t zero[15];
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return !ipv6_multicast(source) && memcmp(source, mapped, sizeof(mapped)) != 0 &&
           !(memcmp(source, zero, sizeof(zero)) == 0 && source[15] <= 1);
}

static enum counter ipv6_tcp(struct ip_host *host, const struct ip_interface *interface,
                             const struct ip_frame *frame, const uint8_t *tcp, uint32_t length,
                             bool checksum_good, bool cut, int64_t now_ns)
{
    struct ip_segment segment = ip_segment_of(interface, frame, tcp, length, checksum_good, cut);

    segment.address_bytes = 16;
    if (!ip_interface_owns6(interface, frame->bytes + 24))
        return COUNTER_FRAME_NOT_OURS;
    if (!ipv6_source_valid(frame->bytes + 8) || ip_interface_owns6(interface, frame->bytes + 8))
        return COUNTER_FRAME_BAD_IP;
    memcpy(segment.flow.remote_address, frame->bytes + 8, 16);
    memcpy(segment.flow.local_address, frame->bytes + 24, 16);
    return host->upper.input(host->upper.context, &segment, now_ns);
}

enum ipv6_walk { IPV6_UPPER, IPV6_BAD, IPV6_IS_FRAGMENT };

/* Steps over extension headers: *next is the upper protocol, *at where it begins. */
static enum ipv6_walk ipv6_walk(const uint8_t *ip, uint32_t end, uint8_t *next, uint32_t *at)
{
    for (unsigned i = 0; i < IPV6_HEADERS_MAX; i++) {
        uint32_t bytes;

        if (*next != IPV6_HOP_BY_HOP && *next != IPV6_ROUTING && *next != IPV6_FRAGMENT &&
            *next != IPV6_DESTINATION)
            return IPV6_UPPER;
        if (end - *at < IPV6_FRAGMENT_BYTES)
            return IPV6_BAD;
        bytes = ((uint32_t)ip[*at + 1] + 1) * 8;
        if (*next == IPV6_FRAGMENT) {
            if ((bytes_get16(ip + *at + 2) & 0xfff9) != 0)
                return IPV6_IS_FRAGMENT;
            bytes = IPV6_FRAGMENT_BYTES;
        } else if ((*next == IPV6_ROUTING && ip[*at + 3] != 0) ||
                   (*next == IPV6_HOP_BY_HOP && i > 0)) {
            return IPV6_BAD; /* segments left: we are no router (RFC 5095); or out of place */
        }
        if (bytes > end - *at)
            return IPV6_BAD;
        *next = ip[*at];
        *at += bytes;
    }
    return IPV6_BAD;
}

enum counter ip_ipv6(struct ip_host *host, const struct ip_interface *interface,
                     const struct ip_frame *frame, const struct packet_view *view, int64_t now_ns)
{
    const uint8_t *ip = frame->bytes;
    uint32_t at = FRAME_IPV6_BYTES;
    uint32_t end;
    uint8_t next;
    bool cut;

    if (frame->length < FRAME_IPV6_BYTES)
        return COUNTER_FRAME_SHORT;
    end = FRAME_IPV6_BYTES + bytes_get16(ip + 4);
    next = ip[6];
    cut = ip_cut(view, next, end, frame->length);
    if (cut)
        end = frame->length;
    if (ip[0] >> 4 != 6 || end > frame->length)
        return COUNTER_FRAME_BAD_IP;
    if (!ip_interface_owns6(interface, ip + 24) && !ipv6_multicast(ip + 24))
        return COUNTER_FRAME_NOT_OURS;
    switch (ipv6_walk(ip, end, &next, &at)) {
    case IPV6_UPPER:
        break;
    case IPV6_IS_FRAGMENT:
        return COUNTER_FRAME_FRAGMENT;
    case IPV6_BAD:
        return COUNTER_FRAME_BAD_IP;
    }
    if (next == FRAME_PROTOCOL_TCP)
        return ipv6_tcp(host, interface, frame, ip + at, end - at, view->tcp_checksum_good, cut,
                        now_ns);
    if (next == FRAME_PROTOCOL_ICMPV6)
        return ip_icmpv6(host, interface, frame, ip + at, end - at);
    return COUNTER_FRAME_UNKNOWN_PROTOCOL;
}
