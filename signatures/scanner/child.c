#include "signatures/scanner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/role.h"
#include "platform/why.h"
#include "signatures/scanner/jail.h"
#include "signatures/scanner/scratch.h"
#include "signatures/scanner/verdict.h"

#define CHILD_SPINS          2000    /* some 20 us without a system call */
#define CHILD_SLEEP_MIN_NS   20000   /* then sleep, */
#define CHILD_SLEEP_MAX_NS   1000000 /* at most 1 ms: what an idle scanner adds to a message */
#define CHILD_TIMER_SLACK_NS 1000
#define CHILD_GRACE_NS       (5 * CLOCK_NS_PER_SECOND)
#define CHILD_ANSWER_WAIT_MS 60000 /* for room in the result ring */

struct child {
    const struct child_setting *setting;
    struct channel_memory memory;
    struct channel channels[REGION_WORKERS_MAX];
    struct peer_row *row; /* what we count, in the channel memory */
    uint64_t signatures;
};

static void child_report(const struct child_setting *setting, enum child_said said,
                         const char *text)
{
    struct child_report report = {.said = said};

    (void)snprintf(report.text, sizeof(report.text), "%s", text);
    (void)!write(setting->report_fd, &report, sizeof(report));
}

static void child_fail(const struct child_setting *setting, const char *text)
    __attribute__((noreturn));

static void child_fail(const struct child_setting *setting, const char *text)
{
    child_report(setting, CHILD_FAILED, text);
    _exit(1);
}

/* Moves the two descriptors it needs to 3 and 4 and closes the rest. Standard error stays, for a
 * failed CHECK(); the others become /dev/null. */
static void child_close_others(struct child_setting *setting)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int channel = fcntl(setting->channel_fd, F_DUPFD_CLOEXEC, 64);
    int report = fcntl(setting->report_fd, F_DUPFD_CLOEXEC, 64);

    if (null < 0 || channel < 0 || report < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup3(channel, 3, O_CLOEXEC) < 0 || dup3(report, 4, O_CLOEXEC) < 0 ||
        close_range(5, ~0u, 0) != 0)
        child_fail(setting, "descriptors cannot be closed");
    setting->channel_fd = 3;
    setting->report_fd = 4;
}

