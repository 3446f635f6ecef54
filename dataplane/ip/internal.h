/* internal.h: what the files of dataplane/ip share. See interface.h. */
#ifndef DATAPLANE_IP_INTERNAL_H
#define DATAPLANE_IP_INTERNAL_H

#include "dataplane/ip/interface.h"
#include "dataplane/net/bytes.h"
#include "dataplane/net/frame.h"

/* A frame behind its link header. */
struct ip_frame {
    const uint8_t *bytes; /* layer 3 */
    uint32_t length;
    uint16_t type;
    struct packet_path path;
};

/* What ip_announce() says for each protocol. */
void ip_announce_ipv4(struct ip_host *host, uint16_t port);
void ip_announce_ipv6(struct ip_host *host, uint16_t port);

enum counter ip_arp(struct ip_host *host, const struct ip_interface *interface,
                    const struct ip_frame *frame);

enum counter ip_ipv4(struct ip_host *host, const struct ip_interface *interface,
                     const struct ip_frame *frame, const struct packet_view *view, int64_t now_ns);

/* `icmp` is the message behind the IPv4 header, `length` bytes. */
enum counter ip_icmp(struct ip_host *host, const struct ip_interface *interface,
                     const struct ip_frame *frame, const uint8_t *icmp, uint32_t length);

enum counter ip_ipv6(struct ip_host *host, const struct ip_interface *interface,
                     const struct ip_frame *frame, const struct packet_view *view, int64_t now_ns);

/* `icmp` is the message behind the extension headers. */
enum counter ip_icmpv6(struct ip_host *host, const struct ip_interface *interface,
                       const struct ip_frame *frame, const uint8_t *icmp, uint32_t length);

/* The segment `bytes` of `frame`, but for its addresses. */
static inline struct ip_segment ip_segment_of(const struct ip_interface *interface,
                                              const struct ip_frame *frame, const uint8_t *bytes,
                                              uint32_t length, bool checksum_good, bool cut)
{
    return (struct ip_segment){
        .bytes = bytes,
        .length = length,
        .checksum_good = checksum_good,
        .cut = cut,
        .shared = interface->shared,
        .mtu = interface->mtu,
        .path = frame->path,
    };
}

/* A virtual link can hand over segments larger than its MTU, of which the port keeps the beginning
 * (veth under AF_PACKET). Where checksums are trusted that much is taken, and acknowledged: without
 * it a sender would get one segment through for each of its time-outs. `end` is where the packet
 * says that it ends. */
static inline bool ip_cut(const struct packet_view *view, uint8_t protocol, uint32_t end,
                          uint32_t length)
{
    return end > length && view->tcp_checksum_good && protocol == FRAME_PROTOCOL_TCP;
}

#endif
