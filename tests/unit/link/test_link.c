/* The link socket: meeting, passing a descriptor, and peers that send what they should not. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/link/link.h"

static char directory[] = "/tmp/postern-link-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/dataplane.sock", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(directory);
}

static unsigned open_descriptors(void)
{
    DIR *entries = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(entries);
    while (readdir(entries) != NULL)
        count++;
    (void)closedir(entries);
    return count;
}

struct pair {
    int listening;
    int dataplane;
    int peer;
};

static void open_pair(struct pair *pair)
{
    uint32_t uid = 12345;

    assert_int_equal(link_listen(path, UINT32_MAX, &pair->listening), STATUS_OK);
    assert_int_equal(link_connect(path, &pair->peer), STATUS_OK);
    assert_int_equal(link_accept(pair->listening, &pair->dataplane, &uid), STATUS_OK);
    assert_int_equal(uid, geteuid());
}

static void close_pair(struct pair *pair)
{
    close(pair->listening);
    close(pair->dataplane);
    close(pair->peer);
}

static void check_flags(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_meeting(void **state)
{
    struct pair pair;
    struct stat file;
    uint32_t uid;
    int fd;

    (void)state;
    open_pair(&pair);
    check_flags(pair.listening);
    check_flags(pair.dataplane);
    check_flags(pair.peer);
    assert_int_equal(stat(path, &file), 0);
    assert_true(S_ISSOCK(file.st_mode));
    assert_int_equal(file.st_mode & 07777, 0660);
    assert_int_equal(link_accept(pair.listening, &fd, &uid), STATUS_AGAIN);
    close_pair(&pair);
}

static void test_nobody_there(void **state)
{
    char too_long[200];
    int fd = 99;

    (void)state;
    (void)unlink(path);
    assert_int_equal(link_connect(path, &fd), STATUS_NOT_FOUND);
    assert_int_equal(fd, -1);
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    assert_int_equal(link_connect(too_long, &fd), STATUS_BAD_ARGUMENT);
    assert_int_equal(link_listen(too_long, UINT32_MAX, &fd), STATUS_BAD_ARGUMENT);
    assert_int_equal(link_listen("/nonexistent/dataplane.sock", UINT32_MAX, &fd), STATUS_SYSTEM);
}

/* What a killed dataplane leaves behind is in nobody's way. */
static void test_stale_socket(void **state)
{
    struct pair pair;
    int fd = 99;

    (void)state;
    open_pair(&pair);
    close_pair(&pair);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(link_connect(path, &fd), STATUS_CLOSED);
    assert_int_equal(fd, -1);
    open_pair(&pair);
    close_pair(&pair);
}

static void test_in_use(void **state)
{
    struct pair pair;
    int waiting[64];
    unsigned count = 0;
    uint32_t uid;
    int fd = 99;

    (void)state;
    open_pair(&pair);
    assert_int_equal(link_listen(path, UINT32_MAX, &fd), STATUS_IN_USE);
    assert_int_equal(fd, -1);
    /* That try was itself a visitor, who has left. */
    assert_int_equal(link_accept(pair.listening, &fd, &uid), STATUS_OK);
    close(fd);
    /* It is in use also while its queue is full and it answers nobody. */
    while (count < 64 && link_connect(path, &waiting[count]) == STATUS_OK)
        count++;
    assert_in_range(count, 1, 63);
    assert_int_equal(link_listen(path, UINT32_MAX, &fd), STATUS_IN_USE);
    assert_int_equal(access(path, F_OK), 0);
    while (count > 0)
        close(waiting[--count]);
    close_pair(&pair);
}

/* A path that is set to somebody's file by mistake must not cost them the file. */
static void test_no_socket_at_path(void **state)
{
    int listening = 99;
    int fd;

    (void)state;
    (void)unlink(path);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_int_equal(link_listen(path, UINT32_MAX, &listening), STATUS_IN_USE);
    assert_int_equal(listening, -1);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_messages(void **state)
{
    struct link_message sent = {.version = 77,
                                .type = LINK_READY,
                                .slot = 3,
                                .epoch = 9,
                                .text = "engine 1",
                                .identity = {.database = {9, 8}, .library = "1.4.6", .profile = 5}};
    struct link_message got;
    struct pair pair;
    int fd = 99;

    (void)state;
    open_pair(&pair);
    assert_int_equal(link_receive(pair.dataplane, &got, &fd), STATUS_AGAIN);
    assert_int_equal(fd, -1);
    assert_int_equal(link_send(pair.peer, &sent, -1), STATUS_OK);
    sent.slot = 4;
    memset(sent.text, 'x', sizeof(sent.text));
    memset(sent.identity.library, 'y', sizeof(sent.identity.library));
    assert_int_equal(link_send(pair.peer, &sent, -1), STATUS_OK);
    assert_int_equal(link_receive(pair.dataplane, &got, &fd), STATUS_OK);
    assert_int_equal(fd, -1);
    assert_int_equal(got.version, LINK_VERSION);
    assert_int_equal(got.type, LINK_READY);
    assert_int_equal(got.slot, 3);
    assert_int_equal(got.epoch, 9);
    assert_string_equal(got.text, "engine 1");
    assert_string_equal(got.identity.library, "1.4.6");
    assert_int_equal(got.identity.database[1], 8);
    assert_int_equal(got.identity.profile, 5);
    assert_int_equal(link_receive(pair.dataplane, &got, &fd), STATUS_OK);
    assert_int_equal(got.slot, 4);
    assert_int_equal(strlen(got.text), LINK_TEXT_BYTES - 1); /* ended, whatever was sent */
    assert_int_equal(strlen(got.identity.library), LINK_LIBRARY_BYTES - 1);
    assert_int_equal(link_receive(pair.dataplane, &got, &fd), STATUS_AGAIN);
    close_pair(&pair);
}

static void test_descriptor(void **state)
{
    struct link_message message = {.type = LINK_CHANNEL};
    struct pair pair;
    struct stat one;
    struct stat two;
    int own = memfd_create("passed", MFD_CLOEXEC);
    int fd = -1;

    (void)state;
    open_pair(&pair);
    assert_int_equal(link_send(pair.dataplane, &message, own), STATUS_OK);
    assert_int_equal(fstat(own, &one), 0);
    close(own);
    assert_int_equal(link_receive(pair.peer, &message, &fd), STATUS_OK);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(fd, &two), 0);
    assert_int_equal(one.st_ino, two.st_ino);
    close(fd);
    close_pair(&pair);
}

