/* program.h: what every program of the appliance begins with, and where the others are.
 *
 * The programs stand together: in the directory of the running executable, or (when only `postern`
 * itself is on the path) in ../libexec/postern/ beside it. PATH is never searched, so that nobody's
 * environment decides what runs as root.
 *
 * Main thread, start-up only. No state.
 */
#ifndef PLATFORM_PROGRAM_H
#define PLATFORM_PROGRAM_H

#include <stddef.h>

#include "platform/status.h"

/* The first thing in main():
 *   - a peer that has gone is an error of write(), not the end (SIGPIPE);
 *   - USR1 and USR2 mean nothing yet and end nothing (a log rotation's habit of sending USR1 would
 *     otherwise end the appliance);
 *   - as many descriptors as the hard limit allows: the soft one is for programs that use select().
 */
void program_start(void);

/* Descriptors this process may have open. */
unsigned program_descriptors(void);

/* Writes the path of program `name` into `path`. STATUS_NOT_FOUND when there is no such executable
 * in either place (then `path` holds the first place tried), STATUS_NO_SPACE when it is too long.
 */
enum status program_find(const char *name, char *path, size_t size) STATUS_CHECKED;

#endif
