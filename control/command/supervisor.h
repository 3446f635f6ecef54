/* supervisor.h: keeps a few programs running, and ends them in the right order.
 *
 * Each program is started as `PATH --config-fd N` with the descriptor that watch.prepare() gives
 * (configuration.h), or as `PATH -c FILE` where there is none, in a process group of its own (so
 * that a Ctrl-C at the terminal reaches the supervisor alone, which then keeps the order below),
 * and dies with the supervisor (SIGTERM by PR_SET_PDEATHSIG). Its output is the supervisor's
 * output.
 *
 *   a program dies          started again: after a twentieth of its life when it lived at_once_ns,
 *                           else after times.backoff_first_ns, doubling; never later than
 *                           backoff_max_ns. One line says so
 *   it ends with 78 or 2    before the appliance has ever been ready: bad configuration or usage,
 *                           the others are stopped and the run ends with that code. Later: started
 *                           again as one that dies at once, for as long as it takes
 *   it ends with 1 within   early_ns, early_deaths_max times in a row, before the appliance has
 *                           ever been ready: the run ends with 1
 *   SIGTERM, SIGINT         SIGTERM to the first program, which drains; when it has ended (or after
 *                           drain_ns) to the others; SIGKILL to what is left after stop_ns more.
 *                           A second signal skips the draining. The run ends with 0
 *   SIGHUP                  watch.reload(); the programs hear of it on their descriptors, or, where
 *                           they have none, by a SIGHUP of their own if it agrees
 *
 * Threads: one, which must be the process's only one (signals are blocked and read from a
 * signalfd). Waits in poll(); no busy loop, no sleep. Memory: the caller's struct; nothing
 * allocated.
 */
#ifndef CONTROL_COMMAND_SUPERVISOR_H
#define CONTROL_COMMAND_SUPERVISOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/status.h"

#define SUPERVISOR_PROGRAMS_MAX 4u
#define SUPERVISOR_AWAY_SHARE   20 /* of its life: how long one that worked stays away */

struct supervisor_times {
    int64_t backoff_first_ns;
    int64_t backoff_max_ns;
    int64_t at_once_ns; /* a shorter life is none */
    int64_t early_ns;
    unsigned early_deaths_max;
    int64_t drain_ns;
    int64_t stop_ns;
};

/* What `postern run` uses; tests shorten it. */
extern const struct supervisor_times supervisor_times_default;

struct supervisor_program {
    const char *name;   /* for the lines about it; borrowed */
    const char *path;   /* borrowed */
    const char *option; /* after the configuration; null: none */
    bool once;          /* started when told, and not again */
    pid_t pid;          /* 0: not running */
    int64_t started_ns;
    int64_t start_ns;   /* not running: when to start it (INT64_MAX: never) */
    int64_t backoff_ns; /* the next pause */
    unsigned early_deaths;
    unsigned restart_count;
    char last_end[96]; /* how it last ended, in words; empty: never */
};

/* What else goes on in the supervisor's loop. Any function may be null. */
struct supervisor_watch {
    void *context;
    /* SIGHUP came: true to forward it to the programs. */
    bool (*reload)(void *context);
    /* Program `index` (in the order of supervisor_add()) is about to start: the descriptor with
     * which it learns its configuration, the supervisor's from then on; or -1: it reads the file.
     */
    int (*prepare)(void *context, unsigned index, int64_t now_ns);
    /* Program `once` has taken the place of `index` (supervisor_replace()). */
    void (*replaced)(void *context, unsigned index, unsigned once);
    /* Called every turn until the run is ending: does what is due and returns when to be called
     * again (monotonic; INT64_MAX: only when the descriptor stirs). *fd is set to a descriptor to
     * watch for *events, or -1. */
    int64_t (*turn)(void *context, int64_t now_ns, int *fd, short *events);
};

enum supervisor_phase {
    SUPERVISOR_RUNNING,
    SUPERVISOR_DRAINING,
    SUPERVISOR_STOPPING,
    SUPERVISOR_KILLED
};

struct supervisor {
    const char *config_file;
    const struct supervisor_watch *watch; /* while it runs */
    struct supervisor_times times;
    unsigned program_count;
    struct supervisor_program programs[SUPERVISOR_PROGRAMS_MAX];
    enum supervisor_phase phase;
    int64_t phase_deadline_ns; /* INT64_MAX while running */
    bool served;               /* all of it was ready once */
    int exit_code;
    int signal_fd;
    sigset_t saved_mask;
};

/* Blocks the signals it handles. Then set programs with supervisor_add(); the first one added is
 * the one that drains. STATUS_SYSTEM. */
enum status supervisor_open(struct supervisor *supervisor, const char *config_file,
                            const struct supervisor_times *times) STATUS_CHECKED;

void supervisor_add(struct supervisor *supervisor, const char *name, const char *path);

/* A program that runs beside the others, when it is told to and once each time: started as
 * `PATH -c FILE OPTION`. Returns its number. */
unsigned supervisor_add_once(struct supervisor *supervisor, const char *name, const char *path,
                             const char *option);
void supervisor_start_once(struct supervisor *supervisor, unsigned index);

/* 0: it does not run and will not by itself. */
pid_t supervisor_pid(const struct supervisor *supervisor, unsigned index);

/* How it last ended, in words; empty: never. */
const char *supervisor_last_end(const struct supervisor *supervisor, unsigned index);

/* The process that runs as `once` takes the place of that of `index`, which is told to end. */
void supervisor_replace(struct supervisor *supervisor, unsigned index, unsigned once);

/* The appliance is ready: from now on no program's end is the end of the run. */
void supervisor_served(struct supervisor *supervisor);

/* Starts the programs and runs until all have ended; returns the exit code. */
int supervisor_run(struct supervisor *supervisor, const struct supervisor_watch *watch);

/* Restores the signal mask. */
void supervisor_close(struct supervisor *supervisor);

#endif
