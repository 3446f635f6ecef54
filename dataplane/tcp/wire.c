#include "dataplane/tcp/wire.h"

#include "dataplane/net/bytes.h"

static void header_sack(struct tcp_header *header, const uint8_t *value, uint32_t length)
{
    for (; length >= 8 && header->sack_count < TCP_SACK_BLOCKS_MAX; length -= 8, value += 8) {
        header->sack[header->sack_count][0] = bytes_get32(value);
        header->sack[header->sack_count][1] = bytes_get32(value + 4);
        header->sack_count++;
    }
}

static void header_option(struct tcp_header *header, uint8_t kind, const uint8_t *value,
                          uint32_t length)
{
    if (kind == TCP_OPTION_MSS && length == 2) {
        header->has_mss = true;
        header->mss = bytes_get16(value);
    } else if (kind == TCP_OPTION_SCALE && length == 1) {
        header->has_scale = true;
        header->scale = value[0] <= TCP_SCALE_MAX ? value[0] : TCP_SCALE_MAX;
    } else if (kind == TCP_OPTION_SACK_OK && length == 0) {
        header->sack_ok = true;
    } else if (kind == TCP_OPTION_TIMESTAMP && length == 8) {
        header->has_timestamp = true;
        header->timestamp = bytes_get32(value);
        header->timestamp_echo = bytes_get32(value + 4);
    } else if (kind == TCP_OPTION_SACK) {
        header_sack(header, value, length);
    }
}

static void header_options(struct tcp_header *header, const uint8_t *at, uint32_t length)
{
    /* What nearly every segment has, and nothing else (RFC 7323, appendix A). */
    if (length == TCP_TIMESTAMP_BYTES &&
        bytes_get32(at) ==
            (TCP_OPTION_NOP << 24 | TCP_OPTION_NOP << 16 | TCP_OPTION_TIMESTAMP << 8 | 10u)) {
        header_option(header, TCP_OPTION_TIMESTAMP, at + 4, 8);
        return;
    }
    while (length > 0 && at[0] != TCP_OPTION_END) {
        if (at[0] == TCP_OPTION_NOP) {
            at++;
            length--;
            continue;
        }
        if (length < 2 || at[1] < 2 || at[1] > length)
            return;
        header_option(header, at[0], at + 2, at[1] - 2u);
        length -= at[1];
        at += at[1];
    }
}

bool tcp_header_read(struct tcp_header *header, const uint8_t *bytes, uint32_t length)
{
    uint32_t header_bytes;

    if (length < TCP_HEADER_BYTES)
        return false;
    header_bytes = (uint32_t)(bytes[12] >> 4) * 4;
    if (header_bytes < TCP_HEADER_BYTES || header_bytes > length)
        return false;
    *header = (struct tcp_header){
        .source_port = bytes_get16(bytes),
        .destination_port = bytes_get16(bytes + 2),
        .seq = bytes_get32(bytes + 4),
        .ack = bytes_get32(bytes + 8),
        .flags = bytes[13],
        .window = bytes_get16(bytes + 14),
        .payload = bytes + header_bytes,
        .payload_length = length - header_bytes,
    };
    header_options(header, bytes + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES);
    return true;
}
