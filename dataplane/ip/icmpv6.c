/* ICMPv6 (RFC 4443): echo, "packet too big", and of neighbour discovery (RFC 4861) the half that a
 * host needs that never speaks first: solicitations are answered. */
#include <string.h>

#include "dataplane/ip/internal.h"
#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

#define ICMPV6_HEADER_BYTES    8u
#define ICMPV6_TOO_BIG         2u
#define ICMPV6_ECHO_REQUEST    128u
#define ICMPV6_ECHO_REPLY      129u
#define ICMPV6_SOLICITATION    135u
#define ICMPV6_ADVERTISEMENT   136u
#define ND_SOLICITATION_BYTES  24u
#define ND_ADVERTISEMENT_BYTES 32u /* with our link-layer address */
#define ND_HOP_LIMIT           255u
#define ND_SOLICITED           0x40u
#define ND_OVERRIDE            0x20u

static const uint8_t icmpv6_unspecified[16];
static const uint8_t icmpv6_all_nodes[16] = {0xff, 0x02, [15] = 1};

static bool icmpv6_checksum_good(const struct ip_frame *frame, const uint8_t *icmp, uint32_t length)
{
    uint64_t sum =
        checksum_pseudo(frame->bytes + 8, frame->bytes + 24, 16, FRAME_PROTOCOL_ICMPV6, length);

    return checksum_fold(checksum_add(sum, icmp, length)) == 0xffff;
}

static void icmpv6_finish(uint8_t *icmp, uint32_t length, const uint8_t source[16],
                          const uint8_t destination[16])
{
    uint64_t sum = checksum_pseudo(source, destination, 16, FRAME_PROTOCOL_ICMPV6, length);
    uint16_t checksum;

    memset(icmp + 2, 0, 2);
    checksum = (uint16_t)~checksum_fold(checksum_add(sum, icmp, length));
    memcpy(icmp + 2, &checksum, sizeof(checksum));
}

/* Is this solicitation one that RFC 4861 7.1.1 lets us answer? */
static bool nd_valid(const struct ip_frame *frame, const uint8_t *icmp, uint32_t length)
{
    bool probe = memcmp(frame->bytes + 8, icmpv6_unspecified, 16) == 0;

    if (frame->bytes[7] != ND_HOP_LIMIT || icmp[1] != 0 || length < ND_SOLICITATION_BYTES ||
        icmp[8] == 0xff)
        return false;
    for (uint32_t at = ND_SOLICITATION_BYTES; at < length;) {
        if (length - at < 8 || icmp[at + 1] == 0)
            return false;
        /* A duplicate address probe carries no source link-layer address. */
        if (probe && icmp[at] == 1)
            return false;
        if ((uint32_t)icmp[at + 1] * 8 > length - at)
            return false;
        at += (uint32_t)icmp[at + 1] * 8;
    }
    return true;
}

/* Says that `target` is ours, to `destination` on `path`. */
static void nd_advertise(struct ip_host *host, const struct packet_path *path,
                         const uint8_t target[16], const uint8_t destination[16], uint8_t flags)
{
    uint32_t l2_bytes = frame_header_bytes(path);
    uint8_t *reply = host->output->begin(host->output->context, path->port,
                                         l2_bytes + FRAME_IPV6_BYTES + ND_ADVERTISEMENT_BYTES);

    if (reply == NULL)
        return;
    frame_put_ethernet(reply, path, FRAME_TYPE_IPV6);
    reply += l2_bytes;
    frame_put_ipv6(reply, target, destination, FRAME_PROTOCOL_ICMPV6, ND_ADVERTISEMENT_BYTES,
                   ND_HOP_LIMIT);
    reply += FRAME_IPV6_BYTES;
    memset(reply, 0, ND_ADVERTISEMENT_BYTES);
    reply[0] = ICMPV6_ADVERTISEMENT;
    reply[4] = flags;
    memcpy(reply + 8, target, 16);
    reply[24] = 2; /* target link-layer address, 8 bytes */
    reply[25] = 1;
    memcpy(reply + 26, path->own_mac, 6);
    icmpv6_finish(reply, ND_ADVERTISEMENT_BYTES, target, destination);
    host->output->end(host->output->context, l2_bytes, 0);
}

/* The link address of the group of all nodes. */
static void nd_all_nodes(struct packet_path *path)
{
    path->peer_mac[0] = path->peer_mac[1] = 0x33;
    memcpy(path->peer_mac + 2, icmpv6_all_nodes + 12, 4);
}

