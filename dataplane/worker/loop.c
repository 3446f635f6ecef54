/* The worker's loop: receive a burst, process it, look after time, send, free. */
#include <time.h>

#include <rte_pause.h>
#include <sys/prctl.h>

#include "dataplane/counting.h"
#include "dataplane/worker/worker.h"
#include "platform/clock.h"

#define LOOP_ANNOUNCEMENTS    3u
#define LOOP_ANNOUNCE_NS      CLOCK_NS_PER_SECOND
#define LOOP_TIMERS_PER_ROUND 64u
#define LOOP_HOUSEKEEPING_NS  (20 * CLOCK_NS_PER_MS)
#define LOOP_LINGER_NS        (2 * CLOCK_NS_PER_SECOND)
/* Adaptive idle: rounds without work before a nap, and how long naps grow. They are short when work
 * was seen lately, so that latency stays in the tens of microseconds; an answer that is not there
 * after some milliseconds is a long scan's or a far server's, and a quarter of a millisecond more
 * is nothing to it.
 */
#define LOOP_SPIN_ROUNDS  64u
#define LOOP_SHORT_NAPS   200u
#define LOOP_SHORT_NAP_NS (20 * CLOCK_NS_PER_US)
#define LOOP_LONG_NAP_NS  (250 * CLOCK_NS_PER_US)

static void loop_nap(struct worker *worker)
{
    struct timespec nap = {0, LOOP_SHORT_NAP_NS};

    worker->idle_rounds++;
    if (worker->poll || worker->idle_rounds < LOOP_SPIN_ROUNDS) {
        rte_pause();
        return;
    }
    if (worker->idle_rounds > LOOP_SPIN_ROUNDS + LOOP_SHORT_NAPS) {
        worker->idle_rounds = LOOP_SPIN_ROUNDS + LOOP_SHORT_NAPS;
        nap.tv_nsec = LOOP_LONG_NAP_NS;
    }
    clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
}

/* An inspection under way begins anew with the next one: nothing of the old one is kept. */
static void loop_switch_prefilter(struct worker *worker)
{
    const struct worker_prefilter *next =
        atomic_load_explicit(&worker->orders->prefilter, memory_order_acquire);

    if (next == worker->prefilter)
        return;
    handover_use_prefilter(&worker->handover, next == NULL ? NULL : next->inspectors[worker->index],
                           worker->orders->cache, next == NULL ? NULL : &next->expected);
    worker->prefilter = next;
    atomic_store_explicit(&worker->prefilter_seen, next == NULL ? 0 : next->generation,
                          memory_order_release);
}

static void loop_count_served(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    (void)connection;
    (void)now_ns;
    ++*(unsigned *)context;
}

/* Drained is when nobody is being served any more, and those who were sent away have had a moment
 * to acknowledge it; a peer that never closes its half is not waited for. */
static void loop_drain(struct worker *worker, int64_t now_ns)
{
    unsigned served = 0;

    if (!atomic_load_explicit(&worker->orders->drain, memory_order_relaxed))
        return;
    smtp_server_drain(&worker->smtp, now_ns);
    tcp_each(&worker->endpoint, loop_count_served, &served, now_ns);
    if (served > 0 || handover_pending(&worker->handover) > 0) {
        worker->quiet_since_ns = 0;
        return;
    }
    if (worker->quiet_since_ns == 0)
        worker->quiet_since_ns = now_ns;
    if (now_ns - worker->quiet_since_ns >= LOOP_LINGER_NS ||
        worker->endpoint.connection_count == worker->endpoint.time_wait.count)
        atomic_store_explicit(&worker->drained, true, memory_order_relaxed);
}

/* Some times, since the first may find the link not yet up, or be lost. */
static void loop_announce(struct worker *worker, int64_t now_ns)
{
    if (worker->index != 0 || worker->announced == LOOP_ANNOUNCEMENTS ||
        now_ns < worker->announce_ns)
        return;
    worker->announced++;
    worker->announce_ns = now_ns + LOOP_ANNOUNCE_NS;
    for (uint32_t i = 0; i < worker->transmit.port_count; i++)
        ip_announce(&worker->ip, (uint16_t)i);
}

static void loop_housekeeping(struct worker *worker, int64_t now_ns)
{
    worker->housekeeping_ns = now_ns + LOOP_HOUSEKEEPING_NS;
    worker->handover.wall_offset_ns = clock_wall_ns() - now_ns;
    count_set(worker->counters, COUNTER_TIME_WAIT, worker->endpoint.time_wait.count);
    count_set(worker->counters, COUNTER_BLOCKS_FREE, worker->store.free_count);
    count_set(worker->counters, COUNTER_MESSAGES_IN_PROGRESS,
              worker->store.slot_count - worker->store.free_slot_count);
    worker->counting.news = true;
    loop_announce(worker, now_ns);
    worker_follow_settings(worker);
    loop_switch_prefilter(worker);
    loop_drain(worker, now_ns);
}

int worker_run(void *argument)
{
    struct worker *worker = argument;

    /* Naps of 20 us would otherwise take 70. */
    (void)prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    while (!atomic_load_explicit(&worker->orders->stop, memory_order_relaxed)) {
        int64_t now_ns = clock_monotonic_ns();
        unsigned did = receive_burst(worker, now_ns);

        did += handover_poll(&worker->handover, now_ns);
        did += tcp_timers(&worker->endpoint, now_ns, LOOP_TIMERS_PER_ROUND);
        did += tcp_flush(&worker->endpoint, now_ns);
        did += transmit_flush(worker);
        if (worker->index == 0) {
            did += transmit_from_kernel(worker);
            did += transmit_for_others(worker);
        }
        if (now_ns >= worker->housekeeping_ns)
            loop_housekeeping(worker, now_ns);
        counting_round(&worker->counting, did > 0, now_ns);
        if (did == 0)
            loop_nap(worker);
        else
            worker->idle_rounds = 0;
    }
    counting_publish(&worker->counting, clock_monotonic_ns());
    return 0;
}
