/* Stands between the endpoint and the application above it: every call is checked against what the
 * contract of dataplane/tcp/tcp.h says, and every reply byte is remembered. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/tcp/connection.h"
#include "platform/check.h"
#include "world.h"

static struct world *application_world;

enum status __real_tcp_send(struct tcp_connection *c, const void *bytes, size_t length);
enum status __wrap_tcp_send(struct tcp_connection *c, const void *bytes, size_t length);
void __real_tcp_close(struct tcp_connection *c);
void __wrap_tcp_close(struct tcp_connection *c);
void __real_tcp_abort(struct tcp_connection *c);
void __wrap_tcp_abort(struct tcp_connection *c);

/* The linker puts these in the way (--wrap), so that the SMTP server's replies are seen as well. */
enum status __wrap_tcp_send(struct tcp_connection *c, const void *bytes, size_t length)
{
    struct exchange *x = oracle_exchange(application_world, c);
    uint32_t space = tcp_send_space(c);
    enum status status = __real_tcp_send(c, bytes, length);

    world_trace(x->world, "#%u tcp_send %zu: %d", x->index, length, (int)status);
    x->world->round.calls++;
    if (status == STATUS_OK) {
        if (length > space)
            world_fail(x->world, "#%u tcp_send took %zu bytes where %u had room", x->index, length,
                       space);
        if (x->reply_count + (int64_t)length > x->reply_capacity) {
            x->reply_capacity = 2 * (x->reply_count + (int64_t)length);
            x->replies = realloc(x->replies, (size_t)x->reply_capacity);
            CHECK(x->replies != NULL);
        }
        memcpy(x->replies + x->reply_count, bytes, length);
        x->reply_count += (int64_t)length;
    } else if (status == STATUS_NO_SPACE && length <= space && c->send_window > 0 &&
               block_available(&x->world->store, BLOCK_FOR_REPLY) > 0 &&
               block_available(&x->world->store, BLOCK_FOR_PIECES) > 0) {
        world_fail(x->world, "#%u tcp_send refused %zu bytes though %u have room", x->index, length,
                   space);
    }
    return status;
}

void __wrap_tcp_close(struct tcp_connection *c)
{
    struct exchange *x = oracle_exchange(application_world, c);

    world_trace(x->world, "#%u tcp_close", x->index);
    x->world->round.calls++;
    if (!x->closed)
        x->closed_ns = x->world->now_ns;
    x->closed = true;
    __real_tcp_close(c);
}

void __wrap_tcp_abort(struct tcp_connection *c)
{
    struct exchange *x = oracle_exchange(application_world, c);

    world_trace(x->world, "#%u tcp_abort", x->index);
    x->world->round.calls++;
    x->aborted = true;
    __real_tcp_abort(c);
}

/* Whose connection this is, by the sequence number its handshake began with. */
static struct exchange *application_find(struct world *world, const struct tcp_connection *c)
{
    uint32_t tuple = (uint16_t)(c->key.remote_port - world->port_base);

    for (uint32_t i = 0; i < world->exchange_count; i++) {
        struct exchange *x = &world->exchanges[i];

        if (x->peer.plan.tuple == tuple && x->peer.state != PEER_WAITING &&
            x->peer.iss + 1 == c->receive_next)
            return x;
    }
    return NULL;
}

/* A SYN cookie proves the same thing as long as it lasts: a segment that comes late may open again
 * what has ended. The sender's host will refuse it. */
static void application_reopened(struct exchange *x)
{
    if (region_cell(&x->world->counters->value[COUNTER_SYN_COOKIES_GOOD]) == 0)
        world_fail(x->world, "#%u opened twice", x->index);
    x->clean = false;
    x->finished = false;
    x->aborted = false;
    x->closed = false;
    x->ended = false;
    x->reply_count = 0;
    x->acked = 0;
    x->has_edge = false;
    x->has_timestamp = false;
    x->unacknowledged_ns = 0;
    x->recorder.read = 0;
    x->recorder.refused = false;
    x->recorder.nothing_until_ns = 0;
    if (x->peer.plan.two_versions)
        memset(x->peer.held, 0, (size_t)x->peer.plan.total);
}

static void application_opened(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct world *world = context;
    struct exchange *x = application_find(world, c);

    world->round.calls++;
    if (x == NULL || x->open) {
        world_fail(world, "a connection opened that no sender has made");
        return;
    }
    if (!x->peer.syn_ack_seen)
        world_fail(world, "#%u opened before the sender knew our sequence number", x->index);
    world_trace(world, "#%u opened", x->index);
    world->connection_exchange[c->index] = x->index;
    x->handle = tcp_handle(c);
    if (x->opened)
        application_reopened(x);
    x->opened = true;
    x->open = true;
    if (tcp_find(&world->endpoint, x->handle) != c)
        world_fail(world, "#%u its handle does not find it", x->index);
    world->application.opened(world->application.context, c, now_ns);
}

static struct exchange *application_check(struct world *world, struct tcp_connection *c,
                                          const char *call)
{
    struct exchange *x = oracle_exchange(world, c);

    world->round.calls++;
    world_trace(world, "#%u %s", x->index, call);
    if (!x->open)
        world_fail(world, "#%u %s for a connection that is not open", x->index, call);
    return x;
}

static void application_readable(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct world *world = context;
    struct exchange *x = application_check(world, c, "readable");

    if (x->closed)
        world_fail(world, "#%u readable after tcp_close()", x->index);
    world->application.readable(world->application.context, c, now_ns);
}

static void application_writable(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct world *world = context;
    struct exchange *x = application_check(world, c, "writable");

    if (x->closed)
        world_fail(world, "#%u writable after tcp_close()", x->index);
    world->application.writable(world->application.context, c, now_ns);
}

static void application_finished(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct world *world = context;
    struct exchange *x = application_check(world, c, "finished");

    if (x->finished || x->closed)
        world_fail(world, "#%u finished, for the second time or after tcp_close()", x->index);
    x->finished = true;
    if (!x->peer.fin_arrived)
        world_fail(world, "#%u finished before its FIN has come", x->index);
    world->application.finished(world->application.context, c, now_ns);
}

static void application_expired(void *context, struct tcp_connection *c, int64_t now_ns)
{
    struct world *world = context;

    (void)application_check(world, c, "expired");
    world->application.expired(world->application.context, c, now_ns);
}

static void application_closed(void *context, struct tcp_connection *c,
                               enum tcp_close_reason reason, int64_t now_ns)
{
    static const char *const texts[] = {"normal", "reset", "timeout", "aborted", "evicted"};
    struct world *world = context;
    struct exchange *x = application_check(world, c, "closed");

    world_trace(world, "#%u closed: %s", x->index, texts[reason]);
    world->application.closed(world->application.context, c, reason, now_ns);
    x->open = false;
    x->ended = true;
    x->reason = reason;
    if (reason == TCP_CLOSED_ABORTED && !x->aborted)
        world_fail(world, "#%u aborted, but not by its application", x->index);
    if (reason == TCP_CLOSED_NORMAL && (!x->closed || !x->peer.fin_arrived))
        world_fail(world, "#%u closed normally before both sides were finished", x->index);
}

void application_install(struct world *world, const struct tcp_application *application)
{
    application_world = world;
    world->application = *application;
    world->watched = (struct tcp_application){
        .context = world,
        .session_bytes = world->application.session_bytes,
        .opened = application_opened,
        .readable = application_readable,
        .writable = application_writable,
        .finished = application_finished,
        .expired = application_expired,
        .closed = application_closed,
    };
}
