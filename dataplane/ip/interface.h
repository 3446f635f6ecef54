/* interface.h: our address on one port, and what comes in there.
 *
 * net_input() takes a frame apart (Ethernet, one VLAN tag, ARP and neighbour discovery, IPv4 and
 * IPv6, ICMP echo and path MTU) and gives TCP to the endpoint. Replies go back to the MAC and VLAN
 * a frame came from. What is not for us is counted; the worker passes it on to the kernel
 * where the port has an exception interface.
 *
 * Threads: the worker's. Hot path. Memory: struct net is the caller's; frames are borrowed.
 */
#ifndef DATAPLANE_IP_INTERFACE_H
#define DATAPLANE_IP_INTERFACE_H

#include "dataplane/net/packet.h"
#include "dataplane/tcp/endpoint.h"

#define NET_INTERFACES_MAX 8u

struct net_interface {
    uint8_t address[4];
    bool has_address6;
    uint8_t address6[16];
    uint8_t link_local[16]; /* fe80::/64 from the MAC, always ours */
    uint8_t mac[6];
    uint16_t mtu;       /* bytes of an IP packet */
    uint16_t smtp_port; /* host order */
    bool shared;        /* the kernel takes what is not mail, our address's other ports included */
};

struct net {
    struct net_interface interfaces[NET_INTERFACES_MAX]; /* by our port number */
    struct tcp_endpoint *endpoint;
    struct packet_output *output;
    struct region_counters *counters;
};

/* Fills in link_local from mac (RFC 4291, appendix A). */
void net_interface_link_local(struct net_interface *interface);

/* Takes one frame received on `port`; counts it into exactly one counter, and returns that. */
enum counter net_input(struct net *net, const struct packet_view *frame, uint16_t port,
                       int64_t now_ns);

/* Does a frame with that outcome concern the kernel of a shared interface? ARP and neighbour
 * discovery concern both. */
bool net_concerns_kernel(enum counter outcome);

/* A hash that is the same for every packet of a TCP connection, for spreading flows over workers in
 * software; 0 for what is not TCP (worker 0 takes it). Reads nothing beyond `length`. */
uint32_t net_flow_hash(const uint8_t *frame, uint32_t length);

#endif
