#include <string.h>

#include "dataplane/counting.h"
#include "dataplane/ip/internal.h"
#include "dataplane/net/bytes.h"

/* Unicast to us, or an IPv6 group that we are in (all nodes, our solicited-node groups). */
static bool ip_for_us(const struct ip_interface *interface, const uint8_t destination[6])
{
    static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
    static const uint8_t solicited[3] = {0x33, 0x33, 0xff};

    if (memcmp(destination, interface->mac, 6) == 0)
        return true;
    if (memcmp(destination, solicited, sizeof(solicited)) == 0)
        return memcmp(destination + 3, interface->link_local + 13, 3) == 0 ||
               (interface->has_address6 &&
                memcmp(destination + 3, interface->address6 + 13, 3) == 0);
    return memcmp(destination, all_nodes, sizeof(all_nodes)) == 0;
}

static bool ip_read_link(const struct packet_view *view, uint16_t port,
                         const struct ip_interface *interface, struct ip_frame *frame)
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

static enum counter ip_dispatch(struct ip_host *host, const struct packet_view *view, uint16_t port,
                                int64_t now_ns)
{
    const struct ip_interface *interface = &host->interfaces[port];
    struct ip_frame frame;

    if (!ip_read_link(view, port, interface, &frame))
        return COUNTER_FRAME_SHORT;
    if (frame.type == FRAME_TYPE_ARP)
        return ip_arp(host, interface, &frame);
    if (!ip_for_us(interface, view->bytes))
        return COUNTER_FRAME_NOT_OURS;
    /* Group addresses never send to us by TCP or echo. */
    if ((frame.path.peer_mac[0] & 1) != 0)
        return COUNTER_FRAME_BAD_IP;
    if (frame.type == FRAME_TYPE_IPV4)
        return ip_ipv4(host, interface, &frame, view, now_ns);
    if (frame.type == FRAME_TYPE_IPV6)
        return ip_ipv6(host, interface, &frame, view, now_ns);
    return COUNTER_FRAME_UNKNOWN_TYPE;
}

enum counter ip_input(struct ip_host *host, const struct packet_view *view, uint16_t port,
                      int64_t now_ns)
{
    enum counter outcome = ip_dispatch(host, view, port, now_ns);

    count(host->counters, outcome);
    return outcome;
}

bool ip_concerns_kernel(enum counter outcome)
{
    switch (outcome) {
    case COUNTER_FRAME_NOT_OURS:
    case COUNTER_FRAME_OTHER_PORT:
    case COUNTER_FRAME_UNKNOWN_TYPE:
    case COUNTER_FRAME_UNKNOWN_PROTOCOL:
    case COUNTER_FRAME_FRAGMENT:
    case COUNTER_FRAME_ARP:
    case COUNTER_FRAME_ND:
    case COUNTER_FRAME_ICMP_OTHER:
        return true;
    default:
        return false;
    }
}

void ip_announce(struct ip_host *host, uint16_t port)
{
    ip_announce_ipv4(host, port);
    ip_announce_ipv6(host, port);
}
