#include "platform/program.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Where there is no limit at all, as many as anybody will need. */
#define PROGRAM_DESCRIPTORS_MAX 1048576u

void program_start(void)
{
    struct rlimit limit;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGUSR1, SIG_IGN);
    (void)signal(SIGUSR2, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

unsigned program_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > PROGRAM_DESCRIPTORS_MAX)
        return PROGRAM_DESCRIPTORS_MAX;
    return (unsigned)limit.rlim_cur;
}

enum status program_find(const char *name, char *path, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;
    char other[PATH_MAX];
    int used;

    if (length <= 0)
        return STATUS_SYSTEM;
    self[length] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL)
        return STATUS_SYSTEM;
    *slash = '\0';
    used = snprintf(path, size, "%s/%s", self, name);
    if (used < 0 || (size_t)used >= size)
        return STATUS_NO_SPACE;
    if (access(path, X_OK) == 0)
        return STATUS_OK;
    used = snprintf(other, sizeof(other), "%s/../libexec/postern/%s", self, name);
    if (used < 0 || (size_t)used >= sizeof(other) || (size_t)used >= size)
        return STATUS_NOT_FOUND;
    if (access(other, X_OK) != 0)
        return STATUS_NOT_FOUND;
    memcpy(path, other, (size_t)used + 1);
    return STATUS_OK;
}
