/* The application of the recording mode: reads, compares, answers, switches what it expects, and
 * closes, all at moments and in sizes of chance. */
#include <string.h>

#include "dataplane/tcp/connection.h"
#include "world.h"

#define RECORDER_NOTHING_NS (2 * WORLD_SECOND)

static int64_t recorder_pause(struct exchange *x, int64_t most_ns)
{
    return x->world->now_ns + random_size(&x->world->random, 1000, most_ns);
}

/* Looks at `length` unread bytes in pieces; what is seen twice must be the same twice. */
static void recorder_look(struct exchange *x, struct tcp_connection *c, uint32_t length)
{
    struct block_span span;
    uint32_t at = 0;

    while (at < length && !x->world->failed) {
        if (!tcp_peek(c, at, &span) || span.length == 0) {
            world_fail(x->world, "#%u tcp_peek(%u) shows nothing of %u bytes", x->index, at,
                       length);
            return;
        }
        if (span.length > length - at)
            span.length = length - at;
        oracle_delivered(x, x->recorder.read + at, span.bytes, span.length);
        at += span.length;
    }
}

static void recorder_take(struct exchange *x, struct tcp_connection *c, uint32_t length)
{
    recorder_look(x, c, length);
    tcp_consume(c, length);
    x->recorder.read += length;
    x->world->bytes_delivered += length;
}

static void recorder_read(struct exchange *x, struct tcp_connection *c)
{
    struct recorder *recorder = &x->recorder;
    struct random *random = &x->world->random;
    uint32_t readable = tcp_readable(c);
    uint32_t piece = readable;

    if (readable == 0 || x->world->now_ns < recorder->next_read_ns)
        return;
    if (random_chance(random, 300))
        recorder_look(x, c, readable);
    if (recorder->reading == READ_SLOWLY) {
        piece = (uint32_t)random_between(random, 1 + recorder->read_max / 8, recorder->read_max);
        recorder->next_read_ns = recorder_pause(x, recorder->read_gap_ns);
    } else if (recorder->reading == READ_IN_FITS) {
        recorder->next_read_ns = recorder_pause(x, recorder->read_gap_ns);
    }
    recorder_take(x, c, piece < readable ? piece : readable);
}

static void recorder_reply(struct exchange *x, struct tcp_connection *c)
{
    struct recorder *recorder = &x->recorder;
    struct random *random = &x->world->random;
    uint8_t bytes[TCP_SEND_BYTES];

    while (!recorder->refused && x->reply_count < recorder->reply_total &&
           x->world->now_ns >= recorder->next_reply_ns && !x->world->failed) {
        int64_t length = random_between(random, 1 + recorder->reply_max / 8, recorder->reply_max);

        if (length > recorder->reply_total - x->reply_count)
            length = recorder->reply_total - x->reply_count;
        random_fill(random, bytes, (size_t)length);
        if (tcp_send(c, bytes, (size_t)length) != STATUS_OK) {
            recorder->refused = true;
            return;
        }
        if (!random_chance(random, 3000))
            recorder->next_reply_ns = recorder_pause(x, recorder->reply_gap_ns);
    }
}

static void recorder_switch(struct exchange *x, struct tcp_connection *c)
{
    struct recorder *recorder = &x->recorder;
    enum tcp_expect expect = (enum tcp_expect)random_below(&x->world->random, 3);

    if (recorder->nothing_until_ns != 0) {
        if (x->world->now_ns < recorder->nothing_until_ns)
            return;
        recorder->nothing_until_ns = 0;
        expect = (enum tcp_expect)random_below(&x->world->random, 2);
    } else if (!random_chance(&x->world->random, recorder->switching)) {
        return;
    }
    world_trace(x->world, "#%u expects %d", x->index, (int)expect);
    if (!tcp_expect(c, expect)) {
        if (expect != TCP_EXPECT_DATA)
            world_fail(x->world, "#%u tcp_expect(%d) refused", x->index, (int)expect);
        expect = TCP_EXPECT_COMMANDS;
        (void)tcp_expect(c, expect);
    }
    if (expect == TCP_EXPECT_NOTHING)
        recorder->nothing_until_ns = recorder_pause(x, RECORDER_NOTHING_NS);
}

/* True when the connection is given up one way or the other. */
static bool recorder_close(struct exchange *x, struct tcp_connection *c)
{
    struct recorder *recorder = &x->recorder;
    bool answered = x->reply_count >= recorder->reply_total;
    bool read_all = x->finished && tcp_readable(c) == 0;

    if (recorder->closing == CLOSE_BY_ABORT && recorder->read >= recorder->close_at) {
        tcp_abort(c);
        return true;
    }
    if ((recorder->closing == CLOSE_EARLY && recorder->read >= recorder->close_at) ||
        (recorder->closing == CLOSE_WHEN_ALL_READ && answered &&
         recorder->read >= x->peer.plan.total) ||
        (read_all && answered)) {
        if (read_all && recorder->read != x->peer.written)
            world_fail(x->world, "#%u finished after %lld of %lld bytes", x->index,
                       (long long)recorder->read, (long long)x->peer.written);
        tcp_close(c);
        return true;
    }
    return false;
}

