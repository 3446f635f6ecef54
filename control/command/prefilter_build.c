#include "control/command/prefilter_build.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/command/command.h"
#include "platform/role.h"

void prefilter_build_init(struct prefilter_build *build, const struct config *config)
{
    *build = (struct prefilter_build){0};
    if (!config->prefilter.enabled)
        return;
    memcpy(build->database, config->scanner.database, sizeof(build->database));
    memcpy(build->file, config->prefilter.file, sizeof(build->file));
}

/* In the child: never returns. Its report goes where the log does not. */
static void prefilter_build_become(const struct prefilter_build *build, pid_t parent)
{
    const char *arguments[] = {"postern",    "signatures",    "build",    "--if-changed", "--quiet",
                               "--database", build->database, "--output", build->file,    NULL};
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILED);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    (void)role_begin(ROLE_PREFILTER_BUILD);
    execv("/proc/self/exe", (char *const *)arguments);
    fprintf(stderr, "postern: cannot start the prefilter's build: %s\n", strerror(errno));
    _exit(EXIT_FAILED);
}

void prefilter_build_start(struct prefilter_build *build)
{
    pid_t parent = getpid();
    pid_t pid;

    if (build->file[0] == '\0')
        return;
    if (build->pid != 0) {
        build->again = true;
        return;
    }
    build->again = false;
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        prefilter_build_become(build, parent);
    if (pid < 0)
        fprintf(stderr, "postern: cannot start the prefilter's build: %s\n", strerror(errno));
    else
        build->pid = pid;
}

void prefilter_build_reap(struct prefilter_build *build)
{
    int wait_status;

    if (build->pid == 0 || waitpid(build->pid, &wait_status, WNOHANG) != build->pid)
        return;
    build->pid = 0;
    if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
        fputs("postern: the prefilter could not be built; without one for this database every "
              "message is scanned\n",
              stderr);
    if (build->again)
        prefilter_build_start(build);
}

void prefilter_build_stop(struct prefilter_build *build)
{
    if (build->pid == 0)
        return;
    kill(build->pid, SIGKILL);
    waitpid(build->pid, NULL, 0);
    build->pid = 0;
}
