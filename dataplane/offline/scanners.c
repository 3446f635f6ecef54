#include "dataplane/offline/scanners.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/check.h"

#define SCANNERS_ARGUMENTS_MAX 32u
#define SCANNERS_STOP_MS       5000

/* In the child: never returns. Standard output is for results, so the scanner has standard error
 * for both. */
static void scanners_become(const char *path, const char *const *arguments, int link, pid_t parent)
{
    char option[] = "--link-fd";
    char number[16];
    char *list[SCANNERS_ARGUMENTS_MAX + 3];
    unsigned count = 0;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (fcntl(link, F_SETFD, 0) != 0)
        _exit(1);
    snprintf(number, sizeof(number), "%d", link);
    while (arguments[count] != NULL) {
        list[count] = (char *)arguments[count];
        count++;
    }
    list[count++] = option;
    list[count++] = number;
    list[count] = NULL;
    execv(path, list);
    fprintf(stderr, "postern scan: cannot start %s: %s\n", path, strerror(errno));
    _exit(1);
}

enum status scanners_start(struct scanners *scanners, const struct region *region, const char *path,
                           const char *const *arguments, uint32_t slot_count, int64_t time_limit_ns,
                           scanners_done *done, void *context)
{
    pid_t parent = getpid();
    unsigned count = 0;
    int pair[2];

    while (arguments[count] != NULL)
        count++;
    CHECK(count <= SCANNERS_ARGUMENTS_MAX);
    CHECK(slot_count >= 1 && slot_count <= SCANNERS_MAX);
    *scanners = (struct scanners){.region = region,
                                  .limit_ns = time_limit_ns + time_limit_ns / 2,
                                  .done = done,
                                  .context = context,
                                  .link = -1,
                                  .absent_since_ns = clock_monotonic_ns(),
                                  .slot_count = slot_count};
    for (uint32_t i = 0; i < SCANNERS_MAX; i++)
        scanners->slots[i].memory.fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return STATUS_SYSTEM;
    fflush(NULL);
    scanners->pid = fork();
    if (scanners->pid == 0)
        scanners_become(path, arguments, pair[1], parent);
    close(pair[1]);
    if (scanners->pid < 0) {
        close(pair[0]);
        return STATUS_SYSTEM;
    }
    scanners->link = pair[0];
    return STATUS_OK;
}

bool scanners_room(const struct scanners *scanners)
{
    return scanners->waiting_count < scanners->slot_count;
}

bool scanners_gone(const struct scanners *scanners)
{
    return scanners->link < 0;
}

void scanners_submit(struct scanners *scanners, struct message *message, size_t tag)
{
    CHECK(scanners_room(scanners));
    scanners->waiting[scanners->waiting_count++] =
        (struct scanners_job){.message = message, .tag = tag};
}

static void scanners_answer_unscannable(struct scanners *scanners, const struct scanners_job *job,
                                        enum unscannable_reason reason, int64_t scan_ns,
                                        const char *engine)
{
    struct scanners_answer answer = {
        .verdict = VERDICT_UNSCANNABLE, .reason = reason, .scan_ns = scan_ns, .engine = engine};

    scanners->done(scanners->context, job->tag, job->message, &answer);
}

/* Nobody reads the slot's message any more. */
static struct scanners_job scanners_end_job(struct scanners_slot *slot)
{
    struct scanners_job job = slot->job;

    CHECK(job.message != NULL && job.message->job != 0);
    job.message->job = 0;
    slot->job.message = NULL;
    return job;
}

