#include "control/loop/timer.h"

#include <stddef.h>

#include "platform/check.h"

static bool timer_before(const struct timer *a, const struct timer *b)
{
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order);
}

/* Both are roots without siblings, or null. */
static struct timer *timer_meld(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (timer_before(b, a)) {
        struct timer *later = a;

        a = b;
        b = later;
    }
    b->next = a->child;
    if (b->next != NULL)
        b->next->previous = b;
    b->previous = a;
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings: in pairs from the left, then from the right. */
static struct timer *timer_meld_children(struct timer *first)
{
    struct timer *pairs = NULL; /* the last pair first */
    struct timer *root = NULL;

    while (first != NULL) {
        struct timer *second = first->next;
        struct timer *rest = second != NULL ? second->next : NULL;

        first->next = NULL;
        if (second != NULL)
            second->next = NULL;
        first = timer_meld(first, second);
        first->next = pairs;
        pairs = first;
        first = rest;
    }
    while (pairs != NULL) {
        struct timer *rest = pairs->next;

        pairs->next = NULL;
        root = timer_meld(root, pairs);
        pairs = rest;
    }
    if (root != NULL)
        root->previous = NULL;
    return root;
}

void timer_init(struct timer *timer, timer_expired expired, void *context)
{
    *timer = (struct timer){.expired = expired, .context = context};
}

void timers_clear(struct timers *timers, struct timer *timer)
{
    struct timer *children;

    if (!timer->set)
        return;
    children = timer_meld_children(timer->child);
    if (timer == timers->root) {
        CHECK(timer->previous == NULL && timer->next == NULL);
        timers->root = children;
    } else {
        CHECK(timer->previous != NULL);
        if (timer->previous->child == timer)
            timer->previous->child = timer->next;
        else
            timer->previous->next = timer->next;
        if (timer->next != NULL)
            timer->next->previous = timer->previous;
        timers->root = timer_meld(timers->root, children);
    }
    timer->child = NULL;
    timer->next = NULL;
    timer->previous = NULL;
    timer->set = false;
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due_ns)
{
    CHECK(timer->expired != NULL);
    timers_clear(timers, timer);
    timer->due_ns = due_ns;
    timer->order = ++timers->order;
    timer->set = true;
    timers->root = timer_meld(timers->root, timer);
    CHECK_SLOW(timers->root->previous == NULL && timers->root->next == NULL);
}

int64_t timers_next_ns(const struct timers *timers)
{
    return timers->root != NULL ? timers->root->due_ns : TIMER_NEVER_NS;
}

void timers_run(struct timers *timers, int64_t now_ns)
{
    uint64_t last = timers->order;

    while (timers->root != NULL && timers->root->due_ns <= now_ns && timers->root->order <= last) {
        struct timer *timer = timers->root;

        timers_clear(timers, timer);
        timer->expired(timer->context, now_ns);
    }
}
