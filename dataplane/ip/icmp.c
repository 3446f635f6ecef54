/* ICMP over IPv4 (RFC 792): echo is answered, "fragmentation needed" lowers a connection's segment
 * size; every other error is soft (RFC 5461): counted, and left to the retransmission timer. */
#include <string.h>

#include "dataplane/ip/internal.h"
#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

#define ICMP_HEADER_BYTES         8u
#define ICMP_ECHO_REPLY           0u
#define ICMP_UNREACHABLE          3u
#define ICMP_ECHO_REQUEST         8u
#define ICMP_FRAGMENTATION_NEEDED 4u /* code */

/* RFC 1191: the router's MTU in bytes 6-7, then the header of the packet that was too big. */
static void icmp_too_big(struct ip_host *host, const uint8_t *icmp, uint32_t length)
{
    const uint8_t *quoted = icmp + ICMP_HEADER_BYTES;
    struct ip_flow flow = {.local_address = {[10] = 0xff, [11] = 0xff},
                           .remote_address = {[10] = 0xff, [11] = 0xff}};

    if (length < ICMP_HEADER_BYTES + FRAME_IPV4_BYTES + IP_QUOTED_BYTES || quoted[0] != 0x45 ||
        quoted[9] != FRAME_PROTOCOL_TCP)
        return; /* ours have no IP options */
    memcpy(flow.local_address + 12, quoted + 12, 4);
    memcpy(flow.remote_address + 12, quoted + 16, 4);
    host->upper.too_big(host->upper.context, &flow, quoted + FRAME_IPV4_BYTES,
                        bytes_get16(icmp + 6));
}

enum counter ip_icmp(struct ip_host *host, const struct ip_interface *interface,
                     const struct ip_frame *frame, const uint8_t *icmp, uint32_t length)
{
    uint32_t l2_bytes = frame_header_bytes(&frame->path);
    uint8_t *reply;
    uint16_t checksum;

    if (length < ICMP_HEADER_BYTES)
        return COUNTER_FRAME_SHORT;
    if (checksum_fold(checksum_add(0, icmp, length)) != 0xffff)
        return COUNTER_FRAME_BAD_CHECKSUM;
    if (icmp[0] == ICMP_UNREACHABLE && icmp[1] == ICMP_FRAGMENTATION_NEEDED)
        icmp_too_big(host, icmp, length);
    if (icmp[0] != ICMP_ECHO_REQUEST || icmp[1] != 0)
        return COUNTER_FRAME_ICMP_OTHER;
    reply = host->output->begin(host->output->context, frame->path.port,
                                l2_bytes + FRAME_IPV4_BYTES + length);
    if (reply == NULL)
        return COUNTER_FRAME_ICMP_ECHO;
    frame_put_ethernet(reply, &frame->path, FRAME_TYPE_IPV4);
    reply += l2_bytes;
    frame_put_ipv4(reply, interface->address, frame->bytes + 12, FRAME_PROTOCOL_ICMP, length,
                   false);
    reply += FRAME_IPV4_BYTES;
    memcpy(reply, icmp, length);
    reply[0] = ICMP_ECHO_REPLY;
    memset(reply + 2, 0, 2);
    checksum = (uint16_t)~checksum_fold(checksum_add(0, reply, length));
    memcpy(reply + 2, &checksum, sizeof(checksum));
    /* No transport checksum for the port to fill in: the header length of 0 says so. */
    host->output->end(host->output->context, l2_bytes, 0);
    return COUNTER_FRAME_ICMP_ECHO;
}
