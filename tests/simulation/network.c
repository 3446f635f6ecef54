/* The links between the senders and us, and the port we send by. */
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "world.h"

struct frame *network_frame(uint32_t length)
{
    struct frame *frame = calloc(1, sizeof(*frame) + length);

    CHECK(frame != NULL);
    frame->exchange = WORLD_NONE;
    frame->length = length;
    return frame;
}

static struct frame *network_copy(const struct frame *frame)
{
    struct frame *copy = network_frame(frame->length);

    memcpy(copy, frame, sizeof(*frame) + frame->length);
    return copy;
}

/* Flips a few bits. Where the result still is a packet its receiver must believe (16-bit sums do
 * let such pass), it is left alone: nobody could tell. */
static void network_damage(struct world *world, struct frame *frame)
{
    unsigned flips = (unsigned)random_size(&world->random, 1, 20);
    uint8_t *original = malloc(frame->length);
    struct wire_segment segment;

    CHECK(original != NULL);
    memcpy(original, frame->bytes, frame->length);
    for (unsigned i = 0; i < flips; i++) {
        uint64_t bit = random_below(&world->random, (uint64_t)frame->length * 8);

        /* Ethernet's own checksum guards the addresses replies go to. */
        if (bit / 8 >= 6 && bit / 8 < 18)
            continue;
        frame->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    (void)wire_read(frame->bytes, frame->length, &segment);
    if (segment.payload != NULL || /* its sums are right */
        memcmp(original, frame->bytes, frame->length) == 0)
        memcpy(frame->bytes, original, frame->length);
    else
        frame->damaged = true;
    free(original);
}

static bool network_out_of_order(const struct direction *way, int64_t now_ns)
{
    for (unsigned i = 0; i < WORLD_OUTAGES; i++) {
        if (now_ns >= way->outage_start_ns[i] && now_ns < way->outage_end_ns[i])
            return true;
    }
    return false;
}

static void network_arrive(struct world *world, struct frame *frame, bool to_server, int64_t at_ns)
{
    events_add(&world->events, at_ns, to_server ? EVENT_AT_SERVER : EVENT_AT_PEER, 0, frame);
}

static void network_lose(struct world *world, struct frame *frame, bool to_server,
                         const char *cause)
{
    world_trace(world, "  %s lost: %s", to_server ? "->" : "<-", cause);
    world->frames_lost++;
    free(frame);
}

/* A link further on takes less than both ends think: its router tells the sender. */
static bool network_too_big(struct world *world, const struct frame *frame)
{
    const struct direction *way = &world->to_peers;
    bool ipv6 = frame->bytes[wire_link_bytes(frame->bytes)] >> 4 == 6;
    uint32_t mtu = ipv6 && way->narrow_mtu < 1280 ? 1280 : way->narrow_mtu;
    uint8_t bytes[256];
    struct frame *answer;

    if (way->narrow_mtu == 0 || world->now_ns < way->narrow_from_ns ||
        wire_packet_bytes(frame->bytes) <= mtu)
        return false;
    answer = network_frame(wire_build_too_big(frame->bytes, mtu, bytes));
    memcpy(answer->bytes, bytes, answer->length);
    world_trace(world, "  router says: no more than %u", mtu);
    network_carry(world, answer, true);
    return true;
}

void network_carry(struct world *world, struct frame *frame, bool to_server)
{
    struct direction *way = to_server ? &world->to_server : &world->to_peers;
    struct random *random = &world->random;
    bool faulty = world_faulty(world);
    int64_t at_ns = world->now_ns + way->delay_ns;

    if (wire_packet_bytes(frame->bytes) > way->mtu) {
        network_lose(world, frame, to_server, "larger than the MTU");
        return;
    }
    if (!to_server && network_too_big(world, frame)) {
        network_lose(world, frame, to_server, "too big for a link");
        return;
    }
    if (faulty && (random_chance(random, way->loss) || network_out_of_order(way, world->now_ns))) {
        network_lose(world, frame, to_server, "chance");
        return;
    }
    if (way->jitter_ns > 0)
        at_ns += random_between(random, 0, way->jitter_ns);
    if (faulty && random_chance(random, way->duplicate))
        network_arrive(world, network_copy(frame), to_server,
                       at_ns + random_between(random, 0, way->late_ns));
    if (faulty && random_chance(random, way->damage))
        network_damage(world, frame);
    if (faulty && random_chance(random, way->reorder)) {
        at_ns += random_between(random, 0, way->late_ns);
    } else {
        if (at_ns < way->last_arrival_ns)
            at_ns = way->last_arrival_ns;
        way->last_arrival_ns = at_ns;
    }
    network_arrive(world, frame, to_server, at_ns);
}

static uint8_t *network_begin(void *context, uint16_t port, uint32_t length)
{
    struct world *world = context;

    if (port != 0 || length > WIRE_FRAME_BYTES_MAX)
        world_fail(world, "frame of %u bytes begun on port %u", length, port);
    if (world_faulty(world) && random_chance(&world->random, world->out_refused)) {
        world->lenient_acks = true;
        world_trace(world, "  port full");
        return NULL;
    }
    world->out_length = length;
    /* What is not written must not pass for something that is. */
    memset(world->out, 0xdb, WIRE_FRAME_BYTES_MAX);
    return world->out;
}

static void network_end(void *context, uint32_t l2_bytes, uint32_t l3_bytes)
{
    struct world *world = context;
    struct frame *frame;

    if (world->out_length == 0)
        world_fail(world, "a frame was ended that was not begun");
    if (world->output.fills_checksums && l3_bytes > 0 &&
        !wire_fill_checksums(world->out, l2_bytes, l3_bytes))
        world_fail(world, "the pseudo-header's sum was not left for the port");
    world->frames_sent++;
    world->round.frames_out++;
    oracle_frame_sent(world, world->out, world->out_length);
    frame = network_frame(world->out_length);
    memcpy(frame->bytes, world->out, world->out_length);
    world->out_length = 0;
    network_carry(world, frame, false);
}

void network_output_init(struct world *world)
{
    world->output.context = world;
    world->output.begin = network_begin;
    world->output.end = network_end;
}
