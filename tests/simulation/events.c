#include "events.h"

#include <stdlib.h>

#include "platform/check.h"

static bool event_before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void events_swap(struct events *events, size_t i, size_t j)
{
    struct event kept = events->heap[i];

    events->heap[i] = events->heap[j];
    events->heap[j] = kept;
}

void events_add(struct events *events, int64_t at_ns, enum event_kind kind, uint32_t subject,
                struct frame *frame)
{
    size_t i = events->count;

    if (events->count == events->capacity) {
        events->capacity = events->capacity > 0 ? 2 * events->capacity : 256;
        events->heap = realloc(events->heap, events->capacity * sizeof(*events->heap));
        CHECK(events->heap != NULL);
    }
    events->heap[i] = (struct event){at_ns, events->announced++, kind, subject, frame};
    events->count++;
    while (i > 0 && event_before(&events->heap[i], &events->heap[(i - 1) / 2])) {
        events_swap(events, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

bool events_take(struct events *events, struct event *event)
{
    size_t i = 0;

    if (events->count == 0)
        return false;
    *event = events->heap[0];
    events->heap[0] = events->heap[--events->count];
    for (;;) {
        size_t first = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < events->count; child++) {
            if (event_before(&events->heap[child], &events->heap[first]))
                first = child;
        }
        if (first == i)
            return true;
        events_swap(events, i, first);
        i = first;
    }
}

void events_fini(struct events *events)
{
    for (size_t i = 0; i < events->count; i++)
        free(events->heap[i].frame);
    free(events->heap);
    *events = (struct events){0};
}
