#include "signatures/scanner/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/link/message_view.h"
#include "platform/role.h"
#include "signatures/scanner/child.h"
#include "signatures/scanner/jail.h"
#include "signatures/scanner/scratch.h"
#include "signatures/scanner/verdict.h"

#define KEEPER_SPINS          2000    /* some 20 us without a system call */
#define KEEPER_SLEEP_MIN_NS   20000   /* then sleep, */
#define KEEPER_SLEEP_MAX_NS   1000000 /* at most 1 ms: what an idle scanner adds to a message */
#define KEEPER_TIMER_SLACK_NS 1000
#define KEEPER_GRACE_NS       (5 * CLOCK_NS_PER_SECOND)
#define KEEPER_ANSWER_WAIT_MS 60000 /* for room in the result ring */
#define KEEPER_START_MS       60000 /* for a child to be ready */
#define KEEPER_VECTORS        64u

struct keeper {
    const struct keeper_setting *setting;
    struct channel_memory memory;
    struct channel channels[REGION_WORKERS_MAX];
    struct peer_row *row; /* what we count, in the channel memory */
    uint64_t signatures;
    struct sandbox sandbox;
    uint32_t uid; /* of children */
    uint32_t gid;
    int inbox;      /* written by us */
    int inbox_read; /* the same file, as children have it */
    int socket;     /* to the child */
    pid_t child;    /* waits for its message, */
    bool used;      /* or has had it */
};

static void keeper_say(const struct keeper_setting *setting, enum keeper_said said,
                       const char *text)
{
    struct keeper_report report = {.said = said};

    (void)snprintf(report.text, sizeof(report.text), "%s", text);
    if (write(setting->report_fd, &report, sizeof(report)) < 0 && errno == EPIPE)
        _exit(1); /* the parent is gone */
}

__attribute__((format(printf, 2, 3), noreturn)) static void
keeper_end(const struct keeper_setting *setting, const char *format, ...)
{
    struct why why;
    va_list arguments;

    va_start(arguments, format);
    why_set_list(&why, format, arguments);
    va_end(arguments);
    keeper_say(setting, KEEPER_ENDS, why.text);
    _exit(1);
}

/* Moves the two descriptors it needs to 3 and 4 and closes the rest. Standard error stays, for a
 * failed CHECK(); the others become /dev/null. */
static void keeper_close_others(struct keeper_setting *setting)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int channel = fcntl(setting->channel_fd, F_DUPFD_CLOEXEC, 64);
    int report = fcntl(setting->report_fd, F_DUPFD_CLOEXEC, 64);

    if (null < 0 || channel < 0 || report < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup3(channel, 3, O_CLOEXEC) < 0 || dup3(report, 4, O_CLOEXEC) < 0 ||
        close_range(5, ~0u, 0) != 0)
        keeper_end(setting, "descriptors cannot be closed");
    setting->channel_fd = 3;
    setting->report_fd = 4;
}

static void keeper_signals(void)
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

static void keeper_open_channels(struct keeper *keeper)
{
    const struct keeper_setting *setting = keeper->setting;
    const struct region *region = setting->region;

    if (channel_memory_open(&keeper->memory, CHANNEL_SCANNER, setting->worker_count,
                            setting->channel_fd) != STATUS_OK)
        keeper_end(setting, "channel memory has the wrong size");
    for (uint32_t i = 0; i < setting->worker_count; i++)
        channel_attach(&keeper->channels[i], &keeper->memory, i);
    keeper->row = channel_row(&keeper->memory);
    if (madvise(region->base, region->bytes, MADV_DONTFORK) != 0 ||
        madvise(keeper->memory.base, keeper->memory.bytes, MADV_DONTFORK) != 0)
        keeper_end(setting, "messages cannot be kept from children: %s", strerror(errno));
    if (engine_keep_names(setting->engine) != STATUS_OK)
        keeper_end(setting, "names cannot be kept from children: %s", strerror(errno));
}

