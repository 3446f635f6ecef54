/* wire.h: TCP over IPv4 or IPv6 over Ethernet as the simulated hosts build and read it.
 *
 * Written from RFC 791, 8200, 1071, 7323, 2018 and 9293, and on purpose sharing nothing with the
 * dataplane: what one side builds wrongly the other must not read in the same wrong way.
 */
#ifndef TESTS_SIMULATION_WIRE_H
#define TESTS_SIMULATION_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_FRAME_BYTES_MAX 9300u
#define WIRE_SACK_MAX        4u

#define WIRE_FIN 0x01u
#define WIRE_SYN 0x02u
#define WIRE_RST 0x04u
#define WIRE_PSH 0x08u
#define WIRE_ACK 0x10u
#define WIRE_URG 0x20u

struct wire_segment {
    uint8_t source_mac[6];
    uint8_t destination_mac[6];
    uint16_t vlan; /* 0: untagged */
    bool ipv6;
    uint8_t source[16]; /* IPv4: the first four, the rest zero */
    uint8_t destination[16];
    uint16_t source_port;
    uint16_t destination_port;
    uint32_t seq;
    uint32_t ack;
    uint8_t flags;
    uint16_t window; /* as in the header */
    bool has_mss;
    bool has_scale;
    bool sack_ok;
    bool has_timestamp;
    uint16_t mss;
    uint8_t scale;
    uint32_t timestamp;
    uint32_t timestamp_echo;
    unsigned sack_count;
    uint32_t sack[WIRE_SACK_MAX][2];
    uint32_t option_bytes; /* read: as found; build: filled in */
    const uint8_t *payload;
    uint32_t payload_length;
    uint32_t ip_option_words; /* behind the IP header, to move things along: no-operations, or an
                                 IPv6 destination options header of 8 bytes for each */
    uint32_t padding;         /* bytes behind the IP packet, as short Ethernet frames have */
    uint64_t arrangement;     /* build: order and padding of the options */
};

/* Builds the frame; returns its length. `frame` has room for WIRE_FRAME_BYTES_MAX. */
uint32_t wire_build(struct wire_segment *segment, uint8_t *frame);

/* Reads a frame and checks every length and checksum. Null when all is well, else what is wrong.
 * `payload` is set as soon as both checksums are found right. */
const char *wire_read(const uint8_t *frame, uint32_t length, struct wire_segment *segment);

/* Bytes of the Ethernet header. */
uint32_t wire_link_bytes(const uint8_t *frame);
/* Bytes of the IP packet, as it says itself. */
uint32_t wire_packet_bytes(const uint8_t *frame);

/* What a router says that could not pass `packet`, a frame of TCP, on over a link of `mtu` bytes
 * (RFC 1191, RFC 8201): a frame back to its sender, in `frame`; returns its length. */
uint32_t wire_build_too_big(const uint8_t *packet, uint32_t mtu, uint8_t *frame);

/* Fills in both checksums where a port is to do it. Returns false when the TCP field did not hold
 * the pseudo-header's sum. */
bool wire_fill_checksums(uint8_t *frame, uint32_t l2_bytes, uint32_t l3_bytes);

#endif