/* The child that had a job is no more: once more, or never. */
static void scanners_fail_job(struct scanners *scanners, struct scanners_slot *slot, int64_t now_ns)
{
    struct scanners_job job = scanners_end_job(slot);

    if (attempt_again(job.message, true)) {
        /* In front: it has waited longest. There is room: at most one a slot comes back. */
        CHECK(scanners->waiting_count < SCANNERS_MAX * 2);
        memmove(&scanners->waiting[1], &scanners->waiting[0],
                scanners->waiting_count * sizeof(scanners->waiting[0]));
        scanners->waiting[0] = job;
        scanners->waiting_count++;
        return;
    }
    scanners_answer_unscannable(scanners, &job, (enum unscannable_reason)job.message->reason,
                                now_ns - job.message->handed_ns, slot->engine);
}

static void scanners_fail_waiting(struct scanners *scanners)
{
    while (scanners->waiting_count > 0) {
        struct scanners_job job = scanners->waiting[--scanners->waiting_count];

        scanners_answer_unscannable(scanners, &job, UNSCANNABLE_NO_ENGINE, 0, "");
    }
}

/* The scanner process has gone, or cannot be talked to any more. */
static void scanners_lose(struct scanners *scanners, int64_t now_ns)
{
    if (scanners->link < 0)
        return;
    close(scanners->link);
    scanners->link = -1;
    for (uint32_t i = 0; i < scanners->slot_count; i++) {
        struct scanners_slot *slot = &scanners->slots[i];
        struct scanners_job job;

        slot->state = SLOT_OFFERED;
        if (slot->job.message == NULL)
            continue;
        job = scanners_end_job(slot);
        scanners_answer_unscannable(scanners, &job, UNSCANNABLE_SCANNER_DIED,
                                    now_ns - job.message->handed_ns, slot->engine);
    }
    scanners_fail_waiting(scanners);
}

/* Gives a slot's next incarnation a channel of its own. */
static bool scanners_offer(struct scanners *scanners, uint32_t index)
{
    struct scanners_slot *slot = &scanners->slots[index];
    struct link_message message = {.type = LINK_CHANNEL, .slot = index, .epoch = slot->epoch + 1};

    channel_memory_close(&slot->memory);
    slot->epoch++;
    slot->state = SLOT_OFFERED;
    slot->identity = (struct link_identity){0};
    if (channel_memory_create(&slot->memory, CHANNEL_SCANNER, 1) != STATUS_OK)
        return false;
    channel_attach(&slot->channel, &slot->memory, 0);
    return link_send(scanners->link, &message, slot->memory.fd) == STATUS_OK;
}

static bool scanners_greet(struct scanners *scanners, const struct link_message *hello)
{
    struct link_message welcome = {.type = LINK_WELCOME, .workers = 1};

    if (scanners->greeted || hello->kind != LINK_KIND_SCANNER || hello->slots < 1 ||
        hello->slots > scanners->slot_count)
        return false;
    scanners->greeted = true;
    scanners->slot_count = hello->slots;
    if (link_send(scanners->link, &welcome, scanners->region->fd) != STATUS_OK)
        return false;
    for (uint32_t i = 0; i < scanners->slot_count; i++) {
        if (!scanners_offer(scanners, i))
            return false;
    }
    return true;
}

static void scanners_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
    }
}

/* Asks for a child's death; its GONE settles the job. */
static void scanners_kill(struct scanners *scanners, uint32_t index, int64_t now_ns)
{
    struct scanners_slot *slot = &scanners->slots[index];
    struct link_message message = {.type = LINK_KILL, .slot = index, .epoch = slot->epoch};

    slot->state = SLOT_KILLED;
    slot->killed_ns = now_ns;
    if (link_send(scanners->link, &message, -1) != STATUS_OK)
        scanners_lose(scanners, now_ns);
}

/* It broke the protocol: the attempt of the message it has is spent. */
static void scanners_broken(struct scanners *scanners, uint32_t index, int64_t now_ns)
{
    if (scanners->slots[index].job.message != NULL)
        attempt_spoil(scanners->slots[index].job.message);
    scanners_kill(scanners, index, now_ns);
}

