/* ARP (RFC 826): our address is answered for; nothing is asked, since replies go back to where
 * their flow came from. */
#include <string.h>

#include "dataplane/ip/internal.h"
#include "dataplane/net/bytes.h"

#define ARP_BYTES   28u
#define ARP_REQUEST 1u
#define ARP_REPLY   2u

static const uint8_t arp_ethernet_ipv4[6] = {0x00, 0x01, 0x08, 0x00, 6, 4};

void ip_announce_ipv4(struct ip_host *host, uint16_t port)
{
    const struct ip_interface *interface = &host->interfaces[port];
    struct packet_path path = {.peer_mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, .port = port};
    uint32_t l2_bytes = frame_header_bytes(&path);
    uint8_t *arp = host->output->begin(host->output->context, port, l2_bytes + ARP_BYTES);

    if (arp == NULL)
        return;
    memcpy(path.own_mac, interface->mac, 6);
    frame_put_ethernet(arp, &path, FRAME_TYPE_ARP);
    arp += l2_bytes;
    memcpy(arp, arp_ethernet_ipv4, sizeof(arp_ethernet_ipv4));
    bytes_put16(arp + 6, ARP_REQUEST);
    memcpy(arp + 8, interface->mac, 6);
    memcpy(arp + 14, interface->address, 4);
    memset(arp + 18, 0, 6);
    memcpy(arp + 24, interface->address, 4);
    host->output->end(host->output->context, l2_bytes, 0);
}

enum counter ip_arp(struct ip_host *host, const struct ip_interface *interface,
                    const struct ip_frame *frame)
{
    const uint8_t *arp = frame->bytes;
    uint32_t l2_bytes = frame_header_bytes(&frame->path);
    uint8_t *reply;

    if (frame->length < ARP_BYTES)
        return COUNTER_FRAME_SHORT;
    if (memcmp(arp, arp_ethernet_ipv4, sizeof(arp_ethernet_ipv4)) != 0)
        return COUNTER_FRAME_UNKNOWN_TYPE;
    if (memcmp(arp + 24, interface->address, 4) != 0)
        return COUNTER_FRAME_NOT_OURS;
    if (bytes_get16(arp + 6) != ARP_REQUEST)
        return COUNTER_FRAME_ARP;
    reply = host->output->begin(host->output->context, frame->path.port, l2_bytes + ARP_BYTES);
    if (reply == NULL)
        return COUNTER_FRAME_ARP;
    frame_put_ethernet(reply, &frame->path, FRAME_TYPE_ARP);
    reply += l2_bytes;
    memcpy(reply, arp_ethernet_ipv4, sizeof(arp_ethernet_ipv4));
    bytes_put16(reply + 6, ARP_REPLY);
    memcpy(reply + 8, interface->mac, 6);
    memcpy(reply + 14, interface->address, 4);
    memcpy(reply + 18, arp + 8, 10); /* the asker's MAC and address */
    host->output->end(host->output->context, l2_bytes, 0);
    return COUNTER_FRAME_ARP;
}
