/* A two-level timing wheel. Level 0 holds the next TCP_WHEEL_SLOTS ticks (about a second), level 1
 * the next TCP_WHEEL_SLOTS^2 (about 4.6 minutes); what lies beyond waits in level 1's last slot and
 * is put back from there. A connection has one entry, at its earliest deadline; a deadline that
 * moves away is not chased: the entry fires, finds nothing due, and is put where it belongs. */
#include "dataplane/tcp/connection.h"

#include "platform/check.h"

static uint64_t wheel_tick(int64_t ns)
{
    /* Rounded up, so that no timer fires before its time. */
    return ((uint64_t)ns + (UINT64_C(1) << TCP_TICK_SHIFT) - 1) >> TCP_TICK_SHIFT;
}

void tcp_wheel_remove(struct tcp_connection *connection)
{
    struct tcp_endpoint *endpoint = connection->endpoint;
    uint32_t slot = connection->wheel_slot;

    if (slot == TCP_NONE)
        return;
    if (connection->wheel_previous != TCP_NONE)
        tcp_at(endpoint, connection->wheel_previous)->wheel_next = connection->wheel_next;
    else
        endpoint->wheel[slot / TCP_WHEEL_SLOTS][slot % TCP_WHEEL_SLOTS] = connection->wheel_next;
    if (connection->wheel_next != TCP_NONE)
        tcp_at(endpoint, connection->wheel_next)->wheel_previous = connection->wheel_previous;
    connection->wheel_slot = TCP_NONE;
}

static void wheel_insert(struct tcp_connection *connection, int64_t deadline_ns)
{
    struct tcp_endpoint *endpoint = connection->endpoint;
    uint64_t tick = wheel_tick(deadline_ns);
    uint64_t ahead;
    uint32_t level = 0;
    uint32_t slot;
    uint32_t *head;

    if (tick <= endpoint->tick)
        tick = endpoint->tick + 1;
    ahead = tick - endpoint->tick;
    if (ahead < TCP_WHEEL_SLOTS) {
        slot = (uint32_t)(tick % TCP_WHEEL_SLOTS);
    } else {
        uint64_t limit = (uint64_t)TCP_WHEEL_SLOTS * (TCP_WHEEL_SLOTS - 1);

        if (ahead > limit)
            tick = endpoint->tick + limit;
        level = 1;
        slot = (uint32_t)(tick >> TCP_WHEEL_BITS) % TCP_WHEEL_SLOTS;
    }
    head = &endpoint->wheel[level][slot];
    connection->wheel_slot = level * TCP_WHEEL_SLOTS + slot;
    connection->wheel_previous = TCP_NONE;
    connection->wheel_next = *head;
    if (*head != TCP_NONE)
        tcp_at(endpoint, *head)->wheel_previous = connection->index;
    *head = connection->index;
    connection->armed_ns = deadline_ns;
}

void tcp_timer_set(struct tcp_connection *connection, enum tcp_timer timer, int64_t deadline_ns)
{
    connection->deadline_ns[timer] = deadline_ns;
    if (connection->wheel_slot != TCP_NONE && connection->armed_ns <= deadline_ns)
        return;
    tcp_wheel_remove(connection);
    wheel_insert(connection, deadline_ns);
}

void tcp_timer_clear(struct tcp_connection *connection, enum tcp_timer timer)
{
    connection->deadline_ns[timer] = 0;
}

static void timer_state(struct tcp_connection *connection)
{
    tcp_kill(connection,
             connection->state == TCP_STATE_TIME_WAIT ? TCP_CLOSED_NORMAL : TCP_CLOSED_TIMEOUT);
}

