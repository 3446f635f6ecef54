/* pace.h: how fast a message comes of late.
 *
 * Not since it began: who sent megabytes at once and then stopped is slow, however good it looks on
 * the whole, and who has been at it for long is not slow for that. Two marks, at least
 * PACE_WINDOW_NS apart, say how much there was then; the rate is that since the younger one, if it
 * is old enough, else since the elder. A mark costs a comparison for each arrival of bytes.
 *
 * Threads: the owning worker. Memory: in struct message. Hot path; time is passed in.
 */
#ifndef DATAPLANE_MESSAGE_PACE_H
#define DATAPLANE_MESSAGE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/clock.h"

#define PACE_WINDOW_NS (10 * CLOCK_NS_PER_SECOND)

struct message_pace {
    int64_t elder_ns;
    int64_t younger_ns;
    uint32_t elder; /* bytes at that time */
    uint32_t younger;
};

/* From now on: nobody is slow for what was before. */
static inline void pace_begin(struct message_pace *pace, uint32_t bytes, int64_t now_ns)
{
    *pace = (struct message_pace){now_ns, now_ns, bytes, bytes};
}

/* There are `bytes` now. */
static inline void pace_note(struct message_pace *pace, uint32_t bytes, int64_t now_ns)
{
    if (now_ns - pace->younger_ns < PACE_WINDOW_NS)
        return;
    pace->elder_ns = pace->younger_ns;
    pace->elder = pace->younger;
    pace->younger_ns = now_ns;
    pace->younger = bytes;
}

/* Bytes a second of late; UINT64_MAX when it is too early to say. */
static inline uint64_t pace_rate(const struct message_pace *pace, uint32_t bytes, int64_t now_ns)
{
    bool younger = now_ns - pace->younger_ns >= PACE_WINDOW_NS;
    int64_t age_ns = now_ns - (younger ? pace->younger_ns : pace->elder_ns);

    if (age_ns < PACE_WINDOW_NS)
        return UINT64_MAX;
    return (uint64_t)(bytes - (younger ? pace->younger : pace->elder)) * CLOCK_NS_PER_SECOND /
           (uint64_t)age_ns;
}

#endif
