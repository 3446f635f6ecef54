#include "wire.h"

#include <stddef.h>
#include <string.h>

#define WIRE_TYPE_IPV4 0x0800u
#define WIRE_TYPE_IPV6 0x86ddu
#define WIRE_TYPE_VLAN 0x8100u

static void wire_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void wire_put32(uint8_t *at, uint32_t value)
{
    wire_put16(at, value >> 16);
    wire_put16(at + 2, value);
}

static uint16_t wire_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t wire_get32(const uint8_t *at)
{
    return (uint32_t)wire_get16(at) << 16 | wire_get16(at + 2);
}

/* RFC 1071, one 16-bit word at a time. */
static uint32_t wire_sum(uint32_t sum, const uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i + 1 < length; i += 2)
        sum += wire_get16(bytes + i);
    if (length & 1)
        sum += (uint32_t)bytes[length - 1] << 8;
    return sum;
}

static uint16_t wire_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint32_t wire_pseudo(const uint8_t *ip, uint32_t tcp_bytes)
{
    if (ip[0] >> 4 == 6)
        return wire_sum(0, ip + 8, 32) + 6 + tcp_bytes;
    return wire_sum(0, ip + 12, 8) + 6 + tcp_bytes;
}

static uint8_t *wire_put_padding(uint8_t *at, const uint8_t *start, unsigned to)
{
    while ((at - start) % 4 != to)
        *at++ = 1;
    return at;
}

static uint8_t *wire_put_option(uint8_t *at, const struct wire_segment *s, unsigned which)
{
    if (which == 0 && s->has_mss) {
        at[0] = 2;
        at[1] = 4;
        wire_put16(at + 2, s->mss);
        return at + 4;
    }
    if (which == 1 && s->has_scale) {
        at[0] = 3;
        at[1] = 3;
        at[2] = s->scale;
        return at + 3;
    }
    if (which == 2 && s->sack_ok) {
        at[0] = 4;
        at[1] = 2;
        return at + 2;
    }
    if (which == 3 && s->has_timestamp) {
        at[0] = 8;
        at[1] = 10;
        wire_put32(at + 2, s->timestamp);
        wire_put32(at + 6, s->timestamp_echo);
        return at + 10;
    }
    return at;
}

/* At most 19 bytes come before the SACK option, which takes what is left. */
static uint32_t wire_put_options(uint8_t *at, const struct wire_segment *s)
{
    const uint8_t *start = at;
    unsigned first = (unsigned)(s->arrangement % 4);
    unsigned blocks = s->sack_count;

    for (unsigned i = 0; i < 4; i++) {
        if ((s->flags & WIRE_SYN) && s->arrangement >> (8 + i) & 1)
            at = wire_put_padding(at, start, i % 4);
        at = wire_put_option(at, s, (first + i) % 4);
    }
    if (blocks > 0) {
        while (at - start + 2 + 8 * (ptrdiff_t)blocks > 40)
            blocks--;
        at[0] = 5;
        at[1] = (uint8_t)(2 + 8 * blocks);
        for (unsigned i = 0; i < blocks; i++) {
            wire_put32(at + 2 + 8 * (size_t)i, s->sack[i][0]);
            wire_put32(at + 6 + 8 * (size_t)i, s->sack[i][1]);
        }
        at += 2 + 8 * (size_t)blocks;
    }
    while ((at - start) % 4 != 0)
        *at++ = (s->arrangement >> 16 & 1) ? 0 : 1;
    return (uint32_t)(at - start);
}

static uint8_t *wire_put_link(uint8_t *frame, const struct wire_segment *s)
{
    memcpy(frame, s->destination_mac, 6);
    memcpy(frame + 6, s->source_mac, 6);
    frame += 12;
    if (s->vlan != 0) {
        wire_put16(frame, WIRE_TYPE_VLAN);
        wire_put16(frame + 2, s->vlan);
        frame += 4;
    }
    wire_put16(frame, s->ipv6 ? WIRE_TYPE_IPV6 : WIRE_TYPE_IPV4);
    return frame + 2;
}

