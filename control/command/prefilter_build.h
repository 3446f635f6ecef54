/* prefilter_build.h: has the prefilter compiled beside the starting appliance.
 *
 * `postern run` starts `postern signatures build --if-changed` when it starts and with each HUP;
 * the dataplane takes the file up by itself when it is there (dataplane/main/prefilter_watch.h).
 * Until then, and when it fails, every message is scanned: slower, never less safe. A build that is
 * asked for while one runs is made after it.
 *
 * Threads: the supervisor's loop. Limits: one child at a time; it ends with us.
 */
#ifndef CONTROL_COMMAND_PREFILTER_BUILD_H
#define CONTROL_COMMAND_PREFILTER_BUILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "platform/config/config.h"

struct prefilter_build {
    char database[CONFIG_PATH_BYTES];
    char file[CONFIG_PATH_BYTES]; /* empty: prefilter.use is no */
    pid_t pid;                    /* 0: none runs */
    bool again;
};

void prefilter_build_init(struct prefilter_build *build, const struct config *config);

/* Starts a build, or remembers to. */
void prefilter_build_start(struct prefilter_build *build);

/* Whenever a child may have ended. */
void prefilter_build_reap(struct prefilter_build *build);

/* Ends a build that still runs. */
void prefilter_build_stop(struct prefilter_build *build);

#endif
