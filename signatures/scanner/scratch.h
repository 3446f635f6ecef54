/* scratch.h: directories for temporary files, one for each scanner child.
 *
 * The parent makes one base directory with a sub-directory for each slot; a child mounts its own
 * tmpfs over it where it can. What libclamav leaves behind is removed after each message, or a
 * long-lived child would run out of space.
 *
 * Threads: one. Memory: paths in the caller's buffers. Not hot.
 */
#ifndef SIGNATURES_SCANNER_SCRATCH_H
#define SIGNATURES_SCANNER_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#define SCRATCH_PATH_BYTES 256u

/* Makes a new directory under `parent` (searchable by all, listable by none but us), and removes
 * those of ours that others left there when they were killed: who lives holds a lock on his. *lock
 * is the caller's to close, after scratch_remove(). */
enum status scratch_make(const char *parent, char path[SCRATCH_PATH_BYTES],
                         int *lock) STATUS_CHECKED;

/* Makes the directory of `slot` under `base`, mode 0700, of `uid`:`gid`, and empties it. */
enum status scratch_make_slot(const char *base, unsigned slot, uint32_t uid, uint32_t gid,
                              char path[SCRATCH_PATH_BYTES]) STATUS_CHECKED;

/* Removes all that is in `path`, to 64 levels; STATUS_SYSTEM when something is left. */
enum status scratch_empty(const char *path) STATUS_CHECKED;

/* Removes `path` and all in it, as far as it can. */
void scratch_remove(const char *path);

#endif
