#include "signatures/scanner/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/clock.h"
#include "platform/sandbox.h"
#include "signatures/scanner/scanner_note.h"

#define SLOT_SETTLED_NS   CLOCK_NS_PER_SECOND
#define SLOT_DELAY_MIN_NS (10 * CLOCK_NS_PER_MS)
#define SLOT_DELAY_MAX_NS CLOCK_NS_PER_SECOND

static void close_and_forget(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void slot_init(struct slot *slot, unsigned number)
{
    *slot = (struct slot){.number = number, .channel_fd = -1, .pidfd = -1, .report_fd = -1};
}

void slot_offer(struct slot *slot, uint32_t epoch, int channel_fd, int64_t now_ns)
{
    slot->state = SLOT_WAITING;
    slot->epoch = epoch;
    slot->channel_fd = channel_fd;
    slot->start_ns = now_ns + slot->delay_ns;
}

static void slot_delay_more(struct slot *slot)
{
    if (slot->delay_ns == 0)
        slot->delay_ns = SLOT_DELAY_MIN_NS;
    else if (slot->delay_ns < SLOT_DELAY_MAX_NS / 2)
        slot->delay_ns *= 2;
    else
        slot->delay_ns = SLOT_DELAY_MAX_NS;
}

static void slot_keeper(const struct slot *slot, const struct parent_setting *setting,
                        const struct region *region, uint32_t worker_count, const char *scratch,
                        int report_fd) __attribute__((noreturn));

static void slot_keeper(const struct slot *slot, const struct parent_setting *setting,
                        const struct region *region, uint32_t worker_count, const char *scratch,
                        int report_fd)
{
    struct keeper_setting keeper = {
        .engine = setting->engine,
        .region = region,
        .channel_fd = slot->channel_fd,
        .worker_count = worker_count,
        .report_fd = report_fd,
        .user = setting->user,
        .scratch = scratch,
        .scratch_bytes = setting->scratch_bytes,
        .memory_bytes = setting->memory_bytes,
        .time_limit_ns = setting->time_limit_ns,
        .cores = setting->cores,
        .number = slot->number,
    };

    keeper_run(&keeper);
}

/* As fork(), into a process namespace of its own where that is allowed (root). clone3() would do it
 * in one step, but past the C library, which then has the wrong thread id in the child. */
static pid_t slot_clone(void)
{
    int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    bool inner = own >= 0 && unshare(CLONE_NEWPID) == 0;
    pid_t pid = fork();
    int saved = errno;

    if (pid != 0 && inner)
        CHECK(setns(own, CLONE_NEWPID) == 0); /* for the next one; our own, so it cannot fail */
    if (pid != 0 && own >= 0)
        close(own); /* the keeper closes what it does not need */
    errno = saved;
    return pid;
}

/* False with errno when there is no child afterwards. */
static bool slot_fork(struct slot *slot, const struct parent_setting *setting,
                      const struct region *region, uint32_t worker_count, const char *base)
{
    char scratch[SCRATCH_PATH_BYTES];
    uint32_t uid = geteuid();
    uint32_t gid = getegid();
    int report[2];

    if (uid == 0 && setting->user != NULL && sandbox_user(setting->user, &uid, &gid) != STATUS_OK) {
        errno = ENOENT;
        return false;
    }
    if (scratch_make_slot(base, slot->number, uid, gid, scratch) != STATUS_OK)
        return false;
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    slot->pid = slot_clone();
    if (slot->pid == 0)
        slot_keeper(slot, setting, region, worker_count, scratch, report[1]);
    close(report[1]);
    slot->report_fd = report[0];
    if (slot->pid < 0) {
        slot->pid = 0;
        close_and_forget(&slot->report_fd);
        return false;
    }
    slot->pidfd = pidfd_open(slot->pid, 0);
    if (slot->pidfd < 0) { /* out of descriptors: a child we could not watch must not live */
        (void)kill(slot->pid, SIGKILL);
        (void)waitpid(slot->pid, NULL, 0);
        slot->pid = 0;
        close_and_forget(&slot->report_fd);
        return false;
    }
    return true;
}

void slot_start(struct slot *slot, const struct parent_setting *setting,
                const struct region *region, uint32_t worker_count, const char *base,
                int64_t now_ns)
{
    if (slot->state != SLOT_WAITING || now_ns < slot->start_ns)
        return;
    slot->failed[0] = '\0';
    if (!slot_fork(slot, setting, region, worker_count, base)) {
        slot_delay_more(slot);
        slot->start_ns = now_ns + slot->delay_ns;
        scanner_note("scanner %u cannot be started: %s", slot->number, strerror(errno));
        return;
    }
    close_and_forget(&slot->channel_fd);
    slot->state = SLOT_RUNNING;
    slot->forked_ns = now_ns;
}

bool slot_hear(struct slot *slot, char note[KEEPER_TEXT_BYTES])
{
    struct keeper_report report;
    ssize_t length;

    if (slot->report_fd < 0)
        return false;
    length = read(slot->report_fd, &report, sizeof(report));
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length != (ssize_t)sizeof(report)) {
        close_and_forget(&slot->report_fd);
        return false;
    }
    report.text[sizeof(report.text) - 1] = '\0';
    if (report.said != KEEPER_READY) {
        memcpy(slot->failed, report.text, sizeof(slot->failed));
        return false;
    }
    slot->news = LINK_READY;
    slot->news_epoch = slot->epoch;
    (void)snprintf(slot->text, sizeof(slot->text), "%s", "");
    memcpy(note, report.text, KEEPER_TEXT_BYTES);
    return true;
}

