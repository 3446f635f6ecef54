/* configuration.h: the one reader. Reads and checks the file for all programs, seals it, hands the
 * same number to each, and knows who has it.
 *
 *   configuration_open()      the first, number 1; nothing starts without
 *   configuration_prepare()   a program is about to start: its feed, with the newest in it
 *   configuration_reload()    HUP: checked first; if it is good all hear of it, if not nobody does
 *   configuration_turn()      every turn: answers, the lines about them, and control's view of them
 *
 * A program that has not answered after CONFIGURATION_PATIENCE_NS is named, and again when it has.
 * Threads: the supervisor's one. Memory: one configuration as it was at the start, one descriptor
 * of the newest, one feed a program.
 */
#ifndef CONTROL_COMMAND_CONFIGURATION_H
#define CONTROL_COMMAND_CONFIGURATION_H

#include "platform/config/feed.h"

#define CONFIGURATION_PATIENCE_NS (INT64_C(5) * 1000000000)
#define CONFIGURATION_POLL_NS     (INT64_C(100) * 1000000)

struct configuration_program {
    const char *name; /* borrowed */
    bool always;      /* shown while it does not run, too */
    int feed;         /* ours; -1: not started */
    struct feed_answer answer;
    bool told_late;
};

struct configuration {
    const char *file;     /* borrowed; absolute */
    struct config *start; /* what keys that need a restart are held against */
    int sealed_fd;
    uint32_t number;
    uint64_t digest;
    int64_t offered_ns;
    bool told_waiting; /* that something still goes by an older one */
    unsigned count;
    struct configuration_program programs[FEED_PROGRAMS_MAX];
    bool view_changed;
};

/* Every error is on standard error; EXIT_OK, or the exit code. */
int configuration_open(struct configuration *configuration, const char *file);
void configuration_close(struct configuration *configuration);

/* Names the next program; in the order of the supervisor. `name` is borrowed. One that runs only
 * at times (not `always`) is shown only then. */
void configuration_add(struct configuration *configuration, const char *name, bool always);

/* A new feed for program `index`: the descriptor that it is to inherit, the caller's; or -1. */
int configuration_prepare(struct configuration *configuration, unsigned index, int64_t now_ns);

/* False: the file is bad (said on standard error) and nothing has changed. Else *config is what all
 * hear of, the caller's. */
bool configuration_reload(struct configuration *configuration, struct config **config,
                          int64_t now_ns);

/* Two programs have changed places (supervisor_replace()): so do their feeds. */
void configuration_swap(struct configuration *configuration, unsigned index, unsigned other);

/* Returns when to be called again; INT64_MAX: not before something else happens. */
int64_t configuration_turn(struct configuration *configuration, int64_t now_ns);

#endif
