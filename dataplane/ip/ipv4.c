/* IPv4 (RFC 791): header checks; fragments are refused on purpose: no TCP worth the name sends
 * them, and a reassembler would be one more thing to exhaust. */
#include <string.h>

#include "dataplane/ip/internal.h"
#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

static enum counter ip_tcp(struct ip_host *host, const struct ip_interface *interface,
                           const struct ip_frame *frame, const uint8_t *tcp, uint32_t length,
                           bool checksum_good, bool cut, int64_t now_ns)
{
    static const struct ip_flow mapped = {.local_address = {[10] = 0xff, [11] = 0xff},
                                          .remote_address = {[10] = 0xff, [11] = 0xff}};
    struct ip_segment segment = ip_segment_of(interface, frame, tcp, length, checksum_good, cut);

    segment.address_bytes = 4;
    segment.flow = mapped;
    memcpy(segment.flow.remote_address + 12, frame->bytes + 12, 4);
    memcpy(segment.flow.local_address + 12, frame->bytes + 16, 4);
    return host->upper.input(host->upper.context, &segment, now_ns);
}

/* A source that no host may have: answering it would send mail traffic astray. */
static bool ip_source_valid(const uint8_t source[4])
{
    return source[0] != 0 && source[0] != 127 && source[0] < 224;
}

enum counter ip_ipv4(struct ip_host *host, const struct ip_interface *interface,
                     const struct ip_frame *frame, const struct packet_view *view, int64_t now_ns)
{
    const uint8_t *ip = frame->bytes;
    uint32_t header;
    uint32_t total;
    bool cut;

    if (frame->length < FRAME_IPV4_BYTES)
        return COUNTER_FRAME_SHORT;
    header = (uint32_t)(ip[0] & 0x0f) * 4;
    total = bytes_get16(ip + 2);
    cut = ip_cut(view, ip[9], total, frame->length);
    if (cut)
        total = frame->length;
    if (ip[0] >> 4 != 4 || header < FRAME_IPV4_BYTES || total < header || total > frame->length)
        return COUNTER_FRAME_BAD_IP;
    if (!view->ip_checksum_good && checksum_fold(checksum_add(0, ip, header)) != 0xffff)
        return COUNTER_FRAME_BAD_CHECKSUM;
    if (memcmp(ip + 16, interface->address, 4) != 0)
        return COUNTER_FRAME_NOT_OURS;
    if (!ip_source_valid(ip + 12) || memcmp(ip + 12, interface->address, 4) == 0)
        return COUNTER_FRAME_BAD_IP;
    if (bytes_get16(ip + 6) & FRAME_IPV4_FRAGMENT_MASK)
        return COUNTER_FRAME_FRAGMENT;
    if (ip[9] == FRAME_PROTOCOL_TCP)
        return ip_tcp(host, interface, frame, ip + header, total - header, view->tcp_checksum_good,
                      cut, now_ns);
    if (ip[9] == FRAME_PROTOCOL_ICMP)
        return ip_icmp(host, interface, frame, ip + header, total - header);
    return COUNTER_FRAME_UNKNOWN_PROTOCOL;
}
