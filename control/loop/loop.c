#include "control/loop/loop.h"

#include "platform/check.h"
#include "platform/clock.h"

static int64_t loop_monotonic(void *context)
{
    (void)context;
    return clock_monotonic_ns();
}

int64_t loop_now_ns(const struct loop *loop)
{
    return loop->clock(loop->clock_context);
}

static void loop_arm(struct loop *loop, int64_t now_ns)
{
    int64_t next_ns = timers_next_ns(&loop->timers);
    int64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
    struct timeval wait = {.tv_sec = wait_ns / CLOCK_NS_PER_SECOND,
                           .tv_usec = wait_ns % CLOCK_NS_PER_SECOND / CLOCK_NS_PER_US};

    if (next_ns >= loop->alarm_ns)
        return; /* rings early enough; too early costs a look */
    loop->alarm_ns = next_ns;
    (void)event_add(loop->alarm, &wait);
}

void loop_run_due(struct loop *loop, int64_t now_ns)
{
    timers_run(&loop->timers, now_ns);
    loop->alarm_ns = TIMER_NEVER_NS;
    (void)event_del(loop->alarm);
    loop_arm(loop, now_ns);
}

static void loop_alarm(evutil_socket_t fd, short events, void *context)
{
    struct loop *loop = context;

    (void)fd;
    (void)events;
    loop_run_due(loop, loop_now_ns(loop));
}

enum status loop_open(struct loop *loop, loop_clock clock, void *context)
{
    struct event_config *settings = event_config_new();

    *loop = (struct loop){.clock = clock != NULL ? clock : loop_monotonic,
                          .clock_context = context,
                          .alarm_ns = TIMER_NEVER_NS};
    if (settings == NULL)
        return STATUS_NO_MEMORY;
    /* The rings are polled in fractions of a millisecond. */
    (void)event_config_set_flag(settings, EVENT_BASE_FLAG_PRECISE_TIMER);
    loop->base = event_base_new_with_config(settings);
    event_config_free(settings);
    if (loop->base != NULL)
        loop->alarm = evtimer_new(loop->base, loop_alarm, loop);
    if (loop->alarm != NULL)
        return STATUS_OK;
    loop_close(loop);
    return STATUS_NO_MEMORY;
}

void loop_close(struct loop *loop)
{
    if (loop->base == NULL)
        return;
    (void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
    CHECK(loop->timers.root == NULL);
    if (loop->alarm != NULL)
        event_free(loop->alarm);
    event_base_free(loop->base);
    *loop = (struct loop){0};
}

void loop_set(struct loop *loop, struct timer *timer, int64_t due_ns, int64_t now_ns)
{
    timers_set(&loop->timers, timer, due_ns);
    loop_arm(loop, now_ns);
}

void loop_clear(struct loop *loop, struct timer *timer)
{
    timers_clear(&loop->timers, timer);
}
