/* role.h: who each process of the appliance is. One table, from which the programs take how they
 * begin, the supervisor what to start and in which order to end it, and docs/architecture.md its
 * table of processes (a test compares them).
 *
 * What is in a row: the program, whose user it is, which cores it runs on, its sandbox, how many
 * descriptors it wants, and how ready the kernel shall be to kill it when memory is short. A
 * process takes each of them from its row, by a function below, and from nowhere else; a test looks
 * at the processes of a running appliance. Scanner children go first: each costs one message a
 * retry. The dataplane and the supervisor go last: they cost every sender its connection.
 *
 * Threads: main, at the start of a process. No state, no memory.
 */
#ifndef PLATFORM_ROLE_H
#define PLATFORM_ROLE_H

#include "platform/config/config.h"
#include "platform/cores.h"
#include "platform/sandbox.h"

enum role_user { ROLE_USER_ROOT, ROLE_USER_CONTROL, ROLE_USER_SCANNER };

/* Where it runs. */
enum role_cores {
    ROLE_CORES_ANY,
    ROLE_CORES_DATAPLANE, /* main and workers; its threads bind themselves to one each */
    ROLE_CORES_CONTROL,
    ROLE_CORES_SCANNERS, /* all of them */
    ROLE_CORES_SCANNER,  /* one of them, by its number */
};

/* What it gives up before it hears from anybody. */
enum role_sandbox {
    ROLE_SANDBOX_NONE,
    ROLE_SANDBOX_NO_ROOT, /* root, where it was, and new privileges */
    ROLE_SANDBOX_ALL,     /* all there is in sandbox.h */
};

/* X(NAME, program, USER, CORES, SANDBOX, descriptors, oom_score_adj)
 * In the order of their end: the dataplane drains while those below still serve it. */
#define ROLE_LIST(X)                                                      \
    X(SUPERVISOR, "postern run", ROOT, ANY, NONE, 1024, -900)             \
    X(DATAPLANE, "postern-dataplane", ROOT, DATAPLANE, NONE, 65536, -800) \
    X(CONTROL, "postern-control", CONTROL, CONTROL, NO_ROOT, 65536, -300) \
    X(SCANNER, "postern-scanner", ROOT, SCANNERS, NONE, 16384, 0)         \
    X(SCANNER_CHILD, "its children", SCANNER, SCANNER, ALL, 256, 900)     \
    X(PREFILTER_BUILD, "postern signatures build", ROOT, ANY, NONE, 1024, 800)

enum role {
#define X(name, ...) ROLE_##name,
    ROLE_LIST(X)
#undef X
        ROLE_COUNT
};

struct role_row {
    const char *program;
    enum role_user user;
    enum role_cores cores;
    enum role_sandbox sandbox;
    unsigned files;    /* descriptors wanted; of ROLE_SANDBOX_ALL, never more */
    int oom_score_adj; /* proc(5): -1000 (never) .. 1000 (first) */
};

/* As docs/architecture.md says it. */
const char *role_user_text(enum role_user user);
const char *role_cores_text(enum role_cores cores);
const char *role_sandbox_text(enum role_sandbox sandbox);

/* Borrowed for ever. */
const struct role_row *role_row(enum role role);

/* The first thing a process does: program_start(), then what its role adds: the hard limit of
 * descriptors where it is below what the role wants (root alone may), and how ready it is to be
 * killed. What the kernel forbids stays as it was: without root a score cannot be lowered. Returns
 * the descriptors it may have. */
unsigned role_begin(enum role role);

/* The user it runs as, of the configuration; null: it stays who it is. */
const char *role_user(enum role role, const struct config *config);

/* Binds this process (one thread so far) to the cores of its role; those without any stay where
 * they are. `number` counts those of a role, of which each has one core. */
enum status role_bind(enum role role, const struct core_map *map, unsigned number) STATUS_CHECKED;

/* The sandbox of a role with that user (null: who it is), for role_confine(); whoever it is for
 * adds its scratch directory and the sizes. */
struct sandbox role_sandbox(enum role role, const char *user);

/* Gives up what its role says, by role_sandbox(); of a role with all of it the outer half: each of
 * its children enters the inner one by itself (sandbox_enter()). Errors and `why` are sandbox.h's.
 */
enum status role_confine(enum role role, struct sandbox *sandbox, struct why *why) STATUS_CHECKED;

/* The programs that the supervisor starts, in the order of their end. */
#define ROLE_STARTED_COUNT 3u
extern const enum role role_started[ROLE_STARTED_COUNT];

#endif
