#include "signatures/scanner/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH_DEPTH_MAX 64
#define SCRATCH_TRIES_MAX 100
#define SCRATCH_NAME      "postern-scanner."

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

/* Locked by us; -1 when it is in use, not ours, or no directory. */
static int scratch_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat opened;
    struct stat named;

    if (fd < 0)
        return -1;
    /* Gone under our hands: whoever had the lock before us has removed it. */
    if (fstat(fd, &opened) == 0 && opened.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && lstat(path, &named) == 0 &&
        named.st_ino == opened.st_ino && named.st_dev == opened.st_dev)
        return fd;
    close(fd);
    return -1;
}

/* What was left by those who were killed. */
static void scratch_sweep(const char *parent)
{
    DIR *directory = opendir(parent);
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[SCRATCH_PATH_BYTES];
        int length = snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name);
        int lock;

        if (strncmp(entry->d_name, SCRATCH_NAME, sizeof(SCRATCH_NAME) - 1) != 0 || length < 0 ||
            (size_t)length >= sizeof(path))
            continue;
        lock = scratch_lock(path);
        if (lock < 0)
            continue;
        scratch_remove(path);
        close(lock);
    }
    if (directory != NULL)
        (void)closedir(directory);
}

enum status scratch_make(const char *parent, char path[SCRATCH_PATH_BYTES], int *lock)
{
    *lock = -1;
    scratch_sweep(parent);
    /* One that another sweeps away before we have locked it is made again. */
    for (unsigned i = 0; i < SCRATCH_TRIES_MAX && *lock < 0; i++) {
        int length = snprintf(path, SCRATCH_PATH_BYTES, "%s/" SCRATCH_NAME "XXXXXX", parent);

        if (length < 0 || (size_t)length >= SCRATCH_PATH_BYTES)
            return STATUS_BAD_ARGUMENT;
        if (mkdtemp(path) == NULL)
            return STATUS_SYSTEM;
        *lock = scratch_lock(path);
    }
    return *lock >= 0 && chmod(path, 0711) == 0 ? STATUS_OK : STATUS_SYSTEM;
}
