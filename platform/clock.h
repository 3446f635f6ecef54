/* clock.h: the two clocks. Packet code never reads one: it is given `now_ns`.
 *
 * clock_monotonic_ns(): for every interval and deadline. vDSO, no system call.
 * clock_wall_ns(): for dates that people or headers see. Nanoseconds since 1970-01-01 UTC.
 */
#ifndef PLATFORM_CLOCK_H
#define PLATFORM_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_SECOND INT64_C(1000000000)
#define CLOCK_NS_PER_MS     INT64_C(1000000)
#define CLOCK_NS_PER_US     INT64_C(1000)

static inline int64_t clock_read_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * CLOCK_NS_PER_SECOND + t.tv_nsec;
}

static inline int64_t clock_monotonic_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

static inline int64_t clock_wall_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME);
}

#endif
