/* programs.h: what the supervisor says of its programs, where `postern status` finds it.
 *
 * `postern run` writes `<runtime_directory>/programs.json` whenever a program starts or ends; the
 * status shows it beside what control says. So that a program that keeps ending (a database that
 * cannot be loaded, a configuration half edited) is seen without reading the log.
 *
 * Threads: one. The file is replaced in one step; readers never see half of it.
 */
#ifndef CONTROL_COMMAND_PROGRAMS_H
#define CONTROL_COMMAND_PROGRAMS_H

#include <jansson.h>

#include "control/command/supervisor.h"

#define PROGRAMS_NAME "programs.json"

struct programs_file {
    char path[128];
    unsigned long written; /* a sum over what was written; 0: nothing yet */
};

void programs_init(struct programs_file *file, const char *runtime_directory);

/* Writes if anything has changed. A file that cannot be written is no reason to stop. */
void programs_write(struct programs_file *file, const struct supervisor *supervisor);

/* The run has ended. */
void programs_remove(const struct programs_file *file);

/* Reads it for the status socket at `socket` and joins it to the `programs` of `status`: one row a
 * program, with what the supervisor and what control says of it. Nothing happens when there is no
 * file. */
void programs_join(json_t *status, const char *socket);

#endif
