/* packet.h: a packet as the protocol code sees it, with nothing of DPDK in it.
 *
 * Hot path. Memory: a view borrows the bytes of the packet it came from, for the length of the call
 * it is passed to.
 */
#ifndef DATAPLANE_NET_PACKET_H
#define DATAPLANE_NET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A received frame, from the Ethernet header on, contiguous. */
struct packet_view {
    const uint8_t *bytes;
    uint32_t length;
    bool ip_checksum_good;  /* the port has verified it */
    bool tcp_checksum_good; /* the port has verified it, or is trusted to */
};

/* Where replies go: copied from the packet that opened the flow, so no ARP is needed. */
struct packet_path {
    uint8_t peer_mac[6];
    uint8_t own_mac[6];
    uint16_t vlan; /* tag control information; 0 = untagged */
    uint16_t port; /* our number of the port */
};

/* How the protocol code sends. One implementation in the worker (mbufs), one in each test. */
struct packet_output {
    void *context;
    /* Room for a frame of `length` bytes on `port`; null when there is none (counted by the
     * implementation; the caller treats it like a packet lost on the wire). */
    uint8_t *(*begin)(void *context, uint16_t port, uint32_t length);
    /* Sends the frame begun last. `l3_bytes` is the length of the IP header, so that the port can
     * fill in checksums where it is able to. */
    void (*end)(void *context, uint32_t l2_bytes, uint32_t l3_bytes);
    bool fills_checksums; /* the port does both checksums: leave the pseudo-header sum only */
};

#endif