/* Takes a slot's answer, if there is one. */
static unsigned scanners_take(struct scanners *scanners, uint32_t index, int64_t now_ns)
{
    struct scanners_slot *slot = &scanners->slots[index];
    struct scan_result result;
    struct scanners_answer answer;
    struct scanners_job job;
    enum status status;

    if (slot->state != SLOT_READY)
        return 0;
    status = ring_pop(&slot->channel.results, &result);
    if (status == STATUS_AGAIN)
        return 0;
    if (status != STATUS_OK || !attempt_named(slot->job.message, &result, index) ||
        !attempt_sensible(&result)) {
        scanners_broken(scanners, index, now_ns);
        return 1;
    }
    job = scanners_end_job(slot);
    answer = (struct scanners_answer){.verdict = (enum verdict_kind)result.verdict,
                                      .reason = result.verdict == VERDICT_UNSCANNABLE
                                                    ? (enum unscannable_reason)result.reason
                                                    : UNSCANNABLE_NONE,
                                      .scan_ns = now_ns - job.message->handed_ns,
                                      .cpu_ns = result.cpu_ns,
                                      .readings = result.readings,
                                      .reading = result.reading,
                                      .engine = slot->engine};
    memcpy(answer.name, result.name, sizeof(answer.name));
    memcpy(answer.doubt, result.doubt, sizeof(answer.doubt));
    scanners->done(scanners->context, job.tag, job.message, &answer);
    return 1;
}

static bool scanners_hear(struct scanners *scanners, const struct link_message *message,
                          int64_t now_ns)
{
    struct scanners_slot *slot;

    if (message->type == LINK_HELLO)
        return scanners_greet(scanners, message);
    if (!scanners->greeted || message->slot >= scanners->slot_count ||
        (message->type != LINK_READY && message->type != LINK_GONE))
        return false;
    slot = &scanners->slots[message->slot];
    if (message->epoch != slot->epoch)
        return true; /* of an earlier incarnation */
    if (message->type == LINK_READY) {
        if (slot->state == SLOT_OFFERED)
            slot->state = SLOT_READY;
        memcpy(slot->engine, message->text, sizeof(slot->engine));
        scanners_printable(slot->engine);
        slot->identity = message->identity;
        scanners_printable(slot->identity.library);
        scanners->was_ready = true;
        return true;
    }
    /* It may have answered before it died. */
    scanners_take(scanners, message->slot, now_ns);
    if (slot->job.message != NULL)
        scanners_fail_job(scanners, slot, now_ns);
    return scanners->link >= 0 && scanners_offer(scanners, message->slot);
}

static unsigned scanners_listen(struct scanners *scanners, int64_t now_ns)
{
    unsigned done = 0;

    while (scanners->link >= 0) {
        struct link_message message;
        int fd;
        enum status status = link_receive(scanners->link, &message, &fd);

        if (status == STATUS_AGAIN)
            break;
        done++;
        if (fd >= 0)
            close(fd); /* nothing it sends comes with one */
        if (status != STATUS_OK || !scanners_hear(scanners, &message, now_ns))
            scanners_lose(scanners, now_ns);
    }
    return done;
}

static void scanners_keep_deadlines(struct scanners *scanners, int64_t now_ns)
{
    bool any_ready = false;

    for (uint32_t i = 0; i < scanners->slot_count && scanners->link >= 0; i++) {
        struct scanners_slot *slot = &scanners->slots[i];

        any_ready = any_ready || slot->state == SLOT_READY;
        if (slot->state == SLOT_READY && slot->job.message != NULL &&
            attempt_overdue(slot->job.message, &slot->channel, scanners->limit_ns, now_ns)) {
            slot->job.message->reason = UNSCANNABLE_TIME;
            scanners_kill(scanners, i, now_ns);
        } else if (slot->state == SLOT_KILLED && now_ns - slot->killed_ns > SCANNERS_KILL_NS) {
            scanners_lose(scanners, now_ns); /* it does not even kill */
        }
    }
    if (any_ready)
        scanners->absent_since_ns = 0;
    else if (scanners->absent_since_ns == 0)
        scanners->absent_since_ns = now_ns;
    else if (now_ns - scanners->absent_since_ns >
             (scanners->was_ready ? SCANNERS_ABSENT_NS : SCANNERS_START_NS))
        scanners_lose(scanners, now_ns);
}

