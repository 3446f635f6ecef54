#include "signatures/scanner/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH_DEPTH_MAX 64

enum status scratch_make(const char *parent, char path[SCRATCH_PATH_BYTES])
{
    int length = snprintf(path, SCRATCH_PATH_BYTES, "%s/postern-scanner.XXXXXX", parent);

    if (length < 0 || (size_t)length >= SCRATCH_PATH_BYTES)
        return STATUS_BAD_ARGUMENT;
    if (mkdtemp(path) == NULL || chmod(path, 0711) != 0)
        return STATUS_SYSTEM;
    return STATUS_OK;
}

/* Bounded by the depth, and by each entry being removed once: nobody else writes here by now.
 * Directories are opened without following links, so a planted link leads nowhere. */
static bool empty_at(int fd, int depth)
{
    DIR *directory = fdopendir(fd);
    bool done = true;
    struct dirent *entry;

    if (directory == NULL) {
        close(fd);
        return false;
    }
    while ((entry = readdir(directory)) != NULL) {
        int child;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(directory), entry->d_name, 0) == 0)
            continue;
        child = openat(dirfd(directory), entry->d_name,
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 || depth == 0) {
            if (child >= 0)
                close(child);
            done = false;
            continue;
        }
        done = empty_at(child, depth - 1) && done;
        if (unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR) != 0)
            done = false;
    }
    (void)closedir(directory);
    return done;
}

enum status scratch_empty(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return STATUS_SYSTEM;
    return empty_at(fd, SCRATCH_DEPTH_MAX) ? STATUS_OK : STATUS_SYSTEM;
}

enum status scratch_make_slot(const char *base, unsigned slot, uint32_t uid, uint32_t gid,
                              char path[SCRATCH_PATH_BYTES])
{
    int length = snprintf(path, SCRATCH_PATH_BYTES, "%s/%u", base, slot);

    if (length < 0 || (size_t)length >= SCRATCH_PATH_BYTES)
        return STATUS_BAD_ARGUMENT;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return STATUS_SYSTEM;
    if (geteuid() == 0 && chown(path, uid, gid) != 0)
        return STATUS_SYSTEM;
    return scratch_empty(path);
}

void scratch_remove(const char *path)
{
    (void)!scratch_empty(path);
    (void)rmdir(path);
}
