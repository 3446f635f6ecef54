/* program.h: where the other programs of the appliance are.
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

/* Writes the path of program `name` into `path`. STATUS_NOT_FOUND when there is no such executable
 * in either place (then `path` holds the first place tried), STATUS_NO_SPACE when it is too long.
 */
enum status program_find(const char *name, char *path, size_t size) STATUS_CHECKED;

#endif