static void wire_put_ipv4(uint8_t *ip, const struct wire_segment *s, uint32_t tcp_bytes)
{
    uint32_t ip_bytes = 20 + 4 * s->ip_option_words;

    memset(ip, 0, 20);
    memset(ip + 20, 1, ip_bytes - 20);
    ip[0] = (uint8_t)(0x40 | ip_bytes / 4);
    wire_put16(ip + 2, ip_bytes + tcp_bytes);
    wire_put16(ip + 6, 0x4000);
    ip[8] = 57;
    ip[9] = 6;
    memcpy(ip + 12, s->source, 4);
    memcpy(ip + 16, s->destination, 4);
    wire_put16(ip + 10, (uint16_t)~wire_fold(wire_sum(0, ip, ip_bytes)));
}

static void wire_put_ipv6(uint8_t *ip, const struct wire_segment *s, uint32_t tcp_bytes)
{
    uint8_t *next = ip + 6;

    memset(ip, 0, 40);
    ip[0] = 0x60;
    wire_put16(ip + 4, 8 * s->ip_option_words + tcp_bytes);
    ip[7] = 57;
    memcpy(ip + 8, s->source, 16);
    memcpy(ip + 24, s->destination, 16);
    for (uint32_t i = 0; i < s->ip_option_words; i++) {
        uint8_t *header = ip + 40 + 8 * (size_t)i;

        *next = 60;
        next = header;
        memcpy(header + 1, (const uint8_t[]){0, 1, 4, 0, 0, 0, 0}, 7); /* PadN */
    }
    *next = 6;
}

uint32_t wire_build(struct wire_segment *s, uint8_t *frame)
{
    uint8_t *ip = wire_put_link(frame, s);
    uint8_t *tcp = ip + (s->ipv6 ? 40 + 8 * s->ip_option_words : 20 + 4 * s->ip_option_words);
    uint32_t tcp_bytes;

    memset(tcp, 0, 20);
    s->option_bytes = wire_put_options(tcp + 20, s);
    tcp_bytes = 20 + s->option_bytes + s->payload_length;
    if (s->ipv6)
        wire_put_ipv6(ip, s, tcp_bytes);
    else
        wire_put_ipv4(ip, s, tcp_bytes);
    wire_put16(tcp, s->source_port);
    wire_put16(tcp + 2, s->destination_port);
    wire_put32(tcp + 4, s->seq);
    wire_put32(tcp + 8, s->ack);
    tcp[12] = (uint8_t)((20 + s->option_bytes) / 4 << 4);
    tcp[13] = s->flags;
    wire_put16(tcp + 14, s->window);
    if (s->payload_length > 0)
        memcpy(tcp + 20 + s->option_bytes, s->payload, s->payload_length);
    wire_put16(tcp + 16,
               (uint16_t)~wire_fold(wire_sum(wire_pseudo(ip, tcp_bytes), tcp, tcp_bytes)));
    memset(tcp + tcp_bytes, 0xa5, s->padding);
    return (uint32_t)(tcp + tcp_bytes - frame) + s->padding;
}

uint32_t wire_link_bytes(const uint8_t *frame)
{
    return wire_get16(frame + 12) == WIRE_TYPE_VLAN ? 18 : 14;
}

uint32_t wire_packet_bytes(const uint8_t *frame)
{
    const uint8_t *ip = frame + wire_link_bytes(frame);

    return ip[0] >> 4 == 6 ? 40u + wire_get16(ip + 4) : wire_get16(ip + 2);
}

static uint32_t wire_too_big_ipv4(const uint8_t *packet, uint32_t mtu, uint8_t *ip)
{
    uint8_t *icmp = ip + 20;

    memset(ip, 0, 28);
    ip[0] = 0x45;
    wire_put16(ip + 2, 20 + 8 + 28);
    ip[8] = 60;
    ip[9] = 1;
    memcpy(ip + 12, (const uint8_t[]){198, 18, 9, 9}, 4);
    memcpy(ip + 16, packet + 12, 4);
    wire_put16(ip + 10, (uint16_t)~wire_fold(wire_sum(0, ip, 20)));
    icmp[0] = 3;
    icmp[1] = 4;
    wire_put16(icmp + 6, mtu);
    memcpy(icmp + 8, packet, 28);
    wire_put16(icmp + 2, (uint16_t)~wire_fold(wire_sum(0, icmp, 36)));
    return 56;
}

