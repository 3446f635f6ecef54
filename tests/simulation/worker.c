/* What the worker does in production, driven by virtual time: bursts, timers, flush. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/tcp/connection.h"
#include "platform/check.h"
#include "world.h"

#define WORKER_BURST        32u
#define WORKER_SOUND_ROUNDS 100u /* the store is walked whole each time */

/* Only while both ends trust it: a damaged frame is never marked good. */
static void worker_view(struct world *world, const struct frame *frame, struct packet_view *view)
{
    struct wire_segment segment;

    *view = (struct packet_view){.bytes = frame->bytes, .length = frame->length};
    if (world->port_verifies && wire_read(frame->bytes, frame->length, &segment) == NULL) {
        view->ip_checksum_good = true;
        view->tcp_checksum_good = true;
    }
}

enum counter worker_give(struct world *world, const struct frame *frame)
{
    struct oracle_before before;
    struct packet_view view;
    uint8_t *exact = malloc(frame->length > 0 ? frame->length : 1);
    enum counter outcome;

    /* A copy of just that size, so that a sanitizer sees every byte read beyond it. */
    CHECK(exact != NULL);
    memcpy(exact, frame->bytes, frame->length);
    oracle_before_input(world, frame, &before);
    worker_view(world, frame, &view);
    view.bytes = exact;
    world->frames_given++;
    world->round.frames_in++;
    outcome = ip_input(&world->ip, &view, 0, world->now_ns);
    memset(exact, 0xee, frame->length); /* nothing may be kept of it */
    free(exact);
    world_trace(world, "  %s", counter_name(outcome));
    oracle_after_input(world, frame, &before, outcome);
    return outcome;
}

/* A round's second half: timers, flush, and what must hold after it. */
static void worker_finish_round(struct world *world)
{
    unsigned ran = tcp_timers(&world->endpoint, world->now_ns, world->timer_budget);

    world->round.timers += ran;
    (void)tcp_flush(&world->endpoint, world->now_ns);
    world->timers_behind = ran >= world->timer_budget;
    oracle_round(world);
    if (++world->rounds % WORKER_SOUND_ROUNDS == 0)
        (void)store_sound(&world->store, NULL);
    if (world->mail && !admission_safe(&world->store.admission))
        world_fail(world, "what was granted is not safe: no order in which all can end");
    world->latest_round_ns = world->now_ns;
    memset(&world->round, 0, sizeof(world->round));
    if (world->queue_count > 0 || world->timers_behind)
        worker_poll_soon(world);
}

void worker_poll_soon(struct world *world)
{
    int64_t at_ns = world->now_ns + random_between(&world->random, 0, 20000);

    if (world->poll_pending)
        return;
    world->poll_pending = true;
    if (at_ns < world->stall_until_ns)
        at_ns = world->stall_until_ns;
    events_add(&world->events, at_ns, EVENT_POLL, 0, NULL);
}

void worker_receive(struct world *world, struct frame *frame)
{
    if (world->queue_count == world->queue_size) {
        world->frames_lost++;
        free(frame);
        return;
    }
    world->queue[(world->queue_head + world->queue_count) % world->queue_size] = frame;
    world->queue_count++;
    worker_poll_soon(world);
}

void worker_poll(struct world *world)
{
    world->poll_pending = false;
    for (unsigned i = 0; i < WORKER_BURST && world->queue_count > 0 && !world->failed; i++) {
        struct frame *frame = world->queue[world->queue_head];

        world->queue_head = (world->queue_head + 1) % world->queue_size;
        world->queue_count--;
        (void)worker_give(world, frame);
        free(frame);
    }
    worker_finish_round(world);
}

void worker_tick(struct world *world)
{
    int64_t next_ns = world->now_ns + world->tick_ns;

    worker_finish_round(world);
    if (world_faulty(world) && random_chance(&world->random, world->stalls)) {
        next_ns += random_size(&world->random, WORLD_MS, 2 * WORLD_SECOND);
        world->stall_until_ns = next_ns;
    }
    events_add(&world->events, next_ns, EVENT_TICK, 0, NULL);
}