static void child_signals(void)
{
    static const int reset[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGCHLD};
    sigset_t none;

    for (size_t i = 0; i < sizeof(reset) / sizeof(reset[0]); i++)
        (void)signal(reset[i], SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    /* Over RLIMIT_FSIZE the write fails and is noticed; the child need not die of it. */
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_reseed(void)
{
    unsigned seed[4];

    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
        return; /* cannot happen once the pool is up; names stay private by their directory */
    srand(seed[0]);
    srandom(seed[1]);
    srand48((long)seed[2]);
}

static void child_bind(const struct child_setting *setting)
{
    if (setting->cores != NULL &&
        role_bind(ROLE_SCANNER_CHILD, setting->cores, setting->number) != STATUS_OK)
        child_fail(setting, "cannot run on the scanners' cores");
}

static void child_prepare(struct child *child, struct child_setting *setting)
{
    struct sandbox sandbox = role_sandbox(ROLE_SCANNER_CHILD, setting->user);
    struct why why;

    sandbox.scratch = setting->scratch;
    sandbox.scratch_bytes = setting->scratch_bytes;
    sandbox.memory_bytes = setting->memory_bytes;
    sandbox.file_bytes = setting->scratch_bytes;
    sandbox.calls = jail_calls(&sandbox.call_count);
    child_signals();
    (void)role_begin(ROLE_SCANNER_CHILD);
    child_close_others(setting);
    child_bind(setting);
    child_reseed();
    engine_quiet();
    if (channel_memory_open(&child->memory, CHANNEL_SCANNER, setting->worker_count,
                            setting->channel_fd) != STATUS_OK)
        child_fail(setting, "channel memory has the wrong size");
    for (uint32_t i = 0; i < setting->worker_count; i++)
        channel_attach(&child->channels[i], &child->memory, i);
    child->row = channel_row(&child->memory);
    (void)prctl(PR_SET_NAME, "postern-scan", 0, 0, 0);
    (void)prctl(PR_SET_TIMERSLACK, CHILD_TIMER_SLACK_NS, 0, 0, 0);
    if (role_confine(ROLE_SCANNER_CHILD, &sandbox, &setting->scratch, &why) != STATUS_OK)
        child_fail(setting, why.text);
    if (engine_use_scratch(setting->engine, setting->scratch) != STATUS_OK)
        child_fail(setting, "out of memory");
    if (getppid() != setting->parent)
        _exit(1); /* it died before we asked to die with it */
    child_report(setting, CHILD_READY, why.text);
    close(setting->report_fd);
}

/* Arms the last resort: `limit_ns` of real time from now, 0 to disarm. */
static void child_alarm(int64_t limit_ns)
{
    struct itimerval timer = {
        .it_value.tv_sec = limit_ns / CLOCK_NS_PER_SECOND,
        .it_value.tv_usec = limit_ns % CLOCK_NS_PER_SECOND / CLOCK_NS_PER_US,
    };

    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void child_sleep(int64_t ns)
{
    struct timespec time = {.tv_nsec = ns};

    (void)nanosleep(&time, NULL);
}

static void child_answer(struct channel *channel, const struct scan_result *result)
{
    enum status status = STATUS_NO_SPACE;

    for (int waited_ms = 0; waited_ms < CHILD_ANSWER_WAIT_MS; waited_ms++) {
        status = ring_push(&channel->results, result);
        if (status != STATUS_NO_SPACE)
            break;
        child_sleep(CHILD_SLEEP_MAX_NS);
    }
    if (status != STATUS_OK)
        _exit(1); /* the dataplane broke the ring or never reads it: it hears of our death */
}

/* False: it could not be taken, and the result says why. */
static bool child_scan(struct child *child, const struct scan_job *job, struct scan_result *result)
{
    const struct child_setting *setting = child->setting;
    struct message_view view;
    enum status status;

    if (job->deadline_ns != 0 && clock_monotonic_ns() >= job->deadline_ns) {
        verdict_unscannable(result, UNSCANNABLE_TIME, "its time was over before it was scanned");
        return true;
    }
    if (job->tier != SCAN_TIER_FULL) {
        verdict_unscannable(result, UNSCANNABLE_ENGINE_ERROR, "job of an unknown tier");
        return false;
    }
    status = message_view_open(&view, setting->region, job->message, job->generation, job->length);
    if (status != STATUS_OK) {
        char text[SCAN_NAME_BYTES];

        (void)snprintf(text, sizeof(text), "message cannot be read: %s", status_text(status));
        verdict_unscannable(result, UNSCANNABLE_ENGINE_ERROR, text);
        return false;
    }
    child_alarm(2 * setting->time_limit_ns + CHILD_GRACE_NS);
    engine_scan(setting->engine, &view, result);
    child_alarm(0);
    message_view_close(&view);
    /* Left-overs would fill the scratch space, and unpacking would fail for want of it. */
    if (scratch_empty(setting->scratch) != STATUS_OK)
        _exit(1);
    row_add(child->row, SCANNER_COUNTER_BYTES, job->length);
    return true;
}

/* Work it is here for, by the signatures it has. */
static bool child_takes(const struct child *child, const struct scan_job *job)
{
    return job->kind == JOB_SCAN && (job->signatures == 0 || job->signatures == child->signatures);
}

static unsigned child_outcome(const struct scan_result *result)
{
    switch (result->verdict) {
    case VERDICT_CLEAN:
        return SCANNER_COUNTER_CLEAN;
    case VERDICT_INFECTED:
        return SCANNER_COUNTER_INFECTED;
    default:
        return SCANNER_COUNTER_UNSCANNABLE;
    }
}

/* Each job is counted into one outcome, and before its answer can be seen. */
static void child_count(struct child *child, const struct scan_result *result, bool taken,
                        int64_t took_ns)
{
    struct peer_row *row = child->row;

    row_set(row, SCANNER_COUNTER_AT_WORK, 0);
    row_add(row, taken ? child_outcome(result) : (unsigned)SCANNER_COUNTER_REFUSED, 1);
    if (taken && result->verdict == VERDICT_UNSCANNABLE && result->reason == UNSCANNABLE_TIME)
        row_add(row, SCANNER_COUNTER_TIMEOUTS, 1);
    row_add(row, SCANNER_COUNTER_BUSY_US, (uint64_t)(took_ns / CLOCK_NS_PER_US));
    row_time(row, took_ns);
}

/* One job of that worker's, if there is one. */
static int child_serve(struct child *child, struct channel *channel)
{
    struct scan_job job;
    struct scan_result result = {0};
    enum status status = ring_pop(&channel->jobs, &job);
    int64_t began_ns;
    bool taken;

    if (status == STATUS_AGAIN)
        return 0;
    if (status != STATUS_OK)
        _exit(1);
    row_set(child->row, SCANNER_COUNTER_AT_WORK, 1);
    row_add(child->row, SCANNER_COUNTER_JOBS, 1);
    began_ns = clock_monotonic_ns();
    atomic_store_explicit(channel->busy, 1, memory_order_relaxed);
    result.job = job.job;
    result.message = job.message;
    result.generation = job.generation;
    result.kind = JOB_SCAN;
    result.signatures = child->signatures;
    taken = child_takes(child, &job);
    if (taken)
        taken = child_scan(child, &job, &result);
    else
        verdict_unscannable(&result, UNSCANNABLE_ENGINE_ERROR, "job of an unknown kind");
    child_count(child, &result, taken, clock_monotonic_ns() - began_ns);
    child_answer(channel, &result);
    atomic_store_explicit(channel->busy, 0, memory_order_relaxed);
    return 1;
}

static void child_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void child_run(const struct child_setting *given)
{
    static struct child child;
    static struct child_setting setting;
    unsigned spins = 0;
    int64_t sleep_ns = CHILD_SLEEP_MIN_NS;

    setting = *given;
    child = (struct child){.setting = &setting,
                           .signatures = link_signatures(engine_identity(setting.engine))};
    child_prepare(&child, &setting);
    for (;;) {
        int served = 0;

        for (uint32_t i = 0; i < setting.worker_count; i++)
            served |= child_serve(&child, &child.channels[i]);
        if (served) {
            spins = 0;
            sleep_ns = CHILD_SLEEP_MIN_NS;
        } else if (spins < CHILD_SPINS) {
            spins++;
            child_pause();
        } else {
            child_sleep(sleep_ns);
            sleep_ns = sleep_ns < CHILD_SLEEP_MAX_NS / 2 ? sleep_ns * 2 : CHILD_SLEEP_MAX_NS;
        }
    }
}
