/* events.h: what is going to happen, in order of virtual time (a binary heap). Two events of the
 * same moment happen in the order they were announced, so nothing depends on the heap's layout. */
#ifndef TESTS_SIMULATION_EVENTS_H
#define TESTS_SIMULATION_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;

enum event_kind {
    EVENT_START,     /* an exchange begins */
    EVENT_AT_SERVER, /* a frame reaches our port */
    EVENT_AT_PEER,   /* a frame reaches the sender's host */
    EVENT_POLL,      /* the worker looks at its queue */
    EVENT_TICK,      /* the worker's idle round */
    EVENT_PEER,      /* a timer of a sender */
    EVENT_APPLICATION,
    EVENT_ATTACK,
    EVENT_ANSWER, /* a message's verdict is due */
};

struct event {
    int64_t at_ns;
    uint64_t order;
    enum event_kind kind;
    uint32_t subject; /* index of an exchange, or of a message */
    struct frame *frame;
};

struct events {
    struct event *heap;
    size_t count;
    size_t capacity;
    uint64_t announced;
};

void events_add(struct events *events, int64_t at_ns, enum event_kind kind, uint32_t subject,
                struct frame *frame);
/* Takes the next one; false when there is none. */
bool events_take(struct events *events, struct event *event);
/* Frees all memory, frames of events that never happened included. */
void events_fini(struct events *events);

#endif