void ip_announce_ipv6(struct ip_host *host, uint16_t port)
{
    const struct ip_interface *interface = &host->interfaces[port];
    struct packet_path path = {.port = port};

    memcpy(path.own_mac, interface->mac, 6);
    nd_all_nodes(&path);
    nd_advertise(host, &path, interface->link_local, icmpv6_all_nodes, ND_OVERRIDE);
    if (interface->has_address6)
        nd_advertise(host, &path, interface->address6, icmpv6_all_nodes, ND_OVERRIDE);
}

static enum counter nd_solicited(struct ip_host *host, const struct ip_interface *interface,
                                 const struct ip_frame *frame, const uint8_t *icmp, uint32_t length)
{
    bool probe = memcmp(frame->bytes + 8, icmpv6_unspecified, 16) == 0;
    struct packet_path path = frame->path;

    if (!nd_valid(frame, icmp, length))
        return COUNTER_FRAME_BAD_IP;
    if (!ip_interface_owns6(interface, icmp + 8))
        return COUNTER_FRAME_NOT_OURS;
    if (probe)
        nd_all_nodes(&path);
    nd_advertise(host, &path, icmp + 8, probe ? icmpv6_all_nodes : frame->bytes + 8,
                 (uint8_t)(ND_OVERRIDE | (probe ? 0 : ND_SOLICITED)));
    return COUNTER_FRAME_ND;
}

static enum counter icmpv6_echo(struct ip_host *host, const struct ip_interface *interface,
                                const struct ip_frame *frame, const uint8_t *icmp, uint32_t length)
{
    uint32_t l2_bytes = frame_header_bytes(&frame->path);
    uint8_t *reply;

    if (!ip_interface_owns6(interface, frame->bytes + 24) || frame->bytes[8] == 0xff ||
        memcmp(frame->bytes + 8, icmpv6_unspecified, 16) == 0)
        return COUNTER_FRAME_ICMP_OTHER; /* groups and nobody are not answered */
    reply = host->output->begin(host->output->context, frame->path.port,
                                l2_bytes + FRAME_IPV6_BYTES + length);
    if (reply == NULL)
        return COUNTER_FRAME_ICMP_ECHO;
    frame_put_ethernet(reply, &frame->path, FRAME_TYPE_IPV6);
    reply += l2_bytes;
    frame_put_ipv6(reply, frame->bytes + 24, frame->bytes + 8, FRAME_PROTOCOL_ICMPV6, length,
                   FRAME_TTL);
    reply += FRAME_IPV6_BYTES;
    memcpy(reply, icmp, length);
    reply[0] = ICMPV6_ECHO_REPLY;
    icmpv6_finish(reply, length, frame->bytes + 24, frame->bytes + 8);
    host->output->end(host->output->context, l2_bytes, 0);
    return COUNTER_FRAME_ICMP_ECHO;
}

/* The packet that was too big is quoted from its IPv6 header on; ours have no extension headers. */
static void icmpv6_too_big(struct ip_host *host, const uint8_t *icmp, uint32_t length)
{
    const uint8_t *quoted = icmp + ICMPV6_HEADER_BYTES;
    struct ip_flow flow;

    if (length < ICMPV6_HEADER_BYTES + FRAME_IPV6_BYTES + IP_QUOTED_BYTES ||
        quoted[6] != FRAME_PROTOCOL_TCP)
        return;
    memcpy(flow.local_address, quoted + 8, 16);
    memcpy(flow.remote_address, quoted + 24, 16);
    host->upper.too_big(host->upper.context, &flow, quoted + FRAME_IPV6_BYTES,
                        bytes_get32(icmp + 4));
}

enum counter ip_icmpv6(struct ip_host *host, const struct ip_interface *interface,
                       const struct ip_frame *frame, const uint8_t *icmp, uint32_t length)
{
    if (length < ICMPV6_HEADER_BYTES)
        return COUNTER_FRAME_SHORT;
    if (!icmpv6_checksum_good(frame, icmp, length))
        return COUNTER_FRAME_BAD_CHECKSUM;
    if (icmp[0] == ICMPV6_SOLICITATION)
        return nd_solicited(host, interface, frame, icmp, length);
    if (icmp[0] == ICMPV6_ECHO_REQUEST && icmp[1] == 0)
        return icmpv6_echo(host, interface, frame, icmp, length);
    if (icmp[0] == ICMPV6_TOO_BIG && icmp[1] == 0)
        icmpv6_too_big(host, icmp, length);
    return COUNTER_FRAME_ICMP_OTHER;
}