static void timer_run(struct tcp_connection *connection, enum tcp_timer timer, int64_t now_ns)
{
    const struct tcp_application *application = tcp_above(connection);

    switch (timer) {
    case TCP_TIMER_RETRANSMIT:
        tcp_retransmit_expired(connection, now_ns);
        break;
    case TCP_TIMER_ACK:
        connection->ack_now = true;
        tcp_mark_dirty(connection);
        break;
    case TCP_TIMER_STATE:
        timer_state(connection);
        break;
    case TCP_TIMER_WINDOW:
        tcp_mark_dirty(connection);
        if (connection->send_refused && connection->opened) {
            connection->send_refused = false;
            application->writable(application->context, connection, now_ns);
        }
        break;
    case TCP_TIMER_APPLICATION:
        if (connection->opened)
            application->expired(application->context, connection, now_ns);
        tcp_holder_update(connection);
        break;
    case TCP_TIMER_COUNT:
        break;
    }
}

/* Runs what is due of one connection and puts it back at its next deadline. */
static void timer_fire(struct tcp_connection *connection, int64_t now_ns)
{
    int64_t next = 0;

    for (int i = 0; i < TCP_TIMER_COUNT && !connection->dying; i++) {
        if (connection->deadline_ns[i] == 0 || connection->deadline_ns[i] > now_ns)
            continue;
        connection->deadline_ns[i] = 0;
        timer_run(connection, (enum tcp_timer)i, now_ns);
    }
    if (connection->dying) {
        tcp_settle(connection, now_ns);
        return;
    }
    for (int i = 0; i < TCP_TIMER_COUNT; i++) {
        int64_t deadline = connection->deadline_ns[i];

        if (deadline != 0 && (next == 0 || deadline < next))
            next = deadline;
    }
    if (next != 0 && (connection->wheel_slot == TCP_NONE || connection->armed_ns > next)) {
        tcp_wheel_remove(connection);
        wheel_insert(connection, next);
    }
}

/* Level 1's slot for the stretch that has begun is dealt out over level 0. False when the budget
 * ends before that: nothing of this stretch may run until it is done. */
static bool wheel_cascade(struct tcp_endpoint *endpoint, unsigned budget, unsigned *ran)
{
    uint32_t *head =
        &endpoint->wheel[1][(uint32_t)(endpoint->tick >> TCP_WHEEL_BITS) % TCP_WHEEL_SLOTS];

    while (*head != TCP_NONE) {
        struct tcp_connection *c = tcp_at(endpoint, *head);

        if (*ran >= budget)
            return false;
        *ran += 1;
        tcp_wheel_remove(c);
        wheel_insert(c, c->armed_ns);
    }
    return true;
}

/* What commands were lent is wanted back. */
static void timers_overdrawn(struct tcp_endpoint *endpoint)
{
    for (unsigned i = 0; i < TCP_EVICTIONS_A_TICK && block_overdrawn(endpoint->store); i++) {
        if (!tcp_evict_holder(endpoint, NULL))
            return;
    }
}

unsigned tcp_timers(struct tcp_endpoint *endpoint, int64_t now_ns, unsigned budget)
{
    uint64_t until = (uint64_t)now_ns >> TCP_TICK_SHIFT;
    unsigned ran = 0;

    endpoint->now_ns = now_ns;
    if (endpoint->tick != until) {
        tcp_silent_look(endpoint);
        timers_overdrawn(endpoint);
    }
    ran += tcp_handshake_timers(endpoint, now_ns);
    for (;;) {
        uint32_t *head = &endpoint->wheel[0][endpoint->tick % TCP_WHEEL_SLOTS];

        /* Nothing is ever put into the slot of the stretch under way, so that this is a look at an
         * empty list but for the first tick of a stretch. */
        if (!wheel_cascade(endpoint, budget, &ran))
            return ran;
        while (*head != TCP_NONE) {
            struct tcp_connection *c = tcp_at(endpoint, *head);

            if (ran >= budget)
                return ran;
            ran++;
            tcp_wheel_remove(c);
            timer_fire(c, now_ns);
        }
        if (endpoint->tick >= until)
            return ran;
        endpoint->tick++;
    }
}