static void test_the_end(void **state)
{
    struct link_message message = {.type = LINK_GONE, .slot = 5};
    struct pair pair;
    int fd;

    (void)state;
    open_pair(&pair);
    assert_int_equal(link_send(pair.peer, &message, -1), STATUS_OK);
    close(pair.peer);
    assert_int_equal(link_receive(pair.dataplane, &message, &fd), STATUS_OK); /* last words */
    assert_int_equal(message.slot, 5);
    assert_int_equal(link_receive(pair.dataplane, &message, &fd), STATUS_CLOSED);
    assert_int_equal(link_receive(pair.dataplane, &message, &fd), STATUS_CLOSED);
    assert_int_equal(link_send(pair.dataplane, &message, -1), STATUS_CLOSED);
    close(pair.dataplane);
    close(pair.listening);
}

/* Somebody who does not read makes us wait for nothing. */
static void test_full_socket(void **state)
{
    struct link_message message = {.type = LINK_KILL};
    struct pair pair;
    unsigned sent = 0;
    enum status status;

    (void)state;
    open_pair(&pair);
    while ((status = link_send(pair.dataplane, &message, -1)) == STATUS_OK)
        assert_true(++sent < 1000000);
    assert_int_equal(status, STATUS_AGAIN);
    assert_true(sent >= LINK_SLOTS_MAX + 1); /* a welcome and all channels always fit */
    close_pair(&pair);
}

/* One raw message of `bytes`, with `count` copies of a descriptor. */
static void send_raw(int socket_fd, const void *bytes, size_t length, unsigned count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(250 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        memset(&control, 0, sizeof(control));
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        for (unsigned i = 0; i < count; i++)
            ((int *)CMSG_DATA(&control.header))[i] = STDIN_FILENO;
    }
    assert_int_equal(sendmsg(socket_fd, &header, MSG_NOSIGNAL), length);
}

static void test_wrong_sizes_and_versions(void **state)
{
    union {
        struct link_message message;
        uint8_t bytes[4 * sizeof(struct link_message)];
    } raw = {.message = {.version = LINK_VERSION, .type = LINK_HELLO}};
    static const size_t sizes[] = {1, 4, sizeof(struct link_message) - 1,
                                   sizeof(struct link_message) + 1,
                                   4 * sizeof(struct link_message)};
    static const uint32_t versions[] = {0, LINK_VERSION + 1, UINT32_MAX};
    struct link_message got;
    struct pair pair;
    int fd;

    (void)state;
    open_pair(&pair);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        send_raw(pair.peer, &raw, sizes[i], 0);
        assert_int_equal(link_receive(pair.dataplane, &got, &fd), STATUS_BROKEN_PEER);
        assert_int_equal(fd, -1);
    }
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        raw.message.version = versions[i];
        send_raw(pair.peer, &raw, sizeof(raw.message), 0);
        assert_int_equal(link_receive(pair.dataplane, &got, &fd), STATUS_BROKEN_PEER);
    }
    raw.message.version = LINK_VERSION;
    send_raw(pair.peer, &raw, sizeof(raw.message), 0);
    assert_int_equal(link_receive(pair.dataplane, &got, &fd), STATUS_OK);
    close_pair(&pair);
}

/* However many descriptors come, with whatever message: one at most is the caller's, none stays. */
static void test_descriptors_do_not_leak(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 4, 5, 6, 8, 64, 250};
    static const size_t sizes[] = {0, 1, sizeof(struct link_message),
                                   sizeof(struct link_message) + 1};
    uint8_t bytes[sizeof(struct link_message) + 1] = {0};
    struct link_message message = {.version = LINK_VERSION, .type = LINK_HELLO};
    struct link_message got;
    struct pair pair;
    unsigned before;
    int fd;

    (void)state;
    memcpy(bytes, &message, sizeof(message));
    open_pair(&pair);
    before = open_descriptors();
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            enum status status;

            send_raw(pair.peer, bytes, sizes[j], counts[i]);
            status = link_receive(pair.dataplane, &got, &fd);
            assert_int_equal(status == STATUS_OK, sizes[j] == sizeof(struct link_message));
            assert_int_equal(fd >= 0, status == STATUS_OK);
            if (fd >= 0)
                close(fd);
            assert_int_equal(open_descriptors(), before);
        }
    }
    /* What lies unread in the socket goes with it. */
    send_raw(pair.peer, bytes, sizeof(message), 250);
    close_pair(&pair);
    assert_int_equal(open_descriptors(), before - 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_meeting),
        cmocka_unit_test(test_stale_socket),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_no_socket_at_path),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_the_end),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_wrong_sizes_and_versions),
        cmocka_unit_test(test_descriptors_do_not_leak),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
