/* The peer of rig.h: builds segments by hand. */
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "tests/unit/ip/rig.h"

#define CLIENT_PAYLOAD_MAX 1460u

void client_init(struct client *client, struct rig *rig, uint8_t number)
{
    *client = (struct client){
        .rig = rig,
        .address = {198, 18, 1, number},
        .port = 40000,
        .server_port = RIG_PORT,
        .mss = RIG_MSS,
        .scale = -1,
        .initial = 100000u * number,
        .window = 65535,
        .clock = 5000,
    };
    client->first = client->initial + 1;
    client->seq = client->initial;
}

uint32_t client_frame(const struct client *client, const struct segment *segment, uint8_t *frame)
{
    struct packet_path path = {.vlan = client->vlan};
    uint32_t l2_bytes = frame_header_bytes(&path);
    uint32_t header = TCP_HEADER_BYTES + segment->option_bytes;
    uint32_t tcp_bytes = header + segment->length;
    uint8_t *tcp = frame + l2_bytes + FRAME_IPV4_BYTES;
    uint16_t checksum;

    memcpy(path.peer_mac, RIG_MAC, 6); /* as seen from us: where it goes */
    memcpy(path.own_mac, RIG_CLIENT_MAC, 6);
    frame_put_ethernet(frame, &path, FRAME_TYPE_IPV4);
    frame_put_ipv4(frame + l2_bytes, client->address, RIG_ADDRESS, FRAME_PROTOCOL_TCP, tcp_bytes,
                   false);
    memset(tcp, 0, TCP_HEADER_BYTES);
    bytes_put16(tcp, client->port);
    bytes_put16(tcp + 2, client->server_port);
    bytes_put32(tcp + 4, segment->seq);
    bytes_put32(tcp + 8, segment->ack);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = segment->flags;
    bytes_put16(tcp + 14, segment->window);
    bytes_put16(tcp + 18, segment->urgent);
    if (segment->option_bytes > 0)
        memcpy(tcp + TCP_HEADER_BYTES, segment->options, segment->option_bytes);
    if (segment->length > 0)
        memcpy(tcp + header, segment->payload, segment->length);
    checksum = (uint16_t)~checksum_fold(checksum_add(
        checksum_pseudo(client->address, RIG_ADDRESS, 4, FRAME_PROTOCOL_TCP, tcp_bytes), tcp,
        tcp_bytes));
    memcpy(tcp + 16, &checksum, sizeof(checksum));
    return l2_bytes + FRAME_IPV4_BYTES + tcp_bytes;
}

enum counter client_put(struct client *client, const struct segment *segment)
{
    uint8_t frame[RIG_FRAME_BYTES];

    return rig_input(client->rig, frame, client_frame(client, segment, frame));
}

static uint8_t client_timestamps(const struct client *client, uint8_t *options)
{
    if (!client->timestamps)
        return 0;
    options[0] = TCP_OPTION_NOP;
    options[1] = TCP_OPTION_NOP;
    options[2] = TCP_OPTION_TIMESTAMP;
    options[3] = 10;
    bytes_put32(options + 4, client->clock);
    bytes_put32(options + 8, client->echo);
    return TCP_TIMESTAMP_BYTES;
}

enum counter client_send(struct client *client, uint8_t flags, uint32_t seq, const void *payload,
                         uint32_t length)
{
    uint8_t options[TCP_OPTION_BYTES_MAX];
    struct segment segment = {
        .flags = flags,
        .seq = seq,
        .ack = client->ack,
        .window = client->window,
        .payload = payload,
        .length = length,
        .options = options,
        .option_bytes = client_timestamps(client, options),
    };

    return client_put(client, &segment);
}

enum counter client_send_ack(struct client *client, uint32_t ack)
{
    client->ack = ack;
    return client_send(client, TCP_FLAG_ACK, client->seq, NULL, 0);
}

uint8_t client_byte(uint32_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8) * 7 + (offset >> 16));
}

enum counter client_stream(struct client *client, uint32_t offset, uint32_t length)
{
    uint8_t payload[CLIENT_PAYLOAD_MAX];

