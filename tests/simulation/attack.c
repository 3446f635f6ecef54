/* Forged segments in a sender's name: everything an attacker can send who does not know exactly
 * where the connection stands, and noise. They reach the endpoint at once, past the link, so that
 * what they claim to know is as stale as intended. None may be accepted. */
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "world.h"

#define ATTACK_PAYLOAD 300u

enum attack {
    ATTACK_RESET,      /* inside the window, not at its left edge (RFC 5961 3) */
    ATTACK_SYN,        /* RFC 5961 4 */
    ATTACK_OLD_CLOCK,  /* PAWS (RFC 7323 5) */
    ATTACK_NO_CLOCK,   /* timestamps were agreed (RFC 7323 3.2) */
    ATTACK_ACK_AHEAD,  /* of what we have sent */
    ATTACK_ACK_BEHIND, /* further than any window reached (RFC 5961 5) */
    ATTACK_NO_ACK,     /* without the ACK bit */
    ATTACK_OLD_DATA,   /* before the window */
    ATTACK_FAR_DATA,   /* behind it */
    ATTACK_BAD_CHECKSUM,
    ATTACK_OTHER_PORT,
    ATTACK_NOISE,
    ATTACK_COUNT,
};

/* Somewhere in the window beyond everything the sender has ever sent: never exactly where the
 * endpoint is. */
static bool attack_in_window(struct world *world, const struct exchange *x,
                             const struct tcp_connection *c, uint32_t *seq)
{
    uint32_t first = peer_seq(&x->peer, x->peer.max) + 1;
    int32_t room = (int32_t)(c->advertised_edge - first);

    if (room <= 0)
        return false;
    *seq = first + (uint32_t)random_below(&world->random, (uint64_t)room);
    return true;
}

static bool attack_fill(struct world *world, struct exchange *x, const struct tcp_connection *c,
                        enum attack attack, struct wire_segment *s)
{
    struct peer *peer = &x->peer;
    struct random *random = &world->random;

    switch (attack) {
    case ATTACK_RESET:
        s->flags = (uint8_t)(WIRE_RST | (random_chance(random, 5000) ? WIRE_ACK : 0));
        s->has_timestamp = false;
        s->payload_length = 0;
        break;
    case ATTACK_SYN:
        s->flags = (uint8_t)(WIRE_SYN | (random_chance(random, 3000) ? WIRE_ACK : 0));
        s->payload_length = 0;
        break;
    case ATTACK_OLD_CLOCK:
        s->timestamp = c->timestamp_recent - (uint32_t)random_size(random, 1, 1 << 30);
        return peer->timestamp;
    case ATTACK_NO_CLOCK:
        s->has_timestamp = false;
        return peer->timestamp;
    case ATTACK_ACK_AHEAD:
        s->ack = c->send_max + (uint32_t)random_size(random, 1, 1 << 30);
        break;
    case ATTACK_ACK_BEHIND:
        s->ack = c->send_una - c->send_window_max - (uint32_t)random_size(random, 1, 1 << 29);
        break;
    case ATTACK_NO_ACK:
        s->flags = 0;
        break;
    case ATTACK_OLD_DATA:
        s->seq = c->receive_next - s->payload_length - (uint32_t)random_size(random, 0, 1 << 30);
        break;
    case ATTACK_FAR_DATA:
        s->seq = c->advertised_edge + (uint32_t)random_size(random, 0, 1 << 30);
        break;
    case ATTACK_OTHER_PORT:
        s->destination_port = WORLD_PORT + 1;
        break;
    default:
        break;
    }
    return true;
}

static void attack_give(struct world *world, uint32_t exchange, const uint8_t *bytes,
                        uint32_t length)
{
    struct frame *frame = network_frame(length);

    memcpy(frame->bytes, bytes, length);
    frame->exchange = exchange;
    frame->forged = true;
    frame->position = -1;
    (void)worker_give(world, frame);
    free(frame);
    worker_poll_soon(world);
}

