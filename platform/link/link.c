#include "platform/link/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static enum status link_address(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address->sun_path))
        return STATUS_BAD_ARGUMENT;
    memcpy(address->sun_path, path, strlen(path) + 1);
    return STATUS_OK;
}

enum status link_connect(const char *path, int *fd)
{
    struct sockaddr_un address;
    enum status status = link_address(path, &address);

    *fd = -1;
    if (status != STATUS_OK)
        return status;
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return STATUS_SYSTEM;
    if (connect(*fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return STATUS_OK;
    if (errno == ENOENT)
        status = STATUS_NOT_FOUND;
    else if (errno == ECONNREFUSED)
        status = STATUS_CLOSED;
    else if (errno == EAGAIN)
        status = STATUS_AGAIN;
    else
        status = errno == EACCES ? STATUS_NOT_PERMITTED : STATUS_SYSTEM;
    close(*fd);
    *fd = -1;
    return status;
}

/* Makes way at `path`: only for a socket that nobody answers at, never for a file or for a
 * dataplane that is merely busy. */
static enum status link_clear(const char *path)
{
    struct stat file;
    int fd;
    enum status status = link_connect(path, &fd);

    switch (status) {
    case STATUS_OK:
        close(fd);
        return STATUS_IN_USE;
    case STATUS_AGAIN:
        return STATUS_IN_USE;
    case STATUS_NOT_FOUND:
        return STATUS_OK;
    case STATUS_CLOSED:
        if (lstat(path, &file) != 0)
            return errno == ENOENT ? STATUS_OK : STATUS_SYSTEM;
        if (!S_ISSOCK(file.st_mode))
            return STATUS_IN_USE;
        return unlink(path) == 0 || errno == ENOENT ? STATUS_OK : STATUS_SYSTEM;
    default:
        return status;
    }
}

enum status link_listen(const char *path, uint32_t gid, int *fd)
{
    struct sockaddr_un address;
    enum status status = link_address(path, &address);

    *fd = -1;
    if (status == STATUS_OK)
        status = link_clear(path);
    if (status != STATUS_OK)
        return status;
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return STATUS_SYSTEM;
    if (bind(*fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        chmod(path, 0660) == 0 && (gid == UINT32_MAX || chown(path, (uid_t)-1, gid) == 0) &&
        listen(*fd, 16) == 0)
        return STATUS_OK;
    status = errno == EADDRINUSE ? STATUS_IN_USE : STATUS_SYSTEM;
    close(*fd);
    *fd = -1;
    return status;
}

/* As much as the kernel gives: what is sent at once is bounded by LINK_SLOTS_MAX. */
static void link_make_room(int fd)
{
    int bytes = LINK_SOCKET_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

pid_t link_peer(int socket_fd)
{
    struct ucred credentials = {0};
    socklen_t length = sizeof(credentials);

    if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
        return 0;
    return credentials.pid;
}

enum status link_accept(int listening, int *fd, uint32_t *uid)
{
    struct ucred credentials;
    socklen_t length = sizeof(credentials);

    *fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (*fd < 0)
        return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ? STATUS_AGAIN
                                                                          : STATUS_SYSTEM;
    if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        close(*fd);
        *fd = -1;
        return STATUS_SYSTEM;
    }
    link_make_room(*fd);
    *uid = credentials.uid;
    return STATUS_OK;
}

enum status link_send(int socket_fd, const struct link_message *message, int fd)
{
    struct link_message copy = *message;
    struct iovec part = {.iov_base = &copy, .iov_len = sizeof(copy)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    copy.version = LINK_VERSION;
    if (fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof(control.bytes);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    for (;;) {
        if (sendmsg(socket_fd, &header, MSG_NOSIGNAL) >= 0)
            return STATUS_OK;
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return STATUS_AGAIN;
        return errno == EPIPE || errno == ECONNRESET ? STATUS_CLOSED : STATUS_SYSTEM;
    }
}

/* Takes the first descriptor that came along and closes any further one. */
static int link_take_descriptor(struct msghdr *header)
{
    int taken = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (taken < 0)
                taken = fd;
            else
                close(fd);
        }
    }
    return taken;
}

enum status link_receive(int socket_fd, struct link_message *message, int *fd)
{
    struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t length;

    *fd = -1;
    do {
        length = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno == EAGAIN ? STATUS_AGAIN
                               : (errno == ECONNRESET ? STATUS_CLOSED : STATUS_SYSTEM);
    /* Before anything else: even an empty message may bring descriptors. */
    *fd = link_take_descriptor(&header);
    if (length != (ssize_t)sizeof(*message) || (header.msg_flags & MSG_TRUNC) != 0 ||
        message->version != LINK_VERSION) {
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        return length == 0 ? STATUS_CLOSED : STATUS_BROKEN_PEER;
    }
    message->text[LINK_TEXT_BYTES - 1] = '\0';
    message->identity.library[LINK_LIBRARY_BYTES - 1] = '\0';
    return STATUS_OK;
}