    CHECK(length <= sizeof(payload));
    for (uint32_t i = 0; i < length; i++)
        payload[i] = client_byte(offset + i);
    return client_send(client, TCP_FLAG_ACK, client->first + offset, payload, length);
}

enum counter client_syn(struct client *client)
{
    uint8_t options[TCP_OPTION_BYTES_MAX] = {0};
    struct segment segment = {
        .flags = TCP_FLAG_SYN,
        .seq = client->initial,
        .window = client->window,
        .options = options,
    };
    uint8_t *at = options;

    if (client->mss != 0) {
        at[0] = TCP_OPTION_MSS;
        at[1] = 4;
        bytes_put16(at + 2, client->mss);
        at += 4;
    }
    if (client->scale >= 0) {
        at[0] = TCP_OPTION_NOP;
        at[1] = TCP_OPTION_SCALE;
        at[2] = 3;
        at[3] = (uint8_t)client->scale;
        at += 4;
    }
    if (client->sack) {
        at[0] = TCP_OPTION_NOP;
        at[1] = TCP_OPTION_NOP;
        at[2] = TCP_OPTION_SACK_OK;
        at[3] = 2;
        at += 4;
    }
    at += client_timestamps(client, at);
    segment.option_bytes = (uint8_t)(at - options);
    client->first = client->initial + 1;
    client->seq = client->first;
    return client_put(client, &segment);
}

void client_connect(struct client *client)
{
    struct rig *rig = client->rig;
    const struct rig_frame *frame;
    unsigned opened = rig->opened;

    rig_drain(rig);
    CHECK(client_syn(client) == COUNTER_TCP_IN_ACCEPTED);
    frame = client_next(client);
    CHECK(frame != NULL && frame->tcp.flags == (TCP_FLAG_SYN | TCP_FLAG_ACK));
    client->own = client->ack;
    CHECK(client_send_ack(client, client->ack) == COUNTER_TCP_IN_ACCEPTED);
    CHECK(rig->opened == opened + 1 && rig->connection != NULL);
    rig_flush(rig);
}

const struct rig_frame *client_next(struct client *client)
{
    const struct rig_frame *frame = rig_next(client->rig);
    const struct tcp_header *tcp;

    if (frame == NULL)
        return NULL;
    tcp = &frame->tcp;
    CHECK(frame->type == FRAME_TYPE_IPV4 && frame->network[9] == FRAME_PROTOCOL_TCP);
    CHECK(memcmp(frame->bytes, RIG_CLIENT_MAC, 6) == 0 && frame->vlan == client->vlan);
    CHECK(memcmp(frame->network + 16, client->address, 4) == 0);
    CHECK(tcp->source_port == client->server_port && tcp->destination_port == client->port);
    if (tcp->flags & TCP_FLAG_RST)
        return frame;
    if (tcp->flags & TCP_FLAG_SYN)
        client->ack = tcp->seq;
    if (tcp->seq == client->ack)
        client->ack += tcp->payload_length + ((tcp->flags & TCP_FLAG_SYN) != 0) +
                       ((tcp->flags & TCP_FLAG_FIN) != 0);
    if (tcp->has_timestamp)
        client->echo = tcp->timestamp;
    return frame;
}

uint32_t client_edge(const struct client *client, const struct rig_frame *frame)
{
    uint32_t shift =
        client->scale >= 0 && !(frame->tcp.flags & TCP_FLAG_SYN) ? TCP_RECEIVE_SCALE : 0;

    return frame->tcp.ack + ((uint32_t)frame->tcp.window << shift);
}

void client_finish(struct client *client)
{
    struct rig *rig = client->rig;
    const struct rig_frame *frame;
    unsigned closed = rig->closed;

    (void)client_send(client, TCP_FLAG_ACK | TCP_FLAG_FIN, client->seq, NULL, 0);
    client->seq++;
    if (rig->connection != NULL)
        tcp_close(rig->connection);
    rig_flush(rig);
    do {
        frame = client_next(client);
        CHECK(frame != NULL);
    } while (!(frame->tcp.flags & TCP_FLAG_FIN));
    CHECK(frame->tcp.ack == client->seq);
    (void)client_send_ack(client, client->ack);
    CHECK(rig->closed == closed + 1 && rig->reason == TCP_CLOSED_NORMAL);
}
