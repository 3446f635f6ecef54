#include "platform/role.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/program.h"

static const struct role_row role_rows[ROLE_COUNT] = {
#define X(name, program, runs_as, cores, sandbox, files, oom) \
    [ROLE_##name] = {program, runs_as, cores, sandbox, files, oom},
    ROLE_LIST(X)
#undef X
};

const enum role role_started[ROLE_STARTED_COUNT] = {ROLE_DATAPLANE, ROLE_SCANNER, ROLE_CONTROL};

const struct role_row *role_row(enum role role)
{
    CHECK((unsigned)role < ROLE_COUNT);
    return &role_rows[role];
}

/* The soft limit is at the hard one already; as root that can be raised, too. */
static void role_raise_files(unsigned files)
{
    struct rlimit wanted = {.rlim_cur = files, .rlim_max = files};

    if (program_descriptors() < files)
        (void)setrlimit(RLIMIT_NOFILE, &wanted);
}

static void role_set_oom_score(int score)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%d", score);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)!write(fd, text, (size_t)length);
    close(fd);
}

unsigned role_begin(enum role role)
{
    const struct role_row *row = role_row(role);

    program_start();
    role_set_oom_score(row->oom_score_adj);
    role_raise_files(row->files);
    return program_descriptors();
}

const char *role_user(enum role role, const struct config *config)
{
    switch (role) {
    case ROLE_CONTROL:
        return config->control_user;
    case ROLE_SCANNER_CHILD:
        return config->scanner.user;
    default:
        return NULL;
    }
}
