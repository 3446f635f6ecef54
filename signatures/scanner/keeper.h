/* keeper.h: what stands between the messages and the process that parses them. It never returns.
 *
 * Each slot of the dataplane's is served by a keeper, forked by the parent. It takes jobs from the
 * channels of all workers in turn, copies the message into its inbox (a file in memory), hands it
 * to a child (child.h), checks the child's word and answers. It never looks at mail itself.
 *
 * A child serves one message: whatever hostile mail may do to the process that unpacks it, it has
 * seen no other message, has none in its memory and gets no other, and so no other verdict comes
 * from it. The next child is forked while there is no work. The messages' memory and the channels
 * are not inherited (MADV_DONTFORK); the inbox is emptied before the next child is made.
 *
 * Namespaces and the empty root are the keeper's, too, and its children's by inheritance; where
 * root allows it, it is the first process of a namespace of its own, so that its children see no
 * process but it and all of them end with it.
 *
 * When there is nothing to do it spins for some microseconds, then sleeps 20 us growing to 1 ms:
 * packet cores make no system calls, so nobody rings. A job that makes no sense is answered as
 * unscannable. A dataplane that breaks the ring ends the keeper. So does a child that ends without
 * an answer, or takes twice its time limit and five seconds: the dataplane hears that the slot is
 * gone, and how the child ended is in the log.
 *
 * Threads: one. Memory: one message at a time in the inbox.
 */
#ifndef SIGNATURES_SCANNER_KEEPER_H
#define SIGNATURES_SCANNER_KEEPER_H

#include <sys/types.h>

#include "platform/cores.h"
#include "platform/link/region.h"
#include "signatures/scanner/engine.h"

#define KEEPER_TEXT_BYTES 240u

/* What a keeper tells the parent on its pipe, each whole (shorter than PIPE_BUF): that it is ready,
 * and before it ends, why. */
enum keeper_said { KEEPER_READY = 1, KEEPER_ENDS };

struct keeper_report {
    uint32_t said;                /* enum keeper_said */
    char text[KEEPER_TEXT_BYTES]; /* READY: sandbox steps not taken, or empty; ENDS: why */
};

struct keeper_setting {
    struct engine *engine;
    const struct region *region;
    int channel_fd;               /* becomes the keeper's */
    uint32_t worker_count;        /* channels in it */
    int report_fd;                /* pipe to the parent */
    const char *user;             /* of its children; null: stay */
    const char *scratch;          /* the slot's own directory */
    uint64_t scratch_bytes;       /* tmpfs size */
    uint64_t memory_bytes;        /* a child's address space on top of the engine's */
    int64_t time_limit_ns;        /* of a message */
    const struct core_map *cores; /* where to run, as number `number`; null: anywhere */
    unsigned number;
};

void keeper_run(const struct keeper_setting *setting) __attribute__((noreturn));

#endif
