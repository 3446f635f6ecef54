/* generation.h: new signatures without a break.
 *
 * When a reload finds the signature database changed, scanners with the new one are started beside
 * those that serve, as a candidate (platform/link/link.h). Once all of them are ready the dataplane
 * is told to let them serve, and the old ones end. If they cannot load it, the old ones stay and
 * the log says so; the next reload tries again.
 *
 * Whether the database has changed is told by the names, sizes, times and numbers of its files, not
 * by reading it: that is the scanners' to do.
 *
 * Threads: one, the supervisor's. Never waits: a step a turn.
 */
#ifndef CONTROL_COMMAND_GENERATION_H
#define CONTROL_COMMAND_GENERATION_H

#include "control/command/supervisor.h"
#include "platform/config/config.h"

#define GENERATION_ASK_NS INT64_C(200000000) /* between two questions to the dataplane */

struct generation {
    char database[CONFIG_PATH_BYTES]; /* as last told */
    char link_path[CONFIG_PATH_BYTES];
    unsigned serving;   /* the supervisor's program that serves ... */
    unsigned candidate; /* ... and the one for the candidate */
    uint64_t served;    /* fingerprint of what the serving ones have loaded */
    uint64_t wanted;    /* of what the candidate loads; 0: there is no candidate */
    int fd;             /* to the dataplane; -1: none */
    bool welcome;       /* it has answered */
    int64_t ask_ns;     /* when to ask next */
};

/* A number for the database as it is now; 0 when there is none. */
uint64_t generation_fingerprint(const char *database);

/* `serving` and `candidate` are the supervisor's programs. */
void generation_init(struct generation *generation, const struct config *config, unsigned serving,
                     unsigned candidate);

/* The configuration was reloaded: starts a candidate if the database has changed. */
void generation_reload(struct generation *generation, struct supervisor *supervisor,
                       const struct config *config);

/* Every turn; returns when to be called again (INT64_MAX: not for this). */
int64_t generation_turn(struct generation *generation, struct supervisor *supervisor,
                        int64_t now_ns);

void generation_fini(struct generation *generation);

#endif