/* Not even TCP: whatever falls off a broken switch. */
static void attack_noise(struct world *world)
{
    struct random *random = &world->random;
    uint8_t bytes[200];
    uint32_t length = (uint32_t)random_between(random, 0, sizeof(bytes));

    random_fill(random, bytes, sizeof(bytes));
    if (random_chance(random, 8000))
        memcpy(bytes, world->ip.interfaces[0].mac, 6);
    bytes[6] &= 0xfe;
    if (random_chance(random, 8000)) {
        bytes[12] = 0x08;
        bytes[13] = 0x00;
        bytes[14] = (uint8_t)(0x40 | random_below(random, 16));
    }
    if (length > 34 && random_chance(random, 5000))
        memcpy(bytes + 30, world->ip.interfaces[0].address, 4);
    attack_give(world, WORLD_NONE, bytes, length);
}

static void attack_connection(struct world *world, struct exchange *x,
                              const struct tcp_connection *c, enum attack attack)
{
    struct random *random = &world->random;
    uint8_t payload[ATTACK_PAYLOAD];
    uint8_t bytes[ATTACK_PAYLOAD + 200];
    struct wire_segment s;
    uint32_t length;

    peer_fill(x, &s);
    random_fill(random, payload, sizeof(payload));
    s.flags = WIRE_ACK;
    s.ack = c->send_una;
    s.window = (uint16_t)random_next(random);
    s.payload = payload;
    s.payload_length = (uint32_t)random_between(random, 1, sizeof(payload));
    if (!attack_in_window(world, x, c, &s.seq) || !attack_fill(world, x, c, attack, &s))
        return;
    length = wire_build(&s, bytes);
    if (attack == ATTACK_BAD_CHECKSUM)
        bytes[length - s.padding - 1] ^= (uint8_t)random_between(random, 1, 255);
    world_trace(world, "#%u attack %d: seq %u len %u ack %u", x->index, (int)attack, s.seq,
                s.payload_length, s.ack);
    attack_give(world, x->index, bytes, length);
}

/* A last segment of the handshake by somebody who has not seen our first: SYN cookies or not, he
 * would have to guess a number. */
static void attack_handshake(struct world *world, struct exchange *x)
{
    struct random *random = &world->random;
    uint8_t payload[ATTACK_PAYLOAD];
    uint8_t bytes[ATTACK_PAYLOAD + 200];
    struct wire_segment s;

    peer_fill(x, &s);
    random_fill(random, payload, sizeof(payload));
    s.flags = WIRE_ACK;
    s.seq = peer_seq(&x->peer, 0);
    s.ack = (uint32_t)random_next(random);
    s.window = (uint16_t)random_next(random);
    s.payload = payload;
    s.payload_length = (uint32_t)random_between(random, 0, sizeof(payload));
    s.has_timestamp = x->peer.offer_timestamp;
    s.timestamp = peer_timestamp(x);
    s.timestamp_echo = (uint32_t)random_next(random);
    world_trace(world, "#%u attack on the handshake: ack %u", x->index, s.ack);
    attack_give(world, x->index, bytes, wire_build(&s, bytes));
}

void attack_event(struct world *world, uint32_t exchange)
{
    struct exchange *x = &world->exchanges[exchange];
    enum attack attack = (enum attack)random_below(&world->random, ATTACK_COUNT);
    const struct tcp_connection *c;

    if (x->peer.end != PEER_END_NONE)
        return;
    events_add(&world->events,
               world->now_ns + random_size(&world->random, WORLD_MS, 10 * WORLD_SECOND),
               EVENT_ATTACK, exchange, NULL);
    if (attack == ATTACK_NOISE) {
        attack_noise(world);
        return;
    }
    c = oracle_connection(world, x);
    if (!x->opened && (x->peer.state == PEER_SYN_SENT || x->peer.state == PEER_OPEN))
        attack_handshake(world, x);
    /* An attacker who meets no connection is like any other stranger. */
    if (x->peer.state != PEER_OPEN || c == NULL || !x->open || c->dying)
        return;
    attack_connection(world, x, c, attack);
}