static void recorder_schedule(struct exchange *x, struct tcp_connection *c)
{
    struct recorder *recorder = &x->recorder;
    int64_t next_ns = recorder->nothing_until_ns;

    if (tcp_readable(c) > 0 && (next_ns == 0 || recorder->next_read_ns < next_ns))
        next_ns = recorder->next_read_ns;
    if (x->reply_count < recorder->reply_total && !recorder->refused &&
        (next_ns == 0 || recorder->next_reply_ns < next_ns))
        next_ns = recorder->next_reply_ns;
    if (next_ns == 0)
        return;
    if (next_ns <= x->world->now_ns)
        next_ns = x->world->now_ns + 1000;
    if (recorder->event_ns != 0 && recorder->event_ns <= next_ns)
        return;
    recorder->event_ns = next_ns;
    events_add(&x->world->events, next_ns, EVENT_APPLICATION, x->index, NULL);
}

static void recorder_set_deadline(struct exchange *x, struct tcp_connection *c)
{
    struct recorder *recorder = &x->recorder;

    recorder->deadline_ns = recorder->idle_until_ns;
    if (random_chance(&x->world->random, recorder->deadlines)) {
        int64_t sooner_ns =
            x->world->now_ns + random_size(&x->world->random, 1000, 30 * WORLD_SECOND);

        if (sooner_ns < recorder->deadline_ns)
            recorder->deadline_ns = sooner_ns;
    }
    tcp_set_deadline(c, recorder->deadline_ns);
}

/* Everything there is to do now. */
static void recorder_act(struct exchange *x, struct tcp_connection *c)
{
    recorder_switch(x, c);
    recorder_read(x, c);
    recorder_reply(x, c);
    if (x->world->failed || recorder_close(x, c))
        return;
    recorder_schedule(x, c);
}

static void recorder_progress(struct exchange *x, struct tcp_connection *c)
{
    x->recorder.idle_until_ns = x->world->now_ns + x->recorder.idle_ns;
    recorder_set_deadline(x, c);
}

static void recorder_opened(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct exchange *x = oracle_exchange(context, c);

    (void)now_ns;
    recorder_progress(x, c);
    recorder_act(x, c);
}

static void recorder_readable(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct exchange *x = oracle_exchange(context, c);

    (void)now_ns;
    recorder_progress(x, c);
    recorder_act(x, c);
}

static void recorder_writable(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct exchange *x = oracle_exchange(context, c);

    (void)now_ns;
    if (!x->recorder.refused)
        world_fail(x->world, "#%u writable though nothing was refused", x->index);
    x->recorder.refused = false;
    recorder_progress(x, c);
    recorder_act(x, c);
}

static void recorder_finished(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct exchange *x = oracle_exchange(context, c);
    struct recorder *recorder = &x->recorder;

    (void)now_ns;
    if (recorder->read + tcp_readable(c) != x->peer.written)
        world_fail(x->world, "#%u finished with %lld bytes, %lld were sent", x->index,
                   (long long)recorder->read + tcp_readable(c), (long long)x->peer.written);
    recorder_progress(x, c);
    recorder_act(x, c);
}

static void recorder_expired(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct exchange *x = oracle_exchange(context, c);
    struct recorder *recorder = &x->recorder;
    struct world *world = x->world;
    int64_t late_ns = now_ns - recorder->deadline_ns;

    if (late_ns < 0)
        world_fail(world, "#%u its deadline came %lld ns early", x->index, (long long)-late_ns);
    if (late_ns > now_ns - world->latest_round_ns + 10 * WORLD_MS && !world->timers_behind)
        world_fail(world, "#%u its deadline came %lld ns late", x->index, (long long)late_ns);
    if (now_ns < recorder->idle_until_ns) {
        recorder_set_deadline(x, c);
        recorder_act(x, c);
        return;
    }
    x->gave_up = true;
    if (random_chance(&world->random, 5000))
        tcp_abort(c);
    else
        tcp_close(c);
}

static void recorder_closed(void *context, struct tcp_connection *c, enum tcp_close_reason reason,
                            int64_t now_ns)
{
    (void)context;
    (void)c;
    (void)reason;
    (void)now_ns;
}

void recorder_event(struct exchange *x, int64_t at_ns)
{
    struct tcp_connection *c = tcp_find(&x->world->endpoint, x->handle);

    if (x->recorder.event_ns == at_ns)
        x->recorder.event_ns = 0;
    if (c == NULL || x->closed)
        return;
    x->world->round.calls++;
    recorder_act(x, c);
    worker_poll_soon(x->world);
}

void recorder_application(struct tcp_application *application, struct world *world)
{
    *application = (struct tcp_application){
        .context = world,
        .session_bytes = 64,
        .opened = recorder_opened,
        .readable = recorder_readable,
        .writable = recorder_writable,
        .finished = recorder_finished,
        .expired = recorder_expired,
        .closed = recorder_closed,
    };
}
