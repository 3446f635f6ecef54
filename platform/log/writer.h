/* writer.h: lines to a log that may not be read: bounded, never waiting, its loss counted.
 *
 * A log is a pipe, a socket or a terminal as often as a file, and whoever reads it may stop. What
 * writes to it serves mail, so a line goes into a queue and from there to the descriptor as far as
 * that takes it at once. A queue that is full loses its newest lines; the loss is counted, and the
 * log says so as soon as somebody reads again.
 *
 * Two queues: what became of mail (and what an operator must know) goes out before what anybody on
 * the network can cause by the thousand (refused commands); neither takes the other's room. Lines
 * of one queue keep their order. A line is never torn by another of the same writer; one of at most
 * PIPE_BUF bytes by no other process either.
 *
 * The descriptor may be shared with the shell or with other programs, so its flags are left alone:
 * a pipe or terminal is opened anew (/proc/self/fd), a socket is sent to with MSG_DONTWAIT, a file
 * takes every write. Where opening anew is not permitted (a pipe of another user's) the writer asks
 * poll() first; another writer of that same pipe could then make it wait.
 *
 * Threads: one, the one that opened it. A fork()ed child must not use its copy (lines would come
 * twice). Memory: log_writer_open() allocates, log_writer_close() frees; nothing in between. Not
 * for packet cores.
 */
#ifndef PLATFORM_LOG_WRITER_H
#define PLATFORM_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#define LOG_WRITER_CHUNK_BYTES 4096u /* a write: PIPE_BUF, so that it is whole or not at all */

enum log_urgency {
    LOG_FIRST, /* mail that was taken or answered; events of the program's own life */
    LOG_LATER, /* what strangers can cause at will */
    LOG_URGENCIES,
};

/* Whole lines, from `head`, wrapping. */
struct log_queue {
    char *bytes;
    size_t size;
    size_t head;
    size_t length;
    uint64_t lost; /* lines, since the last time the log said so */
};

struct log_writer {
    int fd;
    bool own;     /* opened anew: ours to close, does not wait */
    bool socket;  /* sent to */
    bool patient; /* asks poll() before each write: could not be opened anew */
    struct log_queue queues[LOG_URGENCIES];
    char chunk[LOG_WRITER_CHUNK_BYTES]; /* being written: whole lines, or a part of a long one */
    size_t chunk_length;
    size_t chunk_sent;
    struct log_queue *torn; /* a long line's rest is at the head of this queue; null: none */
    uint64_t lost_total;
};

/* Writes to `fd` (borrowed, stays open as long as the writer). Each queue holds `queue_bytes`.
 * STATUS_NO_MEMORY. */
enum status log_writer_open(struct log_writer *writer, int fd, size_t queue_bytes) STATUS_CHECKED;

/* Tries to write what is left, once, and lets go. A writer that was zeroed and never opened may be
 * closed. */
void log_writer_close(struct log_writer *writer);

/* Lets go of what was not written, for a child that got its copy by fork(). */
void log_writer_abandon(struct log_writer *writer);

/* Queues `length` bytes, which are whole lines (each ends with a line feed), and writes what the
 * log takes at once. All of them are lost, and counted, when they find no room. */
void log_writer_add(struct log_writer *writer, enum log_urgency urgency, const char *lines,
                    size_t length);

/* Writes what the log takes now. To be called now and then while log_writer_pending(). */
void log_writer_flush(struct log_writer *writer);

bool log_writer_pending(const struct log_writer *writer);

#endif
