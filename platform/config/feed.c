#include "platform/config/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FEED_OFFER_MAGIC  UINT32_C(0x1f0ffe4a)
#define FEED_VIEW_MAGIC   UINT32_C(0x1f05ee4a)
#define FEED_ANSWER_MAGIC UINT32_C(0x1f0a45e4)

struct feed_down {
    uint32_t magic;
    struct feed_view view; /* zero in an offer */
};

struct feed_up {
    uint32_t magic;
    struct feed_answer answer;
};

union feed_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

enum status feed_pair(int *supervisor, int *program)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return STATUS_SYSTEM;
    *supervisor = ends[0];
    *program = ends[1];
    return STATUS_OK;
}

static enum status feed_status(ssize_t moved)
{
    if (moved >= 0)
        return STATUS_OK;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
        return STATUS_AGAIN;
    return errno == EPIPE || errno == ECONNRESET ? STATUS_CLOSED : STATUS_SYSTEM;
}

enum status feed_offer(int feed, int config_fd)
{
    struct feed_down down = {.magic = FEED_OFFER_MAGIC};
    struct iovec bytes = {&down, sizeof(down)};
    union feed_control control = {{0}};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &config_fd, sizeof(int));
    return feed_status(sendmsg(feed, &message, MSG_NOSIGNAL));
}

enum status feed_show(int feed, const struct feed_view *view)
{
    struct feed_down down = {.magic = FEED_VIEW_MAGIC, .view = *view};

    return feed_status(send(feed, &down, sizeof(down), MSG_NOSIGNAL));
}

enum status feed_hear(int feed, struct feed_answer *answer)
{
    struct feed_up up;
    ssize_t got = recv(feed, &up, sizeof(up), MSG_TRUNC);

    if (got < 0)
        return feed_status(got);
    if (got == 0)
        return STATUS_CLOSED;
    if (got != (ssize_t)sizeof(up) || up.magic != FEED_ANSWER_MAGIC)
        return STATUS_BROKEN_PEER;
    *answer = up.answer;
    answer->why[sizeof(answer->why) - 1] = '\0';
    return STATUS_OK;
}

/* The descriptor that came with `message`, or -1; more than one cannot fit. */
static int feed_descriptor(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int fd = -1;

    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(header), sizeof(int));
    return fd;
}

static bool feed_view_is_sound(struct feed_view *view)
{
    if (view->count > FEED_PROGRAMS_MAX)
        return false;
    for (uint32_t i = 0; i < view->count; i++) {
        view->lines[i].name[FEED_NAME_BYTES - 1] = '\0';
        view->lines[i].answer.why[FEED_WHY_BYTES - 1] = '\0';
    }
    return true;
}

static enum status feed_take_one(int feed, enum feed_kind *kind, int *config_fd,
                                 struct feed_view *view)
{
    struct feed_down down;
    struct iovec bytes = {&down, sizeof(down)};
    union feed_control control = {{0}};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(feed, &message, MSG_CMSG_CLOEXEC);
    int fd = -1;

    if (got < 0)
        return feed_status(got);
    if (got == 0)
        return STATUS_CLOSED;
    fd = feed_descriptor(&message);
    if (got == (ssize_t)sizeof(down) && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
        if (down.magic == FEED_OFFER_MAGIC && fd >= 0) {
            *kind = FEED_OFFER;
            *config_fd = fd;
            return STATUS_OK;
        }
        if (down.magic == FEED_VIEW_MAGIC && fd < 0 && feed_view_is_sound(&down.view)) {
            *kind = FEED_VIEW;
            if (view != NULL)
                *view = down.view;
            return STATUS_OK;
        }
    }
    if (fd >= 0)
        close(fd);
    return STATUS_BROKEN_PEER;
}

enum status feed_take(int feed, enum feed_kind *kind, int *config_fd, struct feed_view *view)
{
    enum status status;

    *config_fd = -1;
    do
        status = feed_take_one(feed, kind, config_fd, view);
    while (status == STATUS_OK && *kind == FEED_VIEW && view == NULL);
    return status;
}

enum status feed_wait(int feed, int64_t limit_ns)
{
    struct pollfd polled = {.fd = feed, .events = POLLIN};
    int ready;

    do
        ready = poll(&polled, 1, (int)(limit_ns / 1000000));
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return STATUS_SYSTEM;
    return ready == 0 ? STATUS_TIMED_OUT : STATUS_OK;
}

void feed_answer(int feed, const struct feed_answer *answer)
{
    struct feed_up up = {.magic = FEED_ANSWER_MAGIC, .answer = *answer};

    (void)!send(feed, &up, sizeof(up), MSG_NOSIGNAL);
}
