/* performance_connect: many connections to a server that greets, each only to its greeting.
 *
 *   performance_connect ADDRESS PORT COUNT CONCURRENT
 *
 * Kernel sockets; every connection is closed by us once a whole line has come. Prints the seconds
 * it took and the CPU seconds of this process. Exit code 1 when any connection failed. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "platform/clock.h"

#define CONNECT_EVENTS     256
#define CONNECT_TIMEOUT_MS 20000

struct load {
    struct sockaddr_in to;
    int poll;
    unsigned long left; /* to be begun */
    unsigned long done;
    unsigned long failed;
};

static void load_begin(struct load *load)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    load->left--;
    if (fd >= 0 &&
        (connect(fd, (const struct sockaddr *)&load->to, sizeof(load->to)) == 0 ||
         errno == EINPROGRESS) &&
        epoll_ctl(load->poll, EPOLL_CTL_ADD, fd, &event) == 0)
        return;
    load->failed++;
    if (fd >= 0)
        (void)close(fd);
}

static void load_read(struct load *load, int fd)
{
    char text[512];
    ssize_t length = read(fd, text, sizeof(text));

    if (length < 0 && errno == EAGAIN)
        return;
    if (length > 4 && memcmp(text, "220", 3) == 0 && text[length - 1] == '\n')
        load->done++;
    else
        load->failed++;
    (void)close(fd);
    if (load->left > 0)
        load_begin(load);
}

static double load_cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool load_run(struct load *load, unsigned long concurrent)
{
    unsigned long count = load->left;
    struct epoll_event events[CONNECT_EVENTS];

    while (concurrent-- > 0 && load->left > 0)
        load_begin(load);
    while (load->done + load->failed < count) {
        int ready = epoll_wait(load->poll, events, CONNECT_EVENTS, CONNECT_TIMEOUT_MS);

        if (ready <= 0)
            return false;
        for (int i = 0; i < ready; i++)
            load_read(load, events[i].data.fd);
    }
    return load->failed == 0;
}

int main(int argc, char **argv)
{
    struct load load = {.to.sin_family = AF_INET};
    int64_t start_ns = clock_monotonic_ns();
    bool good;

    if (argc != 5 || inet_pton(AF_INET, argv[1], &load.to.sin_addr) != 1) {
        (void)fprintf(stderr, "usage: performance_connect ADDRESS PORT COUNT CONCURRENT\n");
        return 2;
    }
    load.to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    load.left = strtoul(argv[3], NULL, 10);
    load.poll = epoll_create1(EPOLL_CLOEXEC);
    if (load.poll < 0)
        return 1;
    good = load_run(&load, strtoul(argv[4], NULL, 10));
    printf("done %lu failed %lu seconds %.3f cpu %.3f\n", load.done, load.failed,
           (double)(clock_monotonic_ns() - start_ns) / 1e9, load_cpu_seconds());
    (void)close(load.poll);
    return good ? 0 : 1;
}