static uint32_t wire_too_big_ipv6(const uint8_t *packet, uint32_t mtu, uint8_t *ip)
{
    uint8_t *icmp = ip + 40;

    memset(ip, 0, 48);
    ip[0] = 0x60;
    wire_put16(ip + 4, 8 + 60);
    ip[6] = 58;
    ip[7] = 60;
    memcpy(ip + 8, (const uint8_t[]){0x20, 1, 0xd, 0xb8, 9, [15] = 9}, 16);
    memcpy(ip + 24, packet + 8, 16);
    icmp[0] = 2;
    wire_put32(icmp + 4, mtu);
    memcpy(icmp + 8, packet, 60);
    wire_put16(icmp + 2, (uint16_t)~wire_fold(wire_sum(wire_sum(58 + 68, ip + 8, 32), icmp, 68)));
    return 108;
}

uint32_t wire_build_too_big(const uint8_t *packet, uint32_t mtu, uint8_t *frame)
{
    uint32_t link = wire_link_bytes(packet);

    memcpy(frame, packet + 6, 6);
    memcpy(frame + 6, packet, 6);
    memcpy(frame + 12, packet + 12, link - 12);
    packet += link;
    return link + (packet[0] >> 4 == 6 ? wire_too_big_ipv6(packet, mtu, frame + link)
                                       : wire_too_big_ipv4(packet, mtu, frame + link));
}

bool wire_fill_checksums(uint8_t *frame, uint32_t l2_bytes, uint32_t l3_bytes)
{
    uint8_t *ip = frame + l2_bytes;
    uint8_t *tcp = ip + l3_bytes;
    uint32_t tcp_bytes = wire_packet_bytes(frame) - l3_bytes;
    bool good = wire_get16(tcp + 16) == wire_fold(wire_pseudo(ip, tcp_bytes));

    if (ip[0] >> 4 == 4) {
        wire_put16(ip + 10, 0);
        wire_put16(ip + 10, (uint16_t)~wire_fold(wire_sum(0, ip, l3_bytes)));
    }
    wire_put16(tcp + 16, 0);
    wire_put16(tcp + 16,
               (uint16_t)~wire_fold(wire_sum(wire_pseudo(ip, tcp_bytes), tcp, tcp_bytes)));
    return good;
}

static const char *wire_read_sack(const uint8_t *at, uint32_t length, struct wire_segment *s)
{
    if ((length - 2) % 8 != 0 || length == 2 || s->sack_count != 0)
        return "malformed SACK option";
    for (uint32_t i = 2; i + 8 <= length; i += 8) {
        s->sack[s->sack_count][0] = wire_get32(at + i);
        s->sack[s->sack_count][1] = wire_get32(at + i + 4);
        s->sack_count++;
    }
    return NULL;
}

static const char *wire_read_option(const uint8_t *at, uint32_t length, struct wire_segment *s)
{
    switch (at[0]) {
    case 2:
        s->has_mss = true;
        s->mss = wire_get16(at + 2);
        return length == 4 ? NULL : "MSS option of wrong length";
    case 3:
        s->has_scale = true;
        s->scale = at[2];
        return length == 3 && at[2] <= 14 ? NULL : "window scale option out of order";
    case 4:
        s->sack_ok = true;
        return length == 2 ? NULL : "SACK-permitted option of wrong length";
    case 5:
        return wire_read_sack(at, length, s);
    case 8:
        s->has_timestamp = true;
        s->timestamp = wire_get32(at + 2);
        s->timestamp_echo = wire_get32(at + 6);
        return length == 10 ? NULL : "timestamp option of wrong length";
    default:
        return NULL;
    }
}