static void keeper_open_inbox(struct keeper *keeper)
{
    char path[64];

    keeper->inbox = memfd_create("postern-inbox", MFD_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", keeper->inbox);
    keeper->inbox_read = keeper->inbox < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (keeper->inbox_read < 0)
        keeper_end(keeper->setting, "no inbox: %s", strerror(errno));
}

/* What children may have: the engine is mapped here, the messages and the channels not there. */
static uint64_t keeper_child_address_bytes(const struct keeper *keeper)
{
    return sandbox_mapped_bytes() - keeper->setting->region->bytes - keeper->memory.bytes +
           keeper->setting->memory_bytes;
}

static void keeper_enclose(struct keeper *keeper, struct why *why)
{
    const struct keeper_setting *setting = keeper->setting;

    keeper->sandbox = role_sandbox(ROLE_SCANNER_CHILD, setting->user);
    keeper->sandbox.scratch = setting->scratch;
    keeper->sandbox.scratch_bytes = setting->scratch_bytes;
    keeper->sandbox.address_bytes = keeper_child_address_bytes(keeper);
    keeper->sandbox.file_bytes = setting->scratch_bytes;
    keeper->sandbox.calls = jail_calls(&keeper->sandbox.call_count);
    keeper->uid = geteuid();
    keeper->gid = getegid();
    if (keeper->uid == 0 && setting->user != NULL &&
        sandbox_user(setting->user, &keeper->uid, &keeper->gid) != STATUS_OK)
        keeper_end(setting, "there is no user \"%s\" on this machine", setting->user);
    if (role_confine(ROLE_SCANNER_CHILD, &keeper->sandbox, why) != STATUS_OK)
        keeper_end(setting, "%s", why->text);
    if (engine_use_scratch(setting->engine, keeper->sandbox.scratch) != STATUS_OK)
        keeper_end(setting, "out of memory");
}

static void keeper_sleep(int64_t ns)
{
    struct timespec time = {.tv_nsec = ns};

    (void)nanosleep(&time, NULL);
}

/* Reaps the child, and ends: it had the last word that was not its to have. */
static void keeper_lost_child(struct keeper *keeper) __attribute__((noreturn));

static void keeper_lost_child(struct keeper *keeper)
{
    int how = 0;

    (void)waitpid(keeper->child, &how, 0);
    if (WIFSIGNALED(how))
        keeper_end(keeper->setting, "killed by signal %d (%s)", WTERMSIG(how),
                   strsignal(WTERMSIG(how)));
    keeper_end(keeper->setting, "exited with status %d", WEXITSTATUS(how));
}

/* The child's next word; false when it has none in time, or is no more. */
static bool keeper_hear_child(const struct keeper *keeper, int64_t wait_ns, struct child_word *word)
{
    struct pollfd polls = {.fd = keeper->socket, .events = POLLIN};
    int64_t deadline_ns = clock_monotonic_ns() + wait_ns;

    for (;;) {
        int64_t left_ns = deadline_ns - clock_monotonic_ns();
        int count = poll(&polls, 1, left_ns > 0 ? (int)(left_ns / CLOCK_NS_PER_MS) + 1 : 0);

        if (count < 0 && errno == EINTR)
            continue;
        return count == 1 && read(keeper->socket, word, sizeof(*word)) == (ssize_t)sizeof(*word);
    }
}

/* A new child, which has never seen a message. */
static void keeper_fork(struct keeper *keeper)
{
    pid_t self = getpid();
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        keeper_end(keeper->setting, "no socket for a child: %s", strerror(errno));
    keeper->child = fork();
    if (keeper->child < 0)
        keeper_end(keeper->setting, "no child: %s", strerror(errno));
    if (keeper->child == 0) {
        struct child_setting child = {
            .engine = keeper->setting->engine,
            .sandbox = &keeper->sandbox,
            .uid = keeper->uid,
            .gid = keeper->gid,
            .keeper = pair[1],
            .inbox = keeper->inbox_read,
            .parent = self,
        };

        child_run(&child);
    }
    close(pair[1]);
    keeper->socket = pair[0];
}

/* Waits until the child is in its jail; what could not be done is in `why`. */
static void keeper_await_child(struct keeper *keeper, struct why *why)
{
    struct child_word word;

    if (!keeper_hear_child(keeper, KEEPER_START_MS * CLOCK_NS_PER_MS, &word)) {
        (void)kill(keeper->child, SIGKILL);
        keeper_lost_child(keeper);
    }
    word.text[sizeof(word.text) - 1] = '\0';
    if (word.said != CHILD_READY)
        keeper_end(keeper->setting, "failed: %s", word.text);
    if (word.text[0] != '\0')
        why_add(why, "%s", word.text);
}

/* The child that has had its message goes, with all it may have left, and another one comes. */
static void keeper_replace_child(struct keeper *keeper)
{
    (void)kill(keeper->child, SIGKILL);
    while (waitpid(keeper->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(keeper->socket);
    if (ftruncate(keeper->inbox, 0) != 0)
        keeper_end(keeper->setting, "the inbox cannot be emptied: %s", strerror(errno));
    /* Left-overs would fill the scratch space, and unpacking would fail for want of it. */
    if (scratch_empty(keeper->sandbox.scratch) != STATUS_OK)
        keeper_end(keeper->setting, "%s cannot be emptied", keeper->sandbox.scratch);
    keeper->used = false;
    keeper_fork(keeper);
    keeper_await_child(keeper, NULL);
}

/* A child that ended while it waited, for want of memory say, is replaced before a message meets
 * it.
 */
static void keeper_look_after(struct keeper *keeper)
{
    if (waitpid(keeper->child, NULL, WNOHANG) != keeper->child)
        return;
    close(keeper->socket);
    keeper_fork(keeper);
    keeper_await_child(keeper, NULL);
}

/* Hands the inbox to the child and waits for its word. */
static void keeper_ask(struct keeper *keeper, const struct child_order *order,
                       struct scan_result *result)
{
    const struct keeper_setting *setting = keeper->setting;
    struct child_word word;

    if (write(keeper->socket, order, sizeof(*order)) != (ssize_t)sizeof(*order) ||
        !keeper_hear_child(keeper, 2 * setting->time_limit_ns + KEEPER_GRACE_NS, &word) ||
        word.said != CHILD_FOUND) {
        (void)kill(keeper->child, SIGKILL);
        keeper_lost_child(keeper);
    }
    verdict_take_word(&word.result, result);
}

static void keeper_consult(struct keeper *keeper, const struct scan_job *job,
                           struct scan_result *result)
{
    const struct child_order order = {job->length, job->flags};

    keeper_ask(keeper, &order, result);
    if (result->verdict != VERDICT_INFECTED ||
        engine_knows_name(keeper->setting->engine, result->name))
        return;
    row_add(keeper->row, SCANNER_COUNTER_NAMES_UNKNOWN, 1);
    (void)snprintf(result->name, sizeof(result->name), "%s", VERDICT_NAME_UNKNOWN);
}

/* An engine whose signatures know the EICAR test file and that does not find it finds nothing else,
 * either: libclamav passes over what it cannot do, and says clean. The child that tells is a real
 * one. */
static void keeper_try_canary(struct keeper *keeper)
{
    static const char mail[] =
        "Received: from canary by postern; Thu, 01 Jan 1970 00:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: application/octet-stream; name=\"canary\"\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
        "WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFOVElW"
        "SVJVUy1URVNU\r\nLUZJTEUhJEgrSCo=\r\n";
    const struct child_order order = {.length = sizeof(mail) - 1};
    struct scan_result result = {0};

    if (!engine_knows_eicar(keeper->setting->engine))
        return;
    if (pwrite(keeper->inbox, mail, order.length, 0) != (ssize_t)order.length)
        keeper_end(keeper->setting, "no canary: %s", strerror(errno));
    keeper_ask(keeper, &order, &result);
    if (result.verdict != VERDICT_INFECTED) {
        row_add(keeper->row, SCANNER_COUNTER_CANARIES_LOST, 1);
        keeper_end(keeper->setting,
                   "its signatures know the EICAR test file, and it did not find it");
    }
    keeper_replace_child(keeper);
}

static void keeper_prepare(struct keeper *keeper, struct keeper_setting *setting)
{
    struct why why = {""};

    if (getpid() != 1)
        why_add(&why, "no process namespace");
    keeper_signals();
    (void)role_begin(ROLE_SCANNER_CHILD);
    keeper_close_others(setting);
    if (setting->cores != NULL &&
        role_bind(ROLE_SCANNER_CHILD, setting->cores, setting->number) != STATUS_OK)
        keeper_end(setting, "cannot run on the scanners' cores");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        keeper_end(setting, "PR_SET_PDEATHSIG: %s", strerror(errno));
    engine_quiet();
    (void)prctl(PR_SET_NAME, "postern-scan", 0, 0, 0);
    (void)prctl(PR_SET_TIMERSLACK, KEEPER_TIMER_SLACK_NS, 0, 0, 0);
    keeper_open_channels(keeper);
    keeper_open_inbox(keeper);
    keeper_enclose(keeper, &why);
    keeper_fork(keeper);
    keeper_await_child(keeper, &why);
    keeper_try_canary(keeper);
    keeper_say(setting, KEEPER_READY, why.text);
}

static void keeper_answer(const struct keeper *keeper, struct channel *channel,
                          const struct scan_result *result)
{
    enum status status = STATUS_NO_SPACE;

    for (int waited_ms = 0; waited_ms < KEEPER_ANSWER_WAIT_MS; waited_ms++) {
        status = ring_push(&channel->results, result);
        if (status != STATUS_NO_SPACE)
            break;
        keeper_sleep(KEEPER_SLEEP_MAX_NS);
    }
    if (status != STATUS_OK) /* the dataplane hears of our death */
        keeper_end(keeper->setting, "no room for an answer: %s", status_text(status));
}

/* Writes the whole message into the inbox. */
static enum status keeper_copy(const struct keeper *keeper, const struct message_view *view)
{
    struct iovec vectors[KEEPER_VECTORS];
    size_t offset = 0;

    while (offset < view->size) {
        unsigned count =
            message_view_iovec(view, offset, view->size - offset, vectors, KEEPER_VECTORS);
        ssize_t written = pwritev(keeper->inbox, vectors, (int)count, (off_t)offset);

        if (written <= 0)
            return STATUS_SYSTEM;
        offset += (size_t)written;
    }
    return STATUS_OK;
}

static void keeper_refuse(struct scan_result *result, const char *what, enum status status)
{
    char text[SCAN_NAME_BYTES];

    (void)snprintf(text, sizeof(text), "%s: %s", what, status_text(status));
    verdict_unscannable(result, UNSCANNABLE_ENGINE_ERROR, text);
}

/* False: it could not be taken, and the result says why. */
static bool keeper_scan(struct keeper *keeper, const struct scan_job *job,
                        struct scan_result *result)
{
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
    status = message_view_open(&view, keeper->setting->region, job->message, job->generation,
                               job->length);
    if (status != STATUS_OK) {
        keeper_refuse(result, "message cannot be read", status);
        return false;
    }
    keeper->used = true; /* whatever is in the inbox now: no other message meets it */
    status = keeper_copy(keeper, &view);
    message_view_close(&view);
    if (status != STATUS_OK) {
        keeper_refuse(result, "message cannot be copied", status);
        return false;
    }
    keeper_consult(keeper, job, result);
    row_add(keeper->row, SCANNER_COUNTER_BYTES, job->length);
    return true;
}

/* Work it is here for, by the signatures it has. */
static bool keeper_takes(const struct keeper *keeper, const struct scan_job *job)
{
    return job->kind == JOB_SCAN && (job->signatures == 0 || job->signatures == keeper->signatures);
}

static unsigned keeper_outcome(const struct scan_result *result)
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

static void keeper_count_readings(struct peer_row *row, const struct scan_result *result)
{
    row_add(row, SCANNER_COUNTER_READ, result->readings > 0);
    row_add(row, SCANNER_COUNTER_READINGS, result->readings);
    row_add(row, SCANNER_COUNTER_READ_INFECTED,
            result->reading > 0 && result->verdict == VERDICT_INFECTED);
    row_add(row, SCANNER_COUNTER_READ_MALFORMED,
            result->verdict == VERDICT_UNSCANNABLE && result->reason == UNSCANNABLE_MALFORMED);
}

/* Each job is counted into one outcome, and before its answer can be seen. */
static void keeper_count(struct keeper *keeper, const struct scan_result *result, bool taken,
                         int64_t took_ns)
{
    struct peer_row *row = keeper->row;

    row_set(row, SCANNER_COUNTER_AT_WORK, 0);
    row_add(row, taken ? keeper_outcome(result) : (unsigned)SCANNER_COUNTER_REFUSED, 1);
    keeper_count_readings(row, result);
    if (taken && result->verdict == VERDICT_UNSCANNABLE && result->reason == UNSCANNABLE_TIME)
        row_add(row, SCANNER_COUNTER_TIMEOUTS, 1);
    row_add(row, SCANNER_COUNTER_BUSY_US, (uint64_t)(took_ns / CLOCK_NS_PER_US));
    row_time(row, took_ns);
}

/* One job of that worker's, if there is one. */
static int keeper_serve(struct keeper *keeper, struct channel *channel)
{
    struct scan_job job;
    struct scan_result result = {0};
    enum status status = ring_pop(&channel->jobs, &job);
    int64_t began_ns;
    bool taken;

    if (status == STATUS_AGAIN)
        return 0;
    if (status != STATUS_OK)
        keeper_end(keeper->setting, "the dataplane broke its ring");
    row_set(keeper->row, SCANNER_COUNTER_AT_WORK, 1);
    row_add(keeper->row, SCANNER_COUNTER_JOBS, 1);
    began_ns = clock_monotonic_ns();
    atomic_store_explicit(channel->busy, 1, memory_order_relaxed);
    result.job = job.job;
    result.message = job.message;
    result.generation = job.generation;
    result.kind = JOB_SCAN;
    result.flags = job.flags;
    result.signatures = keeper->signatures;
    taken = keeper_takes(keeper, &job);
    if (taken)
        taken = keeper_scan(keeper, &job, &result);
    else
        verdict_unscannable(&result, UNSCANNABLE_ENGINE_ERROR, "job of an unknown kind");
    keeper_count(keeper, &result, taken, clock_monotonic_ns() - began_ns);
    keeper_answer(keeper, channel, &result);
    atomic_store_explicit(channel->busy, 0, memory_order_relaxed);
    if (keeper->used)
        keeper_replace_child(keeper);
    return 1;
}

static void keeper_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void keeper_run(const struct keeper_setting *given)
{
    static struct keeper keeper;
    static struct keeper_setting setting;
    unsigned spins = 0;
    int64_t sleep_ns = KEEPER_SLEEP_MIN_NS;

    setting = *given;
    keeper = (struct keeper){.setting = &setting,
                             .signatures = link_signatures(engine_identity(setting.engine))};
    keeper_prepare(&keeper, &setting);
    for (;;) {
        int served = 0;

        for (uint32_t i = 0; i < setting.worker_count; i++)
            served |= keeper_serve(&keeper, &keeper.channels[i]);
        if (served) {
            spins = 0;
            sleep_ns = KEEPER_SLEEP_MIN_NS;
        } else if (spins < KEEPER_SPINS) {
            spins++;
            keeper_pause();
        } else {
            keeper_look_after(&keeper);
            keeper_sleep(sleep_ns);
            sleep_ns = sleep_ns < KEEPER_SLEEP_MAX_NS / 2 ? sleep_ns * 2 : KEEPER_SLEEP_MAX_NS;
        }
    }
}