static void slot_tell_death(struct slot *slot, int how)
{
    slot->news = LINK_GONE;
    slot->news_epoch = slot->epoch;
    if (slot->failed[0] != '\0')
        (void)snprintf(slot->text, sizeof(slot->text), "%.110s", slot->failed);
    else if (WIFSIGNALED(how))
        (void)snprintf(slot->text, sizeof(slot->text), "killed by signal %d (%s)", WTERMSIG(how),
                       strsignal(WTERMSIG(how)));
    else
        (void)snprintf(slot->text, sizeof(slot->text), "exited with status %d", WEXITSTATUS(how));
}

void slot_reap(struct slot *slot, int64_t now_ns)
{
    char note[KEEPER_TEXT_BYTES];
    int how = 0;

    if (slot->state != SLOT_RUNNING || waitpid(slot->pid, &how, WNOHANG) != slot->pid)
        return;
    while (slot->report_fd >= 0 && slot->failed[0] == '\0' && slot_hear(slot, note))
        continue; /* why, if it said so */
    close_and_forget(&slot->report_fd);
    close_and_forget(&slot->pidfd);
    slot->pid = 0;
    slot->state = SLOT_EMPTY;
    if (now_ns - slot->forked_ns < SLOT_SETTLED_NS)
        slot_delay_more(slot);
    else
        slot->delay_ns = 0;
    slot_tell_death(slot, how);
    scanner_note("scanner %u is gone: %s", slot->number, slot->text);
}

void slot_kill(struct slot *slot, uint32_t epoch)
{
    if (slot->state == SLOT_EMPTY || slot->epoch != epoch)
        return;
    if (slot->state == SLOT_RUNNING) {
        (void)kill(slot->pid, SIGKILL); /* not reaped yet, so the number is still its own */
        return;
    }
    close_and_forget(&slot->channel_fd);
    slot->state = SLOT_EMPTY;
    slot->news = LINK_GONE;
    slot->news_epoch = epoch;
    (void)snprintf(slot->text, sizeof(slot->text), "killed before it was started");
}

void slot_stop(struct slot *slot)
{
    unsigned number = slot->number;

    if (slot->state == SLOT_RUNNING) {
        (void)kill(slot->pid, SIGKILL);
        while (waitpid(slot->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close_and_forget(&slot->channel_fd);
    close_and_forget(&slot->pidfd);
    close_and_forget(&slot->report_fd);
    slot_init(slot, number);
}
