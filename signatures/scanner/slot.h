/* slot.h: one keeper, with its children, as the parent sees it: forked, ready, dead, forked again.
 *
 * Used by parent.c alone. A slot holds a channel descriptor until the child that shall have it is
 * forked, then a pidfd and its report pipe. News for the dataplane stay in the slot until
 * the socket takes them: never more than one, because a death overtakes a birth.
 *
 * Threads: the parent's one. Memory: embedded in the parent; descriptors are the slot's.
 */
#ifndef SIGNATURES_SCANNER_SLOT_H
#define SIGNATURES_SCANNER_SLOT_H

#include <stdbool.h>

#include "signatures/scanner/keeper.h"
#include "signatures/scanner/parent.h"
#include "signatures/scanner/scratch.h"

enum slot_state {
    SLOT_EMPTY,   /* no channel yet */
    SLOT_WAITING, /* has a channel; forks at start_ns */
    SLOT_RUNNING, /* has a child */
};

struct slot {
    enum slot_state state;
    unsigned number;
    uint32_t epoch;
    int channel_fd;
    pid_t pid;
    int pidfd;
    int report_fd;
    int64_t start_ns;  /* earliest time of the next fork */
    int64_t forked_ns; /* when the child was forked */
    int64_t delay_ns;  /* of the next restart */
    uint32_t news;     /* LINK_READY or LINK_GONE to be sent; 0: none */
    uint32_t news_epoch;
    char text[LINK_TEXT_BYTES];     /* of the news */
    char failed[KEEPER_TEXT_BYTES]; /* its own last words */
};

void slot_init(struct slot *slot, unsigned number);

/* Takes a channel (and its descriptor) for `epoch`; the child follows when its delay is over. */
void slot_offer(struct slot *slot, uint32_t epoch, int channel_fd, int64_t now_ns);

/* Forks the child if it is time. */
void slot_start(struct slot *slot, const struct parent_setting *setting,
                const struct region *region, uint32_t worker_count, const char *base,
                int64_t now_ns);

/* Reads what the child says. True once: when it is ready; `note` is then what it could not do. */
bool slot_hear(struct slot *slot, char note[KEEPER_TEXT_BYTES]);

/* Reaps the child if it has died, and makes that the news. */
void slot_reap(struct slot *slot, int64_t now_ns);

/* SIGKILL for the child of `epoch` and no other. */
void slot_kill(struct slot *slot, uint32_t epoch);

/* Kills and reaps without news: the dataplane is gone. */
void slot_stop(struct slot *slot);

#endif
