#include "control/command/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status run_directory_make_one(const char *path, mode_t mode)
{
    struct stat file;

    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0 ? STATUS_OK : STATUS_SYSTEM; /* whatever the umask is */
    if (errno != EEXIST)
        return STATUS_SYSTEM;
    if (stat(path, &file) != 0)
        return STATUS_SYSTEM;
    if (S_ISDIR(file.st_mode))
        return STATUS_OK;
    errno = ENOTDIR;
    return STATUS_SYSTEM;
}

enum status run_directory_make(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    size_t length = strlen(path);

    if (path[0] != '/' || length >= sizeof(part))
        return STATUS_BAD_ARGUMENT;
    for (size_t i = 1; i <= length; i++) {
        enum status status;

        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        /* The directories above are for everyone to pass through. */
        status = run_directory_make_one(part, i == length ? mode : 0755);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static long run_directory_holder(int fd)
{
    char text[32];
    ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

    if (length <= 0)
        return 0;
    text[length] = '\0';
    return strtol(text, NULL, 10);
}

enum status run_directory_lock(const char *directory, int *fd, long *holder)
{
    char path[PATH_MAX];
    char text[32];
    int length;

    *holder = 0;
    if (snprintf(path, sizeof(path), "%s/%s", directory, RUN_LOCK_NAME) >= (int)sizeof(path))
        return STATUS_BAD_ARGUMENT;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return STATUS_SYSTEM;
    /* Whoever may read a file may lock it, and so keep us from starting. */
    if (fchmod(*fd, 0600) != 0) {
        close(*fd);
        *fd = -1;
        return STATUS_SYSTEM;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        enum status status = errno == EWOULDBLOCK ? STATUS_IN_USE : STATUS_SYSTEM;
        int saved = errno;

        *holder = run_directory_holder(*fd);
        close(*fd);
        *fd = -1;
        errno = saved;
        return status;
    }
    length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(*fd, 0) == 0 && pwrite(*fd, text, (size_t)length, 0) == length)
        return STATUS_OK;
    close(*fd);
    *fd = -1;
    return STATUS_SYSTEM;
}
