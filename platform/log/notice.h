/* notice.h: what a program says of its own life on standard error: one plain line an event (linked,
 * link lost, a route down or up, a reload), never one a message.
 *
 * Control bytes in the text (a peer's words may be part of it) are shown as '?': no forged lines.
 * The lines go through a writer that never waits (writer.h): who does not read them loses them, and
 * is told how many.
 *
 * What may be said again and again while nothing changes (no descriptor left, a bad answer) goes
 * through notice_seldom(), which says it once in NOTICE_SELDOM_NS and how often it was left out.
 *
 * Threads: the main thread of a process. A fork()ed child calls notice_forked() first.
 */
#ifndef PLATFORM_LOG_NOTICE_H
#define PLATFORM_LOG_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#define NOTICE_LINE_BYTES  1024u
#define NOTICE_QUEUE_BYTES 65536u
#define NOTICE_SELDOM_NS   INT64_C(60000000000)

/* Names the program, a literal ("postern-control"), and takes hold of standard error; to be called
 * at the start, before privileges are given up. Without it lines begin with "postern". */
void notice_open(const char *program);

/* Writes "PROGRAM: TEXT\n", cut at NOTICE_LINE_BYTES. */
void notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One thing that is said seldom; zeroed, it has never been said. */
struct notice_seldom {
    bool said;
    int64_t said_ns;
    uint64_t left_out;
};

void notice_seldom(struct notice_seldom *seldom, int64_t now_ns, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes what is still waiting; true while some of it is. */
bool notice_flush(void);

/* Forgets what its parent has yet to write. */
void notice_forked(void);

#endif
