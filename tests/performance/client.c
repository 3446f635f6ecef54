/* Clients as cheap as can be: a frame is a patch of what already lies in its buffer. */
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "tests/performance/bench.h"

#define CLIENT_IP         14u
#define CLIENT_TCP        34u
#define CLIENT_OPTIONS    54u
#define CLIENT_NETWORK    0xc6120100u /* 198.18.1.0 and upwards, one address a connection */
#define CLIENT_FLOOD      0xc6130000u /* 198.19.0.0/16 */
#define CLIENT_WINDOW     0xffffu
#define CLIENT_SYN_BYTES  20u /* of options: MSS, SACK, timestamps, scale */
#define CLIENT_PORT_FIRST 1024u

static const uint8_t client_mac[6] = {2, 0, 0, 0, 1, 1};

/* Every segment's text: whole lines, the last one shorter. */
static void client_text(uint8_t *to)
{
    for (uint32_t i = 0; i < BENCH_SEGMENT_BYTES; i++)
        to[i] = (uint8_t)('a' + i % 26);
    for (uint32_t start = 0; start < BENCH_SEGMENT_BYTES; start += BENCH_LINE_BYTES) {
        uint32_t end = start + BENCH_LINE_BYTES;

        if (end > BENCH_SEGMENT_BYTES)
            end = BENCH_SEGMENT_BYTES;
        to[end - 2] = '\r';
        to[end - 1] = '\n';
    }
}

void client_prepare(struct bench *bench)
{
    uint8_t text[BENCH_SEGMENT_BYTES];

    client_text(text);
    bench->text_sum = checksum_add(0, text, sizeof(text));
    for (uint32_t i = 0; i < BENCH_FRAMES; i++)
        memcpy(bench->frames + (size_t)i * BENCH_FRAME_BYTES + BENCH_HEADER_BYTES, text,
               sizeof(text));
}

static void client_headers(struct bench *bench, uint8_t *frame, uint32_t address,
                           uint32_t tcp_bytes)
{
    const struct ip_interface *interface = &bench->ip.interfaces[0];
    struct packet_path path = {.port = 0};
    uint8_t source[4];

    bytes_put32(source, address);
    memcpy(path.peer_mac, interface->mac, 6); /* where it goes */
    memcpy(path.own_mac, client_mac, 6);
    frame_put_ethernet(frame, &path, FRAME_TYPE_IPV4);
    frame_put_ipv4(frame + CLIENT_IP, source, interface->address, FRAME_PROTOCOL_TCP, tcp_bytes,
                   !bench->verify);
}

/* `payload_sum`: of the bytes behind the header. */
static void client_put(struct bench *bench, uint8_t *frame, uint32_t address, uint32_t header_bytes,
                       uint32_t payload_bytes, uint64_t payload_sum)
{
    uint32_t tcp_bytes = header_bytes + payload_bytes;
    uint8_t *tcp = frame + CLIENT_TCP;

    client_headers(bench, frame, address, tcp_bytes);
    tcp[12] = (uint8_t)(header_bytes / 4 << 4);
    memset(tcp + 16, 0, 4);
    if (bench->verify) {
        uint64_t sum =
            checksum_pseudo(frame + 26, frame + 30, 4, FRAME_PROTOCOL_TCP, tcp_bytes) + payload_sum;
        uint16_t checksum = (uint16_t)~checksum_fold(checksum_add(sum, tcp, header_bytes));

        memcpy(tcp + 16, &checksum, sizeof(checksum));
    }
    bench->burst[bench->burst_count++] = (struct packet_view){
        .bytes = frame,
        .length = CLIENT_TCP + tcp_bytes,
        .ip_checksum_good = !bench->verify,
        .tcp_checksum_good = !bench->verify,
    };
}

static uint8_t *client_frame(struct bench *bench, bool text)
{
    uint8_t *frame;

    if (text) {
        frame = bench->frames + (size_t)bench->frame_next * BENCH_FRAME_BYTES;
        bench->frame_next = (bench->frame_next + 1) % BENCH_FRAMES;
    } else {
        frame = bench->small_frames + (size_t)bench->small_next * BENCH_FRAME_BYTES;
        bench->small_next = (bench->small_next + 1) % BENCH_SMALL_FRAMES;
    }
    return frame;
}

static void client_tcp(uint8_t *tcp, uint16_t port, uint32_t seq, uint32_t ack, uint8_t flags)
{
    bytes_put16(tcp, port);
    bytes_put16(tcp + 2, BENCH_PORT);
    bytes_put32(tcp + 4, seq);
    bytes_put32(tcp + 8, ack);
    tcp[13] = flags;
    bytes_put16(tcp + 14, CLIENT_WINDOW);
}

static uint32_t client_clock(const struct bench *bench)
{
    return (uint32_t)(bench->now_ns / CLOCK_NS_PER_MS);
}

static void client_put_syn(struct bench *bench, uint32_t address, uint16_t port, uint32_t seq)
{
    uint8_t *frame = client_frame(bench, false);
    uint8_t *at = frame + CLIENT_OPTIONS;
    static const uint8_t options[CLIENT_SYN_BYTES] = {TCP_OPTION_MSS,
                                                      4,
                                                      0x05,
                                                      0xb4,
                                                      TCP_OPTION_SACK_OK,
                                                      2,
                                                      TCP_OPTION_TIMESTAMP,
                                                      10,
                                                      [16] = TCP_OPTION_NOP,
                                                      TCP_OPTION_SCALE,
                                                      3,
                                                      7};

    client_tcp(frame + CLIENT_TCP, port, seq, 0, TCP_FLAG_SYN);
    memcpy(at, options, sizeof(options));
    bytes_put32(at + 8, client_clock(bench));
    client_put(bench, frame, address, TCP_HEADER_BYTES + CLIENT_SYN_BYTES, 0, 0);
    if (bench->burst_count == BENCH_BURST)
        bench_turn(bench);
}

