/* upper.h: what IP hands to the transport protocol above it.
 *
 * IP knows no TCP: whoever puts the two together gives IP a struct ip_upper. So the rooms have an
 * order (tcp above ip above net), and one indirect call for each packet is all it costs.
 *
 * Threads: the worker's. Hot path. Memory: everything is borrowed for the length of the call.
 */
#ifndef DATAPLANE_IP_UPPER_H
#define DATAPLANE_IP_UPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/net/packet.h"
#include "platform/link/counters.h"

/* Who speaks with whom. IPv4 addresses stand as ::ffff:a.b.c.d. No padding: it is hashed and
 * compared as bytes. */
struct ip_flow {
    uint8_t local_address[16];
    uint8_t remote_address[16];
    uint16_t local_port; /* host order; both are the upper protocol's to fill in */
    uint16_t remote_port;
};
_Static_assert(sizeof(struct ip_flow) == 36, "hashed as bytes");

static inline bool ip_flow_is_ipv4(const struct ip_flow *flow)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(flow->remote_address, mapped, sizeof(mapped)) == 0;
}

static inline bool ip_address_equal(const uint8_t a[16], const uint8_t b[16])
{
    uint64_t words[4];

    memcpy(words, a, 16);
    memcpy(words + 2, b, 16);
    return words[0] == words[2] && words[1] == words[3];
}

static inline void ip_map4(uint8_t to[16], const uint8_t from[4])
{
    memset(to, 0, 10);
    memset(to + 10, 0xff, 2);
    memcpy(to + 12, from, 4);
}

/* What a packet carried whose IP header is already checked. */
struct ip_segment {
    const uint8_t *bytes; /* the upper protocol's header */
    uint32_t length;      /* bytes of header and payload */
    bool checksum_good;
    bool cut;     /* only its first `length` bytes were handed over */
    bool shared;  /* what nobody here listens for is the kernel's: COUNTER_FRAME_OTHER_PORT */
    uint16_t mtu; /* of the interface it came by: our MSS follows from it */
    struct ip_flow flow; /* without the ports */
    uint32_t hash;       /* of flow: the upper protocol's to fill in */
    struct packet_path path;
    uint8_t address_bytes; /* 4 or 16 */
};

/* RFC 792 and RFC 4443 quote at least so much of a segment: of TCP's, ports and sequence number. */
#define IP_QUOTED_BYTES 8u

struct ip_upper {
    void *context;
    /* Takes one segment. Returns the counter it belongs to: exactly one a packet. */
    enum counter (*input)(void *context, struct ip_segment *segment, int64_t now_ns);
    /* A router says that packets of at most `mtu` bytes get through to that peer, quoting the
     * beginning of a segment of ours. Anybody can say so: the upper protocol decides whether to
     * believe it. */
    void (*too_big)(void *context, const struct ip_flow *flow,
                    const uint8_t quoted[IP_QUOTED_BYTES], uint32_t mtu);
};

#endif
