/* loop.h: control's event loop: the one place where it reads the clock, and its timers.
 *
 * Whatever libevent calls is at the loop's edge: it reads the time once, loop_now_ns(), and passes
 * it down as now_ns. Timers are kept apart from libevent (timer.h), which is told of the next one
 * only; a test gives the loop a clock of its own and moves the timers on with loop_run_due().
 *
 * Threads: control's. Memory: loop_close(); everything that uses the loop is closed before.
 */
#ifndef CONTROL_LOOP_LOOP_H
#define CONTROL_LOOP_LOOP_H

#include <event2/event.h>

#include "control/loop/timer.h"
#include "platform/status.h"

/* Nanoseconds on a clock that never goes back. */
typedef int64_t (*loop_clock)(void *context);

struct loop {
    struct event_base *base;
    struct timers timers;
    struct event *alarm;
    int64_t alarm_ns; /* when it rings; TIMER_NEVER_NS: not set */
    loop_clock clock;
    void *clock_context;
};

/* `clock` null: CLOCK_MONOTONIC. STATUS_NO_MEMORY. */
enum status loop_open(struct loop *loop, loop_clock clock, void *context) STATUS_CHECKED;

/* Runs what is ready, so that cancelled look-ups and closed streams are released, and lets go. A
 * zeroed loop is allowed. */
void loop_close(struct loop *loop);

/* For the edge: what libevent calls reads it once. */
int64_t loop_now_ns(const struct loop *loop);

/* As timers_set(), timers_clear(). */
void loop_set(struct loop *loop, struct timer *timer, int64_t due_ns, int64_t now_ns);
void loop_clear(struct loop *loop, struct timer *timer);

/* Runs the timers that are due at `now_ns` and sees to the next one. */
void loop_run_due(struct loop *loop, int64_t now_ns);

#endif
