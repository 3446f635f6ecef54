/* interface.h: our address on one port, and what comes in there.
 *
 * ip_input() takes a frame apart (Ethernet, one VLAN tag, ARP and neighbour discovery, IPv4 and
 * IPv6, ICMP echo and path MTU) and gives TCP segments to the protocol above (upper.h). Replies go
 * back to the MAC and VLAN a frame came from. What is not for us is counted; the worker passes it
 * on to the kernel where the port has an exception interface.
 *
 * Threads: the worker's. Hot path. Memory: struct ip_host is the caller's; frames are borrowed.
 */
#ifndef DATAPLANE_IP_INTERFACE_H
#define DATAPLANE_IP_INTERFACE_H

#include "dataplane/ip/upper.h"
#include "dataplane/net/packet.h"
#include "platform/link/region.h"

#define IP_INTERFACES_MAX 8u

struct ip_interface {
    uint8_t address[4];
    bool has_address6;
    uint8_t address6[16];
    uint8_t link_local[16]; /* fe80::/64 from the MAC, always ours */
    uint8_t mac[6];
    uint16_t mtu; /* bytes of an IP packet */
    bool shared; /* the kernel takes what nobody listens for, other ports of our address included */
};

struct ip_host {
    struct ip_interface interfaces[IP_INTERFACES_MAX]; /* by our port number */
    struct ip_upper upper;
    struct packet_output *output;
    struct region_counters *counters;
};

/* Fills in link_local from mac (RFC 4291, appendix A). */
void ip_interface_link_local(struct ip_interface *interface);

/* Takes one frame received on `port`; counts it into exactly one counter, and returns that. */
enum counter ip_input(struct ip_host *host, const struct packet_view *frame, uint16_t port,
                      int64_t now_ns);

/* Tells everybody on the link of `port` that our addresses are at our MAC (RFC 5227 2.3, RFC 4861
 * 7.2.6): who has them in its cache with another, of an appliance before us, would send there. */
void ip_announce(struct ip_host *host, uint16_t port);

/* Does a frame with that outcome concern the kernel of a shared interface? ARP and neighbour
 * discovery concern both. */
bool ip_concerns_kernel(enum counter outcome);

/* Is `address` one of ours on this interface? */
bool ip_interface_owns6(const struct ip_interface *interface, const uint8_t address[16]);

#endif
