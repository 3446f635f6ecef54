#include "platform/log/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/check.h"

_Static_assert(LOG_WRITER_CHUNK_BYTES <= PIPE_BUF, "a chunk is written whole or not at all");

/* -- queue ------------------------------------------------------------------------------------- */

static void log_queue_put(struct log_queue *queue, const char *bytes, size_t length)
{
    size_t tail = (queue->head + queue->length) % queue->size;
    size_t first = length < queue->size - tail ? length : queue->size - tail;

    CHECK(length <= queue->size - queue->length);
    memcpy(queue->bytes + tail, bytes, first);
    memcpy(queue->bytes, bytes + first, length - first);
    queue->length += length;
}

static char log_queue_at(const struct log_queue *queue, size_t offset)
{
    return queue->bytes[(queue->head + offset) % queue->size];
}

static void log_queue_take(struct log_queue *queue, char *to, size_t length)
{
    size_t first = length < queue->size - queue->head ? length : queue->size - queue->head;

    CHECK(length <= queue->length);
    memcpy(to, queue->bytes + queue->head, first);
    memcpy(to + first, queue->bytes, length - first);
    queue->head = (queue->head + length) % queue->size;
    queue->length -= length;
}

/* The longest run of whole lines of at most `most` bytes; 0 when the first line is longer. */
static size_t log_queue_lines(const struct log_queue *queue, size_t most)
{
    size_t length = queue->length < most ? queue->length : most;

    while (length > 0 && log_queue_at(queue, length - 1) != '\n')
        length--;
    return length;
}

/* -- descriptor -------------------------------------------------------------------------------- */

static void log_writer_choose(struct log_writer *writer, int fd)
{
    struct stat kind;
    char path[40];
    int opened;

    writer->fd = fd;
    if (fstat(fd, &kind) != 0 || S_ISREG(kind.st_mode))
        return;
    if (S_ISSOCK(kind.st_mode)) {
        writer->socket = true;
        return;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    opened = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_APPEND);
    writer->own = opened >= 0;
    writer->patient = opened < 0;
    if (opened >= 0)
        writer->fd = opened;
}

/* Bytes written; 0 when the log takes none now; -1 when nobody will ever read them. */
static ssize_t log_writer_write(const struct log_writer *writer, const char *bytes, size_t length)
{
    struct pollfd ready = {.fd = writer->fd, .events = POLLOUT};
    ssize_t wrote;

    if (writer->patient && poll(&ready, 1, 0) <= 0)
        return 0;
    do {
        wrote = writer->socket ? send(writer->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                               : write(writer->fd, bytes, length);
    } while (wrote < 0 && errno == EINTR);
    if (wrote >= 0)
        return wrote;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : -1;
}

/* -- writer ------------------------------------------------------------------------------------ */

enum status log_writer_open(struct log_writer *writer, int fd, size_t queue_bytes)
{
    *writer = (struct log_writer){.fd = -1};
    CHECK(queue_bytes > 0);
    for (unsigned i = 0; i < LOG_URGENCIES; i++) {
        writer->queues[i].bytes = malloc(queue_bytes);
        writer->queues[i].size = queue_bytes;
        if (writer->queues[i].bytes == NULL) {
            log_writer_close(writer);
            return STATUS_NO_MEMORY;
        }
    }
    log_writer_choose(writer, fd);
    return STATUS_OK;
}

void log_writer_close(struct log_writer *writer)
{
    if (log_writer_pending(writer))
        log_writer_flush(writer);
    for (unsigned i = 0; i < LOG_URGENCIES; i++)
        free(writer->queues[i].bytes);
    if (writer->own)
        close(writer->fd);
    *writer = (struct log_writer){.fd = -1};
}

void log_writer_abandon(struct log_writer *writer)
{
    writer->chunk_length = 0;
    for (unsigned i = 0; i < LOG_URGENCIES; i++)
        writer->queues[i].length = 0;
    log_writer_close(writer);
}

bool log_writer_pending(const struct log_writer *writer)
{
    return writer->chunk_length > 0 || writer->queues[LOG_FIRST].length > 0 ||
           writer->queues[LOG_LATER].length > 0;
}

/* The next bytes to write: the rest of a long line, else whole lines, the urgent ones first. */
static void log_writer_load(struct log_writer *writer)
{
    struct log_queue *queue = writer->torn;
    size_t length;

    CHECK(writer->chunk_length == 0);
    if (queue == NULL)
        queue = &writer->queues[writer->queues[LOG_FIRST].length > 0 ? LOG_FIRST : LOG_LATER];
    if (queue->length == 0)
        return;
    if (writer->torn != NULL) {
        length = 0;
        while (length < sizeof(writer->chunk) && length < queue->length &&
               (length == 0 || log_queue_at(queue, length - 1) != '\n'))
            length++;
    } else {
        length = log_queue_lines(queue, sizeof(writer->chunk));
    }
    if (length == 0)
        length = sizeof(writer->chunk);
    log_queue_take(queue, writer->chunk, length);
    writer->torn = writer->chunk[length - 1] == '\n' ? NULL : queue;
    writer->chunk_length = length;
    writer->chunk_sent = 0;
}

/* Says what was lost, once there is room to say it. */
static void log_writer_tell_loss(struct log_writer *writer)
{
    struct log_queue *first = &writer->queues[LOG_FIRST];
    struct log_queue *later = &writer->queues[LOG_LATER];
    char line[160];
    int length;

    if (first->lost == 0 && later->lost == 0)
        return;
    length = snprintf(line, sizeof(line),
                      "log: nobody read it, and lines were lost: %llu, and of refused commands: "
                      "%llu\n",
                      (unsigned long long)first->lost, (unsigned long long)later->lost);
    CHECK(length > 0 && (size_t)length < sizeof(line));
    if ((size_t)length > first->size - first->length)
        return;
    log_queue_put(first, line, (size_t)length);
    first->lost = 0;
    later->lost = 0;
}

void log_writer_flush(struct log_writer *writer)
{
    for (;;) {
        ssize_t wrote;

        if (writer->chunk_length == 0)
            log_writer_load(writer);
        if (writer->chunk_length == 0)
            return;
        wrote = log_writer_write(writer, writer->chunk + writer->chunk_sent,
                                 writer->chunk_length - writer->chunk_sent);
        if (wrote == 0)
            return;
        /* Nobody will ever read it: gone, as it would be from a terminal that was closed. */
        writer->chunk_sent = wrote < 0 ? writer->chunk_length : writer->chunk_sent + (size_t)wrote;
        if (writer->chunk_sent < writer->chunk_length)
            continue;
        writer->chunk_length = 0;
        /* Somebody reads: what is to be said of the loss stands behind what was kept. */
        log_writer_tell_loss(writer);
    }
}

void log_writer_add(struct log_writer *writer, enum log_urgency urgency, const char *lines,
                    size_t length)
{
    struct log_queue *queue = &writer->queues[urgency];

    if (length == 0)
        return;
    CHECK(lines[length - 1] == '\n');
    if (length > queue->size - queue->length)
        log_writer_flush(writer);
    if (length > queue->size - queue->length) {
        for (const char *c = lines; c < lines + length; c++) {
            queue->lost += *c == '\n';
            writer->lost_total += *c == '\n';
        }
        return;
    }
    log_queue_put(queue, lines, length);
    log_writer_flush(writer);
}
