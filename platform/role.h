/* role.h: who each process of the appliance is. One table, from which the programs take how they
 * begin, the supervisor what to start and in which order to end it, and docs/architecture.md its
 * table of processes (a test compares them).
 *
 * What is in a row: the program, whose user it is, which cores it runs on, its sandbox, how many
 * descriptors it wants, and how ready the kernel shall be to kill it when memory is short. Scanner
 * children go first: each costs one message a retry. The dataplane and the supervisor go last: they
 * cost every sender its connection.
 *
 * Threads: main, at the start of a process. No state, no memory.
 */
#ifndef PLATFORM_ROLE_H
#define PLATFORM_ROLE_H

#include "platform/config/config.h"
#include "platform/cores.h"

/* X(NAME, program, runs as, cores, sandbox, descriptors, oom_score_adj)
 * In the order of their end: the dataplane drains while those below still serve it. */
#define ROLE_LIST(X)                                                                               \
    X(SUPERVISOR, "postern run", "root", "any", "none", 1024, -900)                                \
    X(DATAPLANE, "postern-dataplane", "root (for the port)", "`cores.main`, `cores.workers`",      \
      "none", 65536, -800)                                                                         \
    X(CONTROL, "postern-control", "`control.user`", "`cores.control`",                             \
      "no root, no new privileges", 65536, -300)                                                   \
    X(SCANNER, "postern-scanner", "root (never looks at mail)", "`cores.scanners`", "none", 16384, \
      0)                                                                                           \
    X(SCANNER_CHILD, "its children", "`scanner.user`", "one of `cores.scanners` each",             \
      "[all of it](scanner.md)", 256, 900)                                                         \
    X(PREFILTER_BUILD, "postern signatures build", "root", "any", "none", 1024, 800)

enum role {
#define X(name, ...) ROLE_##name,
    ROLE_LIST(X)
#undef X
        ROLE_COUNT
};

struct role_row {
    const char *program;
    const char *runs_as;
    const char *cores;
    const char *sandbox;
    unsigned files;    /* descriptors wanted */
    int oom_score_adj; /* proc(5): -1000 (never) .. 1000 (first) */
};

/* Borrowed for ever. */
const struct role_row *role_row(enum role role);

/* The first thing a process does: program_start(), then what its role adds: the hard limit of
 * descriptors where it is below what the role wants (root alone may), and how ready it is to be
 * killed. What the kernel forbids stays as it was: without root a score cannot be lowered. Returns
 * the descriptors it may have. */
unsigned role_begin(enum role role);

/* The user it runs as, of the configuration; null: it stays who it is. */
const char *role_user(enum role role, const struct config *config);

/* The programs that the supervisor starts, in the order of their end. */
#define ROLE_STARTED_COUNT 3u
extern const enum role role_started[ROLE_STARTED_COUNT];

#endif