static const char *wire_read_options(const uint8_t *at, uint32_t length, struct wire_segment *s)
{
    while (length > 0 && at[0] != 0) {
        const char *wrong;

        if (at[0] == 1) {
            at++;
            length--;
            continue;
        }
        if (length < 2 || at[1] < 2 || at[1] > length)
            return "option longer than the header";
        wrong = wire_read_option(at, at[1], s);
        if (wrong != NULL)
            return wrong;
        length -= at[1];
        at += at[1];
    }
    return NULL;
}

static const char *wire_read_tcp(const uint8_t *ip, const uint8_t *tcp, uint32_t tcp_bytes,
                                 struct wire_segment *s)
{
    uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;

    if (header < 20 || header > tcp_bytes)
        return "TCP header length";
    if (wire_fold(wire_sum(wire_pseudo(ip, tcp_bytes), tcp, tcp_bytes)) != 0xffff)
        return "TCP checksum";
    s->source_port = wire_get16(tcp);
    s->destination_port = wire_get16(tcp + 2);
    s->seq = wire_get32(tcp + 4);
    s->ack = wire_get32(tcp + 8);
    s->flags = tcp[13];
    s->window = wire_get16(tcp + 14);
    s->option_bytes = header - 20;
    s->payload = tcp + header;
    s->payload_length = tcp_bytes - header;
    return wire_read_options(tcp + 20, header - 20, s);
}

static const char *wire_read_ipv4(const uint8_t *ip, uint32_t length, struct wire_segment *s,
                                  uint32_t *header, uint32_t *total)
{
    *header = (uint32_t)(ip[0] & 15) * 4;
    *total = wire_get16(ip + 2);
    if (ip[0] >> 4 != 4)
        return "not IPv4";
    if (*header < 20 || *total < *header + 20 || *total > length)
        return "IP length";
    if (wire_fold(wire_sum(0, ip, *header)) != 0xffff)
        return "IP checksum";
    if (ip[9] != 6)
        return "not TCP";
    if ((wire_get16(ip + 6) & 0x3fff) != 0)
        return "fragment";
    memcpy(s->source, ip + 12, 4);
    memcpy(s->destination, ip + 16, 4);
    return NULL;
}

static const char *wire_read_ipv6(const uint8_t *ip, uint32_t length, struct wire_segment *s,
                                  uint32_t *header, uint32_t *total)
{
    uint8_t next = ip[6];

    *header = 40;
    *total = 40u + wire_get16(ip + 4);
    if (ip[0] >> 4 != 6)
        return "not IPv6";
    if (length < 60 || *total > length)
        return "IP length";
    while (next == 60 && *header + 8 + 20 <= *total) {
        next = ip[*header];
        *header += 8 + 8u * ip[*header + 1];
    }
    if (next != 6)
        return "not TCP";
    if (*header + 20 > *total)
        return "IP length";
    memcpy(s->source, ip + 8, 16);
    memcpy(s->destination, ip + 24, 16);
    s->ipv6 = true;
    return NULL;
}

const char *wire_read(const uint8_t *frame, uint32_t length, struct wire_segment *s)
{
    const char *wrong;
    const uint8_t *ip;
    uint32_t header;
    uint32_t total;
    uint32_t link;

    memset(s, 0, sizeof(*s));
    if (length < 14 + 40 || length < wire_link_bytes(frame) + 40)
        return "too short for TCP";
    link = wire_link_bytes(frame);
    ip = frame + link;
    memcpy(s->destination_mac, frame, 6);
    memcpy(s->source_mac, frame + 6, 6);
    if (link == 18)
        s->vlan = wire_get16(frame + 14);
    if (wire_get16(ip - 2) == WIRE_TYPE_IPV4)
        wrong = wire_read_ipv4(ip, length - link, s, &header, &total);
    else if (wire_get16(ip - 2) == WIRE_TYPE_IPV6)
        wrong = wire_read_ipv6(ip, length - link, s, &header, &total);
    else
        wrong = "neither IPv4 nor IPv6";
    if (wrong != NULL)
        return wrong;
    s->padding = length - link - total;
    return wire_read_tcp(ip, ip + header, total - header, s);
}
