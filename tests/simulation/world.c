/* One run, from the seed to the verdict. */
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail.h"
#include "platform/check.h"

void world_fail(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->failed)
        return;
    world->failed = true;
    va_start(arguments, format);
    (void)vsnprintf(world->failure, sizeof(world->failure), format, arguments);
    va_end(arguments);
}

void world_trace(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (!world->trace)
        return;
    printf("%12.6f ", (double)(world->now_ns - world->start_ns) / 1e9);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

static void world_event(struct world *world, const struct event *event)
{
    struct exchange *x = &world->exchanges[event->subject];

    switch (event->kind) {
    case EVENT_START:
        peer_start(x);
        break;
    case EVENT_AT_SERVER:
        worker_receive(world, event->frame);
        break;
    case EVENT_AT_PEER:
        peer_arrival(world, event->frame);
        free(event->frame);
        break;
    case EVENT_POLL:
        worker_poll(world);
        break;
    case EVENT_TICK:
        worker_tick(world);
        break;
    case EVENT_PEER:
        peer_timer(x, event->at_ns);
        break;
    case EVENT_APPLICATION:
        recorder_event(x, event->at_ns);
        break;
    case EVENT_ATTACK:
        attack_event(world, event->subject);
        break;
    case EVENT_ANSWER:
        mail_answer(world, event->subject);
        break;
    }
}

static bool world_over(const struct world *world)
{
    if (world->done_count < world->exchange_count || world->endpoint.connection_count > 0 ||
        world->endpoint.half_open_count > 0)
        return false;
    for (uint32_t i = 0; i < world->exchange_count; i++) {
        if (world->exchanges[i].peer.state != PEER_GONE)
            return false;
    }
    return true;
}

static void world_free(struct world *world)
{
    tcp_endpoint_destroy(&world->endpoint, world->now_ns);
    if (world->mail)
        mail_fini(world);
    store_fini(&world->store);
    events_fini(&world->events);
    for (uint32_t i = 0; i < world->exchange_count; i++) {
        struct exchange *x = &world->exchanges[i];

        free(x->peer.bytes);
        free(x->peer.other_bytes);
        free(x->peer.versions);
        free(x->peer.held);
        free(x->peer.held_value);
        free(x->peer.arrived);
        free(x->peer.got);
        free(x->replies);
    }
    while (world->queue_count > 0) {
        free(world->queue[world->queue_head]);
        world->queue_head = (world->queue_head + 1) % world->queue_size;
        world->queue_count--;
    }
    free(world->queue);
    free(world->connection_exchange);
    free(world->tuples);
    free(world->exchanges);
    free(world->out);
}

static void world_print_failure(const struct world *world)
{
    printf("FAILED seed %" PRIu64 " (%s) at %.6f s: %s\n", world->seed,
           world->mail ? "mail" : "recorder", (double)(world->now_ns - world->start_ns) / 1e9,
           world->failure);
    printf("replay: simulation --%s --seed %" PRIu64 " --trace\n",
           world->mail ? "mail" : "recorder", world->seed);
    (void)fflush(stdout);
}

bool world_run(struct world *world, struct region *region, uint64_t seed, int mode, bool trace)
{
    struct event event;
    bool good;

    memset(world, 0, sizeof(*world));
    world->seed = seed;
    world->trace = trace;
    world->region = region;
    world->counters = region_counters(region, 0);
    for (int i = 0; i < COUNTER_COUNT; i++)
        world->counters->value[i] = 0;
    world->out = malloc(WIRE_FRAME_BYTES_MAX);
    CHECK(world->out != NULL);
    plan_world(world, mode);
    while (!world->failed && !world_over(world) && events_take(&world->events, &event)) {
        CHECK(event.at_ns >= world->now_ns);
        world->now_ns = event.at_ns;
        if (world->now_ns > world->end_ns) {
            free(event.frame);
            break;
        }
        world_event(world, &event);
    }
    if (!world->failed)
        oracle_end(world);
    good = !world->failed;
    if (!good)
        world_print_failure(world);
    world->failed = true; /* what follows is not part of the run */
    world_free(world);
    return good;
}
