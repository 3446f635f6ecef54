/* wire.h: the TCP header on the wire (RFC 9293 3.1) and the options we know. */
#ifndef DATAPLANE_TCP_WIRE_H
#define DATAPLANE_TCP_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define TCP_HEADER_BYTES 20u

#define TCP_FLAG_FIN 0x01u
#define TCP_FLAG_SYN 0x02u
#define TCP_FLAG_RST 0x04u
#define TCP_FLAG_PSH 0x08u
#define TCP_FLAG_ACK 0x10u
#define TCP_FLAG_URG 0x20u

#define TCP_OPTION_END       0u
#define TCP_OPTION_NOP       1u
#define TCP_OPTION_MSS       2u
#define TCP_OPTION_SCALE     3u
#define TCP_OPTION_SACK_OK   4u
#define TCP_OPTION_SACK      5u
#define TCP_OPTION_TIMESTAMP 8u
#define TCP_OPTION_BYTES_MAX 40u
#define TCP_TIMESTAMP_BYTES  12u /* with its two NOPs */
#define TCP_SACK_BLOCKS_MAX  4u
#define TCP_SCALE_MAX        14u /* RFC 7323 2.3 */

/* A received header, in host order, with the options that matter. */
struct tcp_header {
    uint16_t source_port;
    uint16_t destination_port;
    uint32_t seq;
    uint32_t ack;
    uint8_t flags;
    uint16_t window; /* as on the wire, unscaled */
    const uint8_t *payload;
    uint32_t payload_length;
    bool has_mss, has_scale, has_timestamp, sack_ok;
    uint16_t mss;
    uint8_t scale;
    uint32_t timestamp;      /* TSval */
    uint32_t timestamp_echo; /* TSecr */
    uint8_t sack_count;      /* blocks below: left and right edge */
    uint32_t sack[TCP_SACK_BLOCKS_MAX][2];
};

/* Reads header and options of a segment of `length` bytes. False when they do not fit. A malformed
 * option ends the list: what was read before it counts (RFC 9293 3.1, robustness). */
bool tcp_header_read(struct tcp_header *header, const uint8_t *bytes, uint32_t length);

#endif
