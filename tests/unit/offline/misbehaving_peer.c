/* Stands at the scanner's end of the link and breaks the rules, one way a mode. It scans nothing:
 * what is tested is that the other side holds its own. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/link/channel.h"
#include "platform/link/link.h"

static const char *mode;
static int link_fd = -1;

static int is(const char *name)
{
    return strcmp(mode, name) == 0;
}

static void say(enum link_type type, uint32_t slot, uint32_t epoch, const char *text)
{
    struct link_message message = {
        .type = type, .kind = LINK_KIND_SCANNER, .slots = 1, .slot = slot, .epoch = epoch};

    if (is("many-slots"))
        message.slots = LINK_SLOTS_MAX + 1;
    if (is("control"))
        message.kind = LINK_KIND_CONTROL;
    snprintf(message.text, sizeof(message.text), "%s", text);
    if (type == LINK_READY)
        message.identity = (struct link_identity){.library = "1.4\n", .profile = epoch};
    if (link_send(link_fd, &message, -1) != STATUS_OK)
        _exit(3);
}

static struct link_message hear(int *fd)
{
    struct link_message message;
    enum status status;

    while ((status = link_receive(link_fd, &message, fd)) == STATUS_AGAIN) {
        struct pollfd waiting = {.fd = link_fd, .events = POLLIN};

        poll(&waiting, 1, 1000);
    }
    if (status != STATUS_OK)
        _exit(0); /* the other side ended: so do we */
    return message;
}

/* False when the other side has something to say first. */
static int take_job(struct channel *channel, struct scan_job *job)
{
    while (ring_pop(&channel->jobs, job) != STATUS_OK) {
        struct pollfd waiting = {.fd = link_fd, .events = POLLIN};

        if (poll(&waiting, 1, 1) > 0)
            return 0;
    }
    return 1;
}

/* Answers in the mode's manner; 0 when this incarnation is at its end. */
static int answer(struct channel *channel, const struct scan_job *job, uint32_t epoch)
{
    struct scan_result result = {.job = job->job,
                                 .message = job->message,
                                 .generation = job->generation,
                                 .verdict = VERDICT_CLEAN,
                                 .kind = job->kind,
                                 .flags = job->flags,
                                 .signatures = job->signatures,
                                 .name = "a name\x1b"};

    if (is("die") || (is("die-once") && epoch == 1)) {
        say(LINK_GONE, 0, epoch, "died");
        return 0;
    }
    if (is("hang") || (is("hang-once") && epoch == 1))
        return 0; /* until KILL */
    if (is("exit"))
        _exit(7);
    if (is("nonsense") || (is("nonsense-once") && epoch == 1))
        result.verdict = 9;
    if (is("other-job"))
        result.job += 1;
    if (is("other-message"))
        result.generation += 1;
    if (is("no-reason"))
        result.verdict = VERDICT_UNSCANNABLE;
    if (is("endless-name"))
        memset(result.name, 'n', sizeof(result.name));
    if (is("scribble")) {
        channel->results.shared->produced = 1000000;
        return 1;
    }
    if (ring_push(&channel->results, &result) != STATUS_OK)
        _exit(4);
    if (is("answer-and-die")) {
        say(LINK_GONE, 0, epoch, "died");
        return 0;
    }
    return 1;
}

static void serve(const struct link_message *offer, int fd)
{
    struct channel_memory memory;
    struct channel channel;
    struct scan_job job;

    if (channel_memory_open(&memory, CHANNEL_SCANNER, 1, fd) != STATUS_OK)
        _exit(5);
    channel_attach(&channel, &memory, 0);
    say(LINK_READY, 0, offer->epoch, "Peer 1\n");
    if (is("wrong-slot"))
        say(LINK_READY, 5, offer->epoch, "");
    if (is("unknown-message"))
        say((enum link_type)77, 0, offer->epoch, "");
    if (is("old-news"))
        say(LINK_GONE, 0, offer->epoch + 7, "");
    while (take_job(&channel, &job) && answer(&channel, &job, offer->epoch))
        ;
    channel_memory_close(&memory);
}

int main(int argc, char **argv)
{
    if (argc != 4 || strcmp(argv[2], "--link-fd") != 0)
        return 2;
    mode = argv[1];
    link_fd = (int)strtol(argv[3], NULL, 10);
    if (is("exit-at-once"))
        return 78;
    if (is("garbage"))
        return write(link_fd, "garbage", 7) == 7 && poll(NULL, 0, 5000) == 0 ? 0 : 1;
    say(LINK_HELLO, 0, 0, "");
    for (;;) {
        int fd;
        struct link_message message = hear(&fd);

        if (message.type == LINK_CHANNEL)
            serve(&message, fd);
        else if (message.type == LINK_KILL && !is("hang-for-good"))
            say(LINK_GONE, message.slot, message.epoch, "killed");
        else if (fd >= 0)
            close(fd);
    }
}
