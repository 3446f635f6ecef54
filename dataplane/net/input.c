#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/frame.h"
#include "dataplane/net/interface.h"

#define ARP_BYTES          28u
#define ARP_REQUEST        1u
#define ARP_REPLY          2u
#define ICMP_HEADER_BYTES  8u
#define ICMP_ECHO_REPLY    0u
#define ICMP_ECHO_REQUEST  8u
#define IPV4_FRAGMENT_MASK 0x3fffu /* more fragments, or an offset */
#define VLAN_ID_MASK       0x0fffu

/* A frame behind its link header. */
struct net_frame {
    const uint8_t *bytes; /* layer 3 */
    uint32_t length;
    uint16_t type;
    struct packet_path path;
};

static bool net_read_link(const struct packet_view *view, uint16_t port,
                          const struct net_interface *interface, struct net_frame *frame)
{
    uint32_t header = FRAME_ETHERNET_BYTES;

    if (view->length < header)
        return false;
    frame->type = bytes_get16(view->bytes + 12);
    frame->path.vlan = 0;
    if (frame->type == FRAME_TYPE_VLAN) {
        header += FRAME_VLAN_BYTES;
        if (view->length < header)
            return false;
        frame->path.vlan = bytes_get16(view->bytes + 14);
        frame->type = bytes_get16(view->bytes + 16);
    }
    memcpy(frame->path.peer_mac, view->bytes + 6, 6);
    memcpy(frame->path.own_mac, interface->mac, 6);
    frame->path.port = port;
    frame->bytes = view->bytes + header;
    frame->length = view->length - header;
    return true;
}

