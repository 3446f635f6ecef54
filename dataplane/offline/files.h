/* files.h: the files a command line means, in the order they are reported.
 *
 * A file is itself; a directory is all regular files below it, sorted by name at each level.
 * Symbolic links are followed when named on the command line and skipped inside directories, so
 * there are no loops. What cannot be read is told on standard error and counted.
 *
 * Threads: one. Memory: files_free(). Limits: FILES_DEPTH_MAX levels, FILES_MAX files, paths of
 * PATH_MAX; beyond them it is an error like an unreadable file.
 */
#ifndef DATAPLANE_OFFLINE_FILES_H
#define DATAPLANE_OFFLINE_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

#define FILES_DEPTH_MAX 64u
#define FILES_MAX       1000000u

struct file_entry {
    char *path;
    uint64_t size; /* when it was listed */
};

struct file_list {
    struct file_entry *entries;
    size_t count;
    size_t room;
    unsigned error_count; /* told already */
};

/* Adds what `path` means. STATUS_NO_MEMORY only; everything else is counted in error_count. */
enum status files_add(struct file_list *list, const char *path) STATUS_CHECKED;

void files_free(struct file_list *list);

#endif