void client_syn(struct bench *bench, uint32_t number)
{
    struct peer *peer = &bench->peers[number];

    CHECK(number < bench->peer_count);
    peer->port = peer->port < CLIENT_PORT_FIRST ? CLIENT_PORT_FIRST : (uint16_t)(peer->port + 1);
    peer->seq += 100000;
    peer->code = 0;
    peer->finished = false;
    client_put_syn(bench, CLIENT_NETWORK + number, peer->port, peer->seq);
}

void client_flood(struct bench *bench, uint32_t number)
{
    uint32_t mixed = number * 2654435761u;

    client_put_syn(bench, CLIENT_FLOOD + 1 + (mixed & 0x7fff), (uint16_t)(mixed >> 16 | 1),
                   mixed ^ number);
}

void client_send(struct bench *bench, uint32_t number, uint8_t flags, const char *text,
                 uint32_t length)
{
    struct peer *peer = &bench->peers[number];
    uint8_t *frame = client_frame(bench, text == NULL && length > 0);
    uint8_t *options = frame + CLIENT_OPTIONS;
    uint8_t *payload = frame + BENCH_HEADER_BYTES;
    uint64_t sum = bench->text_sum;

    CHECK(length <= BENCH_SEGMENT_BYTES);
    CHECK(seq_at_or_before(peer->seq + length, peer->edge));
    client_tcp(frame + CLIENT_TCP, peer->port, peer->seq, peer->ack, flags);
    options[0] = TCP_OPTION_NOP;
    options[1] = TCP_OPTION_NOP;
    options[2] = TCP_OPTION_TIMESTAMP;
    options[3] = 10;
    bytes_put32(options + 4, client_clock(bench));
    bytes_put32(options + 8, peer->echo);
    if (text != NULL)
        memcpy(payload, text, length);
    if (bench->verify && (text != NULL || length != BENCH_SEGMENT_BYTES))
        sum = checksum_add(0, payload, length);
    client_put(bench, frame, CLIENT_NETWORK + number, TCP_HEADER_BYTES + TCP_TIMESTAMP_BYTES,
               length, sum);
    peer->seq += length + ((flags & TCP_FLAG_FIN) != 0);
    if (bench->burst_count == BENCH_BURST)
        bench_turn(bench);
}

/* The code of the last line of `text`. */
static uint16_t client_code(const uint8_t *text, uint32_t length)
{
    uint32_t at;

    CHECK(length >= 6 && text[length - 1] == '\n');
    for (at = length - 1; at > 0 && text[at - 1] != '\n'; at--)
        continue;
    CHECK(length - at >= 6 && text[at + 3] == ' ');
    return (uint16_t)((text[at] - '0') * 100 + (text[at + 1] - '0') * 10 + (text[at + 2] - '0'));
}

static void client_take(struct bench *bench, const uint8_t *frame, uint32_t length)
{
    uint32_t number = bytes_get32(frame + 30) - CLIENT_NETWORK;
    const uint8_t *tcp = frame + CLIENT_TCP;
    uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
    uint32_t payload = length - CLIENT_TCP - header;
    uint32_t seq = bytes_get32(tcp + 4);
    uint32_t window = bytes_get16(tcp + 14);
    struct peer *peer;

    if (number >= bench->peer_count)
        return; /* to nobody: the flood's */
    peer = &bench->peers[number];
    CHECK(bytes_get16(tcp + 2) == peer->port && !(tcp[13] & TCP_FLAG_RST));
    if (tcp[13] & TCP_FLAG_SYN) {
        struct tcp_header parsed;

        CHECK(tcp_header_read(&parsed, tcp, length - CLIENT_TCP) && parsed.has_timestamp);
        peer->seq = parsed.ack;
        peer->ack = seq + 1;
        peer->echo = parsed.timestamp;
        peer->edge = parsed.ack + window;
        return;
    }
    CHECK(header >= TCP_HEADER_BYTES + TCP_TIMESTAMP_BYTES && seq == peer->ack);
    CHECK(seq_at_or_before(bytes_get32(tcp + 8), peer->seq));
    peer->echo = bytes_get32(tcp + TCP_HEADER_BYTES + 4);
    peer->edge = bytes_get32(tcp + 8) + (window << TCP_RECEIVE_SCALE);
    peer->ack += payload + ((tcp[13] & TCP_FLAG_FIN) != 0);
    if (payload > 0)
        peer->code = client_code(tcp + header, payload);
    if (tcp[13] & TCP_FLAG_FIN)
        peer->finished = true;
}

void client_read(struct bench *bench)
{
    for (; bench->sent_count > 0; bench->sent_count--) {
        uint32_t at = bench->sent_first;

        client_take(bench, bench->sent + (size_t)at * BENCH_FRAME_BYTES, bench->sent_length[at]);
        bench->sent_first = (at + 1) % BENCH_FRAMES;
    }
}
