/* run_directory.h: the directories a running appliance needs, and the lock that it runs once.
 *
 * `<runtime_directory>/postern.lock` is held (flock) and holds the supervisor's process id for as
 * long as it runs; the kernel lets go of it however the supervisor ends, so there are no stale
 * locks.
 *
 * Main thread, start-up only.
 */
#ifndef CONTROL_COMMAND_RUN_DIRECTORY_H
#define CONTROL_COMMAND_RUN_DIRECTORY_H

#include <stddef.h>
#include <sys/types.h>

#include "platform/status.h"

#define RUN_LOCK_NAME "postern.lock"

/* Makes `path` and what is missing above it with `mode`. What is there already stays as it is.
 * STATUS_SYSTEM with errno, STATUS_BAD_ARGUMENT when the path is too long or not absolute. */
enum status run_directory_make(const char *path, mode_t mode) STATUS_CHECKED;

/* Takes the lock; *fd is closed to let go of it. STATUS_IN_USE: another one runs, and *holder is
 * its process id (0 when it cannot be told). STATUS_SYSTEM with errno. */
enum status run_directory_lock(const char *directory, int *fd, long *holder) STATUS_CHECKED;

#endif
