/* mails: sends many mails as fast as a mail server takes them.
 *
 *     performance_mails ADDRESS PORT CONNECTIONS FILE
 *
 * FILE holds the mails one behind the other, each after its length (8 bytes, in the machine's
 * order), with CRLF and with dots doubled, ready for DATA. Each connection takes the next mail that
 * nobody has taken, and is made anew after MAILS_PER_CONNECTION of them. Prints one line: mails
 * accepted, refused, seconds, and the reply times (from the final dot) in the middle and at 99 %.
 * Exit status 0 when all were answered, whatever with.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/clock.h"

#define CONNECTIONS_MAX      256u
#define MAILS_MAX            1000000u
#define MAILS_PER_CONNECTION 20u
#define REPLY_SECONDS        200
#define ENVELOPE             "MAIL FROM:<sender@example.net>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n"

struct mail {
    const uint8_t *bytes;
    size_t length;
    int64_t reply_ns;
    int code; /* 0: no reply */
};

struct client {
    int fd;
    char buffer[4096];
    size_t filled;
};

static struct sockaddr_in server;
static struct mail *mails;
static unsigned mail_count;
static _Atomic unsigned next_mail;

/* The code of the next whole reply; 0 when the connection ends. */
static int client_reply(struct client *client)
{
    for (;;) {
        char *end;

        while ((end = memchr(client->buffer, '\n', client->filled)) != NULL) {
            int code = atoi(client->buffer); /* NOLINT(cert-err34-c): 0 is no code */
            bool last = client->filled > 3 && client->buffer[3] != '-';
            size_t line = (size_t)(end + 1 - client->buffer);

            memmove(client->buffer, end + 1, client->filled - line);
            client->filled -= line;
            if (last)
                return code;
        }
        if (client->filled == sizeof(client->buffer))
            return 0;
        {
            ssize_t length = recv(client->fd, client->buffer + client->filled,
                                  sizeof(client->buffer) - client->filled, 0);

            if (length <= 0)
                return 0;
            client->filled += (size_t)length;
        }
    }
}

static bool client_say(struct client *client, const void *bytes, size_t length)
{
    for (size_t sent = 0; sent < length;) {
        ssize_t now = send(client->fd, (const uint8_t *)bytes + sent, length - sent, MSG_NOSIGNAL);

        if (now < 0)
            return false;
        sent += (size_t)now;
    }
    return true;
}

static bool client_open(struct client *client)
{
    static const char hello[] = "EHLO client.example.net\r\n";
    struct timeval limit = {.tv_sec = REPLY_SECONDS};
    int on = 1;

    client->filled = 0;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return false;
    (void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(client->fd, (const struct sockaddr *)&server, sizeof(server)) == 0 &&
        client_reply(client) == 220 && client_say(client, hello, sizeof(hello) - 1) &&
        client_reply(client) == 250)
        return true;
    (void)close(client->fd);
    return false;
}

/* False when the connection is of no more use. */
static bool client_mail(struct client *client, struct mail *mail)
{
    int64_t began_ns;

    if (!client_say(client, ENVELOPE, sizeof(ENVELOPE) - 1))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        if (client_reply(client) != (i < 2 ? 250 : 354)) /* MAIL, RCPT, DATA */
            return false;
    }
    if (!client_say(client, mail->bytes, mail->length) || !client_say(client, ".\r\n", 3))
        return false;
    began_ns = clock_monotonic_ns();
    mail->code = client_reply(client);
    mail->reply_ns = clock_monotonic_ns() - began_ns;
    return mail->code != 0;
}

static void *client_run(void *unused)
{
    struct client client = {.fd = -1};
    bool more = true;

    (void)unused;
    while (more) {
        if (!client_open(&client))
            return NULL;
        for (unsigned i = 0; i < MAILS_PER_CONNECTION && more; i++) {
            unsigned number = atomic_fetch_add(&next_mail, 1);

            more = number < mail_count && client_mail(&client, &mails[number]);
        }
        if (client_say(&client, "QUIT\r\n", 6))
            (void)client_reply(&client);
        (void)close(client.fd);
    }
    return NULL;
}

static bool read_mails(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat file;
    const uint8_t *bytes;

    if (fd < 0 || fstat(fd, &file) != 0)
        return false;
    bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    mails = calloc(MAILS_MAX, sizeof(*mails));
    if (bytes == MAP_FAILED || mails == NULL)
        return false;
    for (size_t at = 0; at + sizeof(uint64_t) <= (size_t)file.st_size && mail_count < MAILS_MAX;) {
        uint64_t length;

        memcpy(&length, bytes + at, sizeof(length));
        at += sizeof(length);
        if (length > (size_t)file.st_size - at)
            return false;
        mails[mail_count].bytes = bytes + at;
        mails[mail_count++].length = length;
        at += length;
    }
    (void)close(fd);
    return mail_count > 0;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct mail *)a)->reply_ns;
    int64_t y = ((const struct mail *)b)->reply_ns;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    pthread_t threads[CONNECTIONS_MAX];
    unsigned connections = argc == 5 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    unsigned accepted = 0;
    unsigned refused = 0;
    unsigned middle;
    unsigned late;
    int64_t began_ns;

    if (connections < 1 || connections > CONNECTIONS_MAX ||
        inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || !read_mails(argv[4])) {
        (void)fputs("usage: performance_mails ADDRESS PORT CONNECTIONS FILE\n", stderr);
        return 2;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    began_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < connections; i++) {
        if (pthread_create(&threads[i], NULL, client_run, NULL) != 0)
            return 1;
    }
    for (unsigned i = 0; i < connections; i++)
        (void)pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < mail_count; i++) {
        accepted += mails[i].code == 250;
        refused += mails[i].code != 0 && mails[i].code != 250;
    }
    printf("%u %u %.6f ", accepted, refused,
           (double)(clock_monotonic_ns() - began_ns) / CLOCK_NS_PER_SECOND);
    qsort(mails, mail_count, sizeof(*mails), by_time);
    middle = mail_count / 2;
    late = mail_count - 1 - mail_count / 100;
    printf("%.6f %.6f\n", (double)mails[middle].reply_ns / CLOCK_NS_PER_SECOND,
           (double)mails[late].reply_ns / CLOCK_NS_PER_SECOND);
    return accepted + refused == mail_count ? 0 : 1;
}