/* Gives the message that has waited longest to the child of slot `index`. */
static void scanners_begin(struct scanners *scanners, uint32_t index, int64_t now_ns)
{
    struct scanners_slot *slot = &scanners->slots[index];
    struct message *message = scanners->waiting[0].message;

    message->deadline_ns = 0; /* its time begins with the scan */
    message->signatures = link_signatures(&slot->identity);
    if (!attempt_begin(message, &slot->channel, ++scanners->number, index, now_ns)) {
        scanners_broken(scanners, index, now_ns);
        return;
    }
    message->started = true; /* nobody else's job is before it */
    message->deadline_ns = now_ns + scanners->limit_ns;
    slot->job = scanners->waiting[0];
    scanners->waiting_count--;
    memmove(&scanners->waiting[0], &scanners->waiting[1],
            scanners->waiting_count * sizeof(scanners->waiting[0]));
}

static unsigned scanners_dispatch(struct scanners *scanners, int64_t now_ns)
{
    unsigned done = 0;

    for (uint32_t i = 0; i < scanners->slot_count && scanners->waiting_count > 0; i++) {
        if (scanners->slots[i].state != SLOT_READY || scanners->slots[i].job.message != NULL)
            continue;
        scanners_begin(scanners, i, now_ns);
        done++;
    }
    return done;
}

unsigned scanners_poll(struct scanners *scanners, int64_t now_ns)
{
    unsigned done = scanners_listen(scanners, now_ns);

    for (uint32_t i = 0; i < scanners->slot_count && scanners->link >= 0; i++)
        done += scanners_take(scanners, i, now_ns);
    if (scanners->link >= 0)
        scanners_keep_deadlines(scanners, now_ns);
    if (scanners->link >= 0)
        return done + scanners_dispatch(scanners, now_ns);
    done += scanners->waiting_count;
    scanners_fail_waiting(scanners);
    return done;
}

bool scanners_ready(const struct scanners *scanners)
{
    for (uint32_t i = 0; i < scanners->slot_count; i++) {
        if (scanners->slots[i].state == SLOT_READY)
            return true;
    }
    return false;
}

bool scanners_vouched(const struct scanners *scanners, const struct inspector *inspector)
{
    for (uint32_t i = 0; i < scanners->slot_count; i++) {
        if (scanners->slots[i].state == SLOT_READY &&
            !inspector_speaks_for(inspector, &scanners->slots[i].identity))
            return false;
    }
    return scanners_ready(scanners);
}

void scanners_wait(const struct scanners *scanners)
{
    struct pollfd waiting = {.fd = scanners->link, .events = POLLIN};
    struct timespec limit = {.tv_nsec = SCANNERS_WAIT_NS};

    ppoll(&waiting, 1, &limit, NULL);
}

int scanners_stop(struct scanners *scanners)
{
    int wait_status = 0;
    bool ended = false;

    if (scanners->link >= 0)
        close(scanners->link);
    scanners->link = -1;
    kill(scanners->pid, SIGTERM);
    for (int waited_ms = 0; waited_ms < SCANNERS_STOP_MS && !ended; waited_ms += 5) {
        ended = waitpid(scanners->pid, &wait_status, WNOHANG) == scanners->pid;
        if (!ended)
            poll(NULL, 0, 5);
    }
    if (!ended) {
        kill(scanners->pid, SIGKILL);
        waitpid(scanners->pid, &wait_status, 0);
    }
    for (uint32_t i = 0; i < SCANNERS_MAX; i++)
        channel_memory_close(&scanners->slots[i].memory);
    return wait_status;
}
