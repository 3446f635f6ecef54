/* child.h: one scanner child: takes jobs, scans, answers. It never returns.
 *
 * Forked by the parent with the engine already loaded (its pages are shared copy-on-write). It
 * gives up everything it does not need (platform/sandbox.h), says so on a pipe, and only then
 * looks at mail. It serves the channels of all workers in turn, one message at a time. When there
 * is nothing to do it spins for some microseconds, then sleeps 20 us growing to 1 ms: packet
 * cores make no system calls, so nobody rings.
 *
 * A job that makes no sense is answered as unscannable. A dataplane that breaks the ring ends the
 * child. A message that takes twice its time limit and five seconds ends the child too (SIGALRM),
 * should nobody have killed it by then.
 *
 * Threads: one. Memory: the region is read-only; the channel memory is the only thing it shares
 * for writing.
 */
#ifndef SIGNATURES_SCANNER_CHILD_H
#define SIGNATURES_SCANNER_CHILD_H

#include <sys/types.h>

#include "platform/link/region.h"
#include "signatures/scanner/engine.h"

#define CHILD_TEXT_BYTES 240u

/* What a child tells its parent on the pipe: once, and whole (shorter than PIPE_BUF). */
enum child_said { CHILD_READY = 1, CHILD_FAILED };

struct child_report {
    uint32_t said;               /* enum child_said */
    char text[CHILD_TEXT_BYTES]; /* READY: sandbox steps not taken, or empty; FAILED: why */
};

struct child_setting {
    struct engine *engine;
    const struct region *region;
    int channel_fd;        /* becomes the child's */
    uint32_t worker_count; /* channels in it */
    int report_fd;         /* pipe to the parent */
    pid_t parent;
    const char *user;             /* null: stay */
    const char *scratch;          /* its own directory */
    uint64_t scratch_bytes;       /* tmpfs size */
    uint64_t memory_bytes;        /* address space on top of what is mapped */
    int64_t time_limit_ns;        /* of a message */
    const struct core_map *cores; /* where to run, as number `number`; null: anywhere */
    unsigned number;
};

void child_run(const struct child_setting *setting) __attribute__((noreturn));

#endif
