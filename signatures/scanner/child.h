/* child.h: one scanner child: takes one message, scans it, answers, and is no more.
 *
 * Forked by its keeper (keeper.h) with the engine already loaded (its pages are shared
 * copy-on-write). It has never seen another message, and never will: neither the messages' memory
 * nor the channels are in it, its message comes as a copy in a file that it can only read. Before
 * it looks at it, it has given up everything else (platform/sandbox.h, jail.h), and said so.
 *
 * Threads: one. Memory: the engine's; descriptors: the two of its setting and standard error.
 */
#ifndef SIGNATURES_SCANNER_CHILD_H
#define SIGNATURES_SCANNER_CHILD_H

#include <sys/types.h>

#include "platform/sandbox.h"
#include "signatures/scanner/engine.h"

/* What it says to its keeper: once that it is ready (or why not), once what it found. */
enum child_said { CHILD_READY = 1, CHILD_FAILED, CHILD_FOUND };

struct child_word {
    uint32_t said;             /* enum child_said */
    struct scan_result result; /* FOUND: what examine.h fills */
    char text[WHY_BYTES];      /* READY: steps not taken, or empty; FAILED: why */
};

/* What its keeper says: here is your message. */
struct child_order {
    uint32_t length; /* bytes of it in the inbox */
    uint32_t flags;  /* the job's */
};

struct child_setting {
    struct engine *engine;
    const struct sandbox *sandbox; /* enclosed already */
    uint32_t uid;                  /* to become */
    uint32_t gid;
    int keeper; /* socket: an order comes, words go */
    int inbox;  /* its message, readable only */
    pid_t parent;
};

void child_run(const struct child_setting *setting) __attribute__((noreturn));

#endif