static enum counter net_arp(struct net *net, const struct net_interface *interface,
                            const struct net_frame *frame)
{
    static const uint8_t ethernet_ipv4[6] = {0x00, 0x01, 0x08, 0x00, 6, 4};
    const uint8_t *arp = frame->bytes;
    uint32_t l2_bytes = frame_header_bytes(&frame->path);
    uint8_t *reply;

    if (frame->length < ARP_BYTES)
        return COUNTER_FRAME_SHORT;
    if (memcmp(arp, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0)
        return COUNTER_FRAME_UNKNOWN_TYPE;
    if (memcmp(arp + 24, interface->address, 4) != 0)
        return COUNTER_FRAME_NOT_OURS;
    if (bytes_get16(arp + 6) != ARP_REQUEST)
        return COUNTER_FRAME_ARP;
    reply = net->output->begin(net->output->context, frame->path.port, l2_bytes + ARP_BYTES);
    if (reply == NULL)
        return COUNTER_FRAME_ARP;
    frame_put_ethernet(reply, &frame->path, FRAME_TYPE_ARP);
    reply += l2_bytes;
    memcpy(reply, ethernet_ipv4, sizeof(ethernet_ipv4));
    bytes_put16(reply + 6, ARP_REPLY);
    memcpy(reply + 8, interface->mac, 6);
    memcpy(reply + 14, interface->address, 4);
    memcpy(reply + 18, arp + 8, 10); /* the asker's MAC and address */
    net->output->end(net->output->context, l2_bytes, 0);
    return COUNTER_FRAME_ARP;
}

static enum counter net_icmp(struct net *net, const struct net_interface *interface,
                             const struct net_frame *frame, const uint8_t *icmp, uint32_t length)
{
    uint32_t l2_bytes = frame_header_bytes(&frame->path);
    uint8_t *reply;
    uint16_t checksum;

    if (length < ICMP_HEADER_BYTES)
        return COUNTER_FRAME_SHORT;
    if (checksum_fold(checksum_add(0, icmp, length)) != 0xffff)
        return COUNTER_FRAME_BAD_CHECKSUM;
    if (icmp[0] != ICMP_ECHO_REQUEST || icmp[1] != 0)
        return COUNTER_FRAME_ICMP_OTHER;
    reply = net->output->begin(net->output->context, frame->path.port,
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
    net->output->end(net->output->context, l2_bytes, 0);
    return COUNTER_FRAME_ICMP_ECHO;
}

static enum counter net_tcp(struct net *net, const struct net_interface *interface,
                            const struct net_frame *frame, const uint8_t *tcp, uint32_t length,
                            bool checksum_good, int64_t now_ns)
{
    struct tcp_segment segment = {
        .bytes = tcp,
        .length = length,
        .checksum_good = checksum_good,
        .mtu = interface->mtu,
        .path = frame->path,
        .address_bytes = 4,
        .key = {.local_address = {[10] = 0xff, [11] = 0xff},
                .remote_address = {[10] = 0xff, [11] = 0xff}},
    };

    memcpy(segment.key.remote_address + 12, frame->bytes + 12, 4);
    memcpy(segment.key.local_address + 12, frame->bytes + 16, 4);
    return tcp_input(net->endpoint, &segment,
                     length >= 4 && bytes_get16(tcp + 2) == interface->smtp_port, now_ns);
}

/* A source that no host may have: answering it would send mail traffic astray. */
static bool net_source_valid(const uint8_t source[4])
{
    return source[0] != 0 && source[0] != 127 && source[0] < 224;
}

static enum counter net_ipv4(struct net *net, const struct net_interface *interface,
                             const struct net_frame *frame, const struct packet_view *view,
                             int64_t now_ns)
{
    const uint8_t *ip = frame->bytes;
    uint32_t header;
    uint32_t total;

    if (frame->length < FRAME_IPV4_BYTES)
        return COUNTER_FRAME_SHORT;
    header = (uint32_t)(ip[0] & 0x0f) * 4;
    total = bytes_get16(ip + 2);
    if (ip[0] >> 4 != 4 || header < FRAME_IPV4_BYTES || total < header || total > frame->length)
        return COUNTER_FRAME_BAD_IP;
    if (!view->ip_checksum_good && checksum_fold(checksum_add(0, ip, header)) != 0xffff)
        return COUNTER_FRAME_BAD_CHECKSUM;
    if (memcmp(ip + 16, interface->address, 4) != 0)
        return COUNTER_FRAME_NOT_OURS;
    if (!net_source_valid(ip + 12) || memcmp(ip + 12, interface->address, 4) == 0)
        return COUNTER_FRAME_BAD_IP;
    if (bytes_get16(ip + 6) & IPV4_FRAGMENT_MASK)
        return COUNTER_FRAME_FRAGMENT;
    if (ip[9] == FRAME_PROTOCOL_TCP)
        return net_tcp(net, interface, frame, ip + header, total - header, view->tcp_checksum_good,
                       now_ns);
    if (ip[9] == FRAME_PROTOCOL_ICMP)
        return net_icmp(net, interface, frame, ip + header, total - header);
    return COUNTER_FRAME_UNKNOWN_PROTOCOL;
}

static enum counter net_dispatch(struct net *net, const struct packet_view *view, uint16_t port,
                                 int64_t now_ns)
{
    const struct net_interface *interface = &net->interfaces[port];
    struct net_frame frame;

    if (!net_read_link(view, port, interface, &frame))
        return COUNTER_FRAME_SHORT;
    if (frame.type == FRAME_TYPE_ARP)
        return net_arp(net, interface, &frame);
    if (memcmp(view->bytes, interface->mac, 6) != 0)
        return COUNTER_FRAME_NOT_OURS;
    /* Group addresses never send to us by TCP or echo. */
    if ((frame.path.peer_mac[0] & 1) != 0)
        return COUNTER_FRAME_BAD_IP;
    if (frame.type == FRAME_TYPE_IPV4)
        return net_ipv4(net, interface, &frame, view, now_ns);
    return COUNTER_FRAME_UNKNOWN_TYPE;
}

enum counter net_input(struct net *net, const struct packet_view *view, uint16_t port,
                       int64_t now_ns)
{
    enum counter outcome = net_dispatch(net, view, port, now_ns);

    count(net->counters, outcome);
    return outcome;
}

uint32_t net_flow_hash(const uint8_t *frame, uint32_t length)
{
    uint32_t at = FRAME_ETHERNET_BYTES;
    uint16_t type;
    uint32_t header;
    uint64_t mixed;

    if (length < at)
        return 0;
    type = bytes_get16(frame + 12);
    if (type == FRAME_TYPE_VLAN && length >= at + FRAME_VLAN_BYTES) {
        at += FRAME_VLAN_BYTES;
        type = bytes_get16(frame + 16);
    }
    if (type != FRAME_TYPE_IPV4 || length < at + FRAME_IPV4_BYTES)
        return 0;
    header = (uint32_t)(frame[at] & 0x0f) * 4;
    if (frame[at + 9] != FRAME_PROTOCOL_TCP || length < at + header + 4 ||
        (bytes_get16(frame + at + 6) & IPV4_FRAGMENT_MASK) != 0)
        return 0;
    /* Remote address and both ports; our own address adds nothing. The multiplier is 2^64 divided
     * by the golden ratio: spreading only, nothing secret depends on it. */
    mixed = (uint64_t)bytes_get32(frame + at + 12) << 32 | bytes_get32(frame + at + header);
    mixed *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}
