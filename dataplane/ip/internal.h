/* internal.h: what the files of dataplane/net share. See interface.h. */
#ifndef DATAPLANE_IP_INTERNAL_H
#define DATAPLANE_IP_INTERNAL_H

#include "dataplane/net/bytes.h"
#include "dataplane/net/frame.h"
#include "dataplane/ip/interface.h"

#define IPV4_FRAGMENT_MASK 0x3fffu /* more fragments, or an offset */

/* A frame behind its link header. */
struct net_frame {
    const uint8_t *bytes; /* layer 3 */
    uint32_t length;
    uint16_t type;
    struct packet_path path;
};

enum counter net_arp(struct net *net, const struct net_interface *interface,
                     const struct net_frame *frame);

enum counter net_ipv4(struct net *net, const struct net_interface *interface,
                      const struct net_frame *frame, const struct packet_view *view,
                      int64_t now_ns);

/* `icmp` is the message behind the IPv4 header, `length` bytes. */
enum counter net_icmp(struct net *net, const struct net_interface *interface,
                      const struct net_frame *frame, const uint8_t *icmp, uint32_t length);

enum counter net_ipv6(struct net *net, const struct net_interface *interface,
                      const struct net_frame *frame, const struct packet_view *view,
                      int64_t now_ns);

/* `icmp` is the message behind the extension headers. */
enum counter net_icmpv6(struct net *net, const struct net_interface *interface,
                        const struct net_frame *frame, const uint8_t *icmp, uint32_t length);

/* Is that TCP header addressed to the SMTP port? */
static inline bool net_is_mail(const struct net_interface *interface, const uint8_t *tcp,
                               uint32_t length)
{
    return length >= 4 && bytes_get16(tcp + 2) == interface->smtp_port;
}

/* A virtual link can hand over segments larger than its MTU, of which the port keeps the beginning
 * (veth under AF_PACKET). Where checksums are trusted that much is taken, and acknowledged: without
 * it a sender would get one segment through for each of its time-outs. `end` is where the packet
 * says that it ends. */
static inline bool net_cut(const struct packet_view *view, uint8_t protocol, uint32_t end,
                           uint32_t length)
{
    return end > length && view->tcp_checksum_good && protocol == FRAME_PROTOCOL_TCP;
}

/* Is `address` one of ours on this interface? */
bool net_own_ipv6(const struct net_interface *interface, const uint8_t address[16]);

#endif
