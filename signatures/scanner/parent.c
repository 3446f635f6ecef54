#include "signatures/scanner/parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/clock.h"
#include "platform/config/source.h"
#include "platform/exit.h"
#include "platform/log/notice.h"
#include "signatures/scanner/scanner_note.h"
#include "signatures/scanner/slot.h"

#define PARENT_CONNECT_MIN_MS 50
#define PARENT_CONNECT_MAX_MS 1000
#define PARENT_LOG_POLL_MS    250
#define PARENT_REST_MS        250
#define PARENT_LEAVE_SLACK_NS (5 * CLOCK_NS_PER_SECOND)
#define PARENT_LEAVE_POLL_MS  100
#define PARENT_POLLS          (3 + 2 * LINK_SLOTS_MAX)

struct parent {
    const struct parent_setting *setting;
    int link;
    int signals;
    bool stopping;
    bool leaving; /* asked to stop; what the children have is finished first */
    int64_t leave_end_ns;
    bool candidate; /* gets no mail until it is told to serve */
    bool noted;     /* the sandbox steps that could not be taken are in the log */
    bool welcome;
    uint32_t worker_count;
    struct region region;
    char base[SCRATCH_PATH_BYTES];
    struct slot slots[LINK_SLOTS_MAX];
};

static void parent_hear_signals(struct parent *parent)
{
    struct signalfd_siginfo info;

    while (read(parent->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        /* Asked twice, or by whoever started us for himself: at once. */
        if (parent->leaving || !parent->welcome || parent->setting->link_fd >= 0)
            parent->stopping = true;
        parent->leaving = true;
    }
}

/* The dataplane gives the children no more, and ends the link when it has all answers. */
static enum status parent_leave(struct parent *parent, int64_t now_ns)
{
    struct link_message leave = {.type = LINK_LEAVE};

    if (parent->leave_end_ns == 0) {
        parent->leave_end_ns = now_ns + 2 * parent->setting->time_limit_ns + PARENT_LEAVE_SLACK_NS;
        scanner_note("stopping: no new mail, finishing what is being scanned");
        return link_send(parent->link, &leave, -1);
    }
    parent->stopping = parent->stopping || now_ns >= parent->leave_end_ns;
    return STATUS_OK;
}

/* A newer configuration is taken note of, no more: scanners are what they were made at their start,
 * and `postern run` names what needs another one. */
static void parent_hear_configuration(struct parent *parent)
{
    struct config_source *source = parent->setting->source;
    struct config_error error;
    struct config *config = NULL;
    enum status status;

    if (source == NULL || source->feed < 0)
        return;
    status = source_next(source, &config, &error, NULL, NULL);
    if (status == STATUS_OK)
        source_answer(source, config->number, config->number, 1, "");
    else if (status != STATUS_AGAIN)
        scanner_note("%s", error.text);
    config_free(config);
    if (status == STATUS_CLOSED)
        source_close(source);
}

static enum status parent_hello(struct parent *parent)
{
    struct link_message hello = {
        .type = LINK_HELLO,
        .kind = LINK_KIND_SCANNER,
        .slots = parent->setting->processes,
        .flags = parent->candidate ? LINK_FLAG_CANDIDATE : 0,
    };

    return link_send(parent->link, &hello, -1);
}

/* Sends what slots have to tell, as far as the socket takes it. */
static enum status parent_tell(struct parent *parent)
{
    for (unsigned i = 0; i < parent->setting->processes; i++) {
        struct slot *slot = &parent->slots[i];
        struct link_message message = {.type = slot->news, .slot = i, .epoch = slot->news_epoch};
        enum status status;

        if (slot->news == 0)
            continue;
        (void)snprintf(message.text, sizeof(message.text), "%s",
                       slot->news == LINK_READY ? engine_text(parent->setting->engine)
                                                : slot->text);
        if (slot->news == LINK_READY)
            message.identity = *engine_identity(parent->setting->engine);
        status = link_send(parent->link, &message, -1);
        if (status != STATUS_OK)
            return status == STATUS_AGAIN ? STATUS_OK : status;
        slot->news = 0;
    }
    return STATUS_OK;
}

static enum status parent_welcome(struct parent *parent, const struct link_message *message, int fd)
{
    enum status status;

    if (parent->welcome || fd < 0) {
        if (fd >= 0)
            close(fd);
        return STATUS_BROKEN_PEER;
    }
    status = region_open(&parent->region, fd);
    if (status != STATUS_OK)
        return status;
    parent->welcome = true;
    parent->worker_count = message->workers;
    return message->workers == parent->region.header.worker_count ? STATUS_OK : STATUS_BROKEN_PEER;
}

static enum status parent_channel(struct parent *parent, const struct link_message *message, int fd)
{
    if (fd < 0)
        return STATUS_BROKEN_PEER;
    if (!parent->welcome || message->slot >= parent->setting->processes ||
        parent->slots[message->slot].state != SLOT_EMPTY) {
        close(fd);
        return STATUS_BROKEN_PEER;
    }
    slot_offer(&parent->slots[message->slot], message->epoch, fd, clock_monotonic_ns());
    return STATUS_OK;
}

static enum status parent_act(struct parent *parent, const struct link_message *message, int fd)
{
    switch (message->type) {
    case LINK_WELCOME:
        return parent_welcome(parent, message, fd);
    case LINK_CHANNEL:
        return parent_channel(parent, message, fd);
    case LINK_SERVE:
        if (fd >= 0)
            close(fd);
        parent->candidate = false; /* also to the next dataplane */
        scanner_note("told to serve");
        return STATUS_OK;
    case LINK_KILL:
        if (fd >= 0)
            close(fd);
        if (message->slot >= parent->setting->processes)
            return STATUS_BROKEN_PEER;
        slot_kill(&parent->slots[message->slot], message->epoch);
        return STATUS_OK;
    default:
        if (fd >= 0)
            close(fd);
        return STATUS_BROKEN_PEER;
    }
}

/* All that waits on the socket now. */
static enum status parent_listen(struct parent *parent)
{
    for (;;) {
        struct link_message message;
        int fd = -1;
        enum status status = link_receive(parent->link, &message, &fd);

        if (status == STATUS_AGAIN)
            return STATUS_OK;
        if (status == STATUS_OK)
            status = parent_act(parent, &message, fd);
        if (status != STATUS_OK)
            return status;
    }
}

/* Milliseconds until a slot's delay is over; -1: nothing to wait for. */
static int parent_wait_ms(const struct parent *parent, int64_t now_ns)
{
    int64_t wait_ns = -1;

    for (unsigned i = 0; i < parent->setting->processes; i++) {
        const struct slot *slot = &parent->slots[i];
        int64_t left_ns = slot->start_ns > now_ns ? slot->start_ns - now_ns : 0;

        if (slot->state == SLOT_WAITING && (wait_ns < 0 || left_ns < wait_ns))
            wait_ns = left_ns;
    }
    return wait_ns < 0 ? -1 : (int)((wait_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
}

static void parent_poll(struct parent *parent)
{
    struct pollfd polls[PARENT_POLLS];
    const struct config_source *source = parent->setting->source;
    nfds_t count = 3;
    bool untold = false;
    int wait_ms;

    for (unsigned i = 0; i < parent->setting->processes; i++) {
        const struct slot *slot = &parent->slots[i];

        untold = untold || slot->news != 0;
        if (slot->report_fd >= 0)
            polls[count++] = (struct pollfd){.fd = slot->report_fd, .events = POLLIN};
        if (slot->pidfd >= 0)
            polls[count++] = (struct pollfd){.fd = slot->pidfd, .events = POLLIN};
    }
    polls[0] = (struct pollfd){.fd = parent->signals, .events = POLLIN};
    polls[1] =
        (struct pollfd){.fd = parent->link, .events = (short)(untold ? POLLIN | POLLOUT : POLLIN)};
    polls[2] = (struct pollfd){.fd = source != NULL ? source->feed : -1, .events = POLLIN};
    wait_ms = parent_wait_ms(parent, clock_monotonic_ns());
    if (parent->leaving && (wait_ms < 0 || wait_ms > PARENT_LEAVE_POLL_MS))
        wait_ms = PARENT_LEAVE_POLL_MS;
    if (notice_flush() && (wait_ms < 0 || wait_ms > PARENT_LOG_POLL_MS))
        wait_ms = PARENT_LOG_POLL_MS;
    /* With more descriptors open than may be by now poll() fails, and would fail again at once. */
    if (poll(polls, count, wait_ms) < 0 && errno != EINTR)
        (void)poll(NULL, 0, PARENT_REST_MS);
}

static void parent_tend(struct parent *parent)
{
    int64_t now_ns = clock_monotonic_ns();

    for (unsigned i = 0; i < parent->setting->processes; i++) {
        struct slot *slot = &parent->slots[i];
        char note[KEEPER_TEXT_BYTES] = "";

        if (slot_hear(slot, note) && note[0] != '\0' && !parent->noted) {
            parent->noted = true;
            scanner_note("sandbox is not complete: %s", note);
        }
        slot_reap(slot, now_ns);
        if (parent->leaving)
            continue;
        slot_start(slot, parent->setting, &parent->region, parent->worker_count, parent->base,
                   now_ns);
    }
}

/* One dataplane's life, from HELLO to the end of the socket. STATUS_OK when asked to stop. */
static enum status parent_session(struct parent *parent)
{
    enum status status = parent_hello(parent);

    while (status == STATUS_OK && !parent->stopping) {
        parent_poll(parent);
        parent_hear_signals(parent);
        parent_hear_configuration(parent);
        status = parent_listen(parent);
        if (status == STATUS_OK && !parent->stopping) {
            parent_tend(parent);
            status = parent_tell(parent);
        }
        if (status == STATUS_OK && parent->leaving)
            status = parent_leave(parent, clock_monotonic_ns());
    }
    parent->stopping = parent->stopping || parent->leaving;
    for (unsigned i = 0; i < parent->setting->processes; i++)
        slot_stop(&parent->slots[i]);
    region_close(&parent->region);
    parent->welcome = false;
    close(parent->link);
    parent->link = -1;
    return status;
}

/* False when asked to stop first. */
static bool parent_connect(struct parent *parent)
{
    int delay_ms = PARENT_CONNECT_MIN_MS;
    bool said = false;

    while (!parent->stopping) {
        struct pollfd poll_signals = {.fd = parent->signals, .events = POLLIN};
        enum status status = link_connect(parent->setting->socket_path, &parent->link);

        if (status == STATUS_OK)
            return true;
        if (!said)
            scanner_note("waiting for the dataplane at %s (%s)", parent->setting->socket_path,
                         status_text(status));
        said = true;
        (void)poll(&poll_signals, 1, delay_ms);
        parent_hear_signals(parent);
        parent_hear_configuration(parent);
        delay_ms = delay_ms < PARENT_CONNECT_MAX_MS / 2 ? delay_ms * 2 : PARENT_CONNECT_MAX_MS;
    }
    return false;
}

static int parent_signals(void)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* an inherited "ignore" would reap behind our back */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int parent_serve(struct parent *parent)
{
    enum status status;

    if (parent->setting->link_fd >= 0) {
        parent->link = parent->setting->link_fd;
        status = parent_session(parent);
        if (status == STATUS_OK || status == STATUS_CLOSED)
            return EXIT_OK;
        scanner_note("link: %s", status_text(status));
        return EXIT_FAILED;
    }
    while (parent_connect(parent)) {
        scanner_note("connected to the dataplane");
        status = parent_session(parent);
        if (status != STATUS_OK && !parent->stopping) {
            struct pollfd poll_signals = {.fd = parent->signals, .events = POLLIN};

            scanner_note("lost the dataplane: %s", status_text(status));
            (void)poll(&poll_signals, 1, PARENT_CONNECT_MIN_MS); /* it may refuse us at once */
            parent_hear_signals(parent);
        }
    }
    return EXIT_OK;
}

int parent_run(const struct parent_setting *setting)
{
    static struct parent parent;
    int lock;
    int result;

    CHECK(setting->processes >= 1 && setting->processes <= LINK_SLOTS_MAX);
    parent = (struct parent){
        .setting = setting, .link = -1, .candidate = setting->candidate, .region.fd = -1};
    for (unsigned i = 0; i < setting->processes; i++)
        slot_init(&parent.slots[i], i);
    parent.signals = parent_signals();
    if (parent.signals < 0 || scratch_make(setting->scratch, parent.base, &lock) != STATUS_OK) {
        scanner_note("cannot make a directory in %s: %s", setting->scratch, strerror(errno));
        return EXIT_FAILED;
    }
    result = parent_serve(&parent);
    scratch_remove(parent.base);
    close(lock);
    close(parent.signals);
    return result;
}
