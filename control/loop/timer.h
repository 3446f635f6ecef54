/* timer.h: many deadlines, the next one at hand: a pairing heap of timers that lie in what they
 * are timers of.
 *
 * Reads no clock and knows no event loop: whoever runs it says what time it is, so that five days
 * pass in a test in no time. loop.h runs it in control.
 *
 * Setting and clearing take O(log n), amortised; the next deadline O(1). No memory of its own:
 * setting a timer cannot fail.
 *
 * Threads: one. A timer must be cleared before its memory goes.
 */
#ifndef CONTROL_LOOP_TIMER_H
#define CONTROL_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_NEVER_NS INT64_MAX

typedef void (*timer_expired)(void *context, int64_t now_ns);

struct timer {
    timer_expired expired;
    void *context;
    int64_t due_ns;
    uint64_t order; /* of setting: of two that are due at once the first set is first */
    bool set;
    struct timer *child;
    struct timer *next;     /* sibling */
    struct timer *previous; /* sibling before, or parent of a first child; null: the root */
};

struct timers {
    struct timer *root;
    uint64_t order;
};

/* Not set yet. */
void timer_init(struct timer *timer, timer_expired expired, void *context);

/* Calls once, at `due_ns` or as soon after it as somebody looks; a timer that is set is moved. */
void timers_set(struct timers *timers, struct timer *timer, int64_t due_ns);

/* Clearing what is not set is allowed. */
void timers_clear(struct timers *timers, struct timer *timer);

/* When the next one is due; TIMER_NEVER_NS when none is set. */
int64_t timers_next_ns(const struct timers *timers);

/* Calls all that are due at `now_ns`, in order. What they set meanwhile waits for the next call,
 * due or not, so that it ends. */
void timers_run(struct timers *timers, int64_t now_ns);

#endif
