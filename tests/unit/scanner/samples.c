#include "tests/unit/scanner/samples.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char samples[] = "/tmp/postern-scanner-test.XXXXXX";

const char *sample(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *to = path[turn++ % 4];

    (void)snprintf(to, sizeof(path[0]), "%s/%s", samples, name);
    return to;
}

static int run(const char *const *argv)
{
    pid_t pid = fork();
    int how = -1;

    if (pid == 0) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &how, 0) == pid ? how : -1;
}

int samples_make(void **state)
{
    const char *script = getenv("MAKE_SAMPLES");
    const char *argv[] = {"/usr/bin/python3", script, samples, TESTFILES, NULL};

    (void)state;
    /* Any user may read the samples and scan in tmp: one test drops root. */
    if (script == NULL || mkdtemp(samples) == NULL || chmod(samples, 0755) != 0 ||
        mkdir(sample("tmp"), 0777) != 0 || chmod(sample("tmp"), 01777) != 0 ||
        setenv("TMPDIR", sample("tmp"), 1) != 0)
        return -1;
    return run(argv) == 0 ? 0 : -1;
}

bool samples_scratch_is_empty(void)
{
    DIR *directory = opendir(sample("tmp"));
    unsigned count = 0;

    if (directory == NULL)
        return false;
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count == 2; /* . and .. */
}

int samples_remove(void **state)
{
    const char *argv[] = {"/bin/rm", "-r", samples, NULL};
    bool clean = samples_scratch_is_empty();

    (void)state;
    return run(argv) == 0 && clean ? 0 : -1;
}
