#include "dataplane/main/library_version.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/program.h"

#define VERSION_LINE "version "

/* In the child: never returns. */
static void version_become(const char *path, int output, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(output, STDOUT_FILENO) >= 0)
        (void)execl(path, path, "--describe", (char *)NULL);
    _exit(127);
}

/* Reads until `text` has a whole line. */
static enum status version_read(int from, char *text, size_t size)
{
    int64_t end_ns = clock_monotonic_ns() + LIBRARY_VERSION_MS * CLOCK_NS_PER_MS;
    size_t length = 0;

    while (memchr(text, '\n', length) == NULL) {
        struct pollfd polls = {.fd = from, .events = POLLIN};
        int64_t left_ns = end_ns - clock_monotonic_ns();
        ssize_t count;

        if (left_ns <= 0)
            return STATUS_TIMED_OUT;
        if (length + 1 >= size)
            return STATUS_BAD_FORMAT;
        if (poll(&polls, 1, (int)(left_ns / CLOCK_NS_PER_MS) + 1) <= 0)
            continue;
        count = read(from, text + length, size - length - 1);
        if (count <= 0)
            return STATUS_BAD_FORMAT;
        length += (size_t)count;
    }
    text[length] = '\0';
    return STATUS_OK;
}

/* What is on the first line. */
static enum status version_take(const char *text, char *version, size_t size)
{
    size_t length = strcspn(text, "\n");

    if (length <= sizeof(VERSION_LINE) - 1 ||
        memcmp(text, VERSION_LINE, sizeof(VERSION_LINE) - 1) != 0 ||
        length - (sizeof(VERSION_LINE) - 1) >= size)
        return STATUS_BAD_FORMAT;
    length -= sizeof(VERSION_LINE) - 1;
    memcpy(version, text + sizeof(VERSION_LINE) - 1, length);
    version[length] = '\0';
    return STATUS_OK;
}

enum status library_version(char *version, size_t size)
{
    char path[PATH_MAX];
    char text[4096] = "";
    enum status status = program_find("postern-scanner", path, sizeof(path));
    pid_t parent = getpid();
    pid_t process;
    int ends[2];

    version[0] = '\0';
    if (status != STATUS_OK)
        return status;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return STATUS_SYSTEM;
    process = fork();
    if (process == 0)
        version_become(path, ends[1], parent);
    close(ends[1]);
    status = process < 0 ? STATUS_SYSTEM : version_read(ends[0], text, sizeof(text));
    close(ends[0]);
    if (process > 0) {
        (void)kill(process, SIGKILL); /* the rest is of no interest */
        while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    return status == STATUS_OK ? version_take(text, version, size) : status;
}
