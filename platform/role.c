#include "platform/role.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/program.h"

static const struct role_row role_rows[ROLE_COUNT] = {
#define X(name, program, user, cores, sandbox, files, oom)                                         \
    [ROLE_##name] = {program, ROLE_USER_##user, ROLE_CORES_##cores, ROLE_SANDBOX_##sandbox, files, \
                     oom},
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
    switch (role_row(role)->user) {
    case ROLE_USER_CONTROL:
        return config->control_user;
    case ROLE_USER_SCANNER:
        return config->scanner.user;
    case ROLE_USER_ROOT:
        break;
    }
    return NULL;
}

const char *role_user_text(enum role_user user)
{
    static const char *const texts[] = {
        [ROLE_USER_ROOT] = "root",
        [ROLE_USER_CONTROL] = "`control.user`",
        [ROLE_USER_SCANNER] = "`scanner.user`",
    };

    return texts[user];
}

const char *role_cores_text(enum role_cores cores)
{
    static const char *const texts[] = {
        [ROLE_CORES_ANY] = "any",
        [ROLE_CORES_DATAPLANE] = "`cores.main`, `cores.workers`",
        [ROLE_CORES_CONTROL] = "`cores.control`",
        [ROLE_CORES_SCANNERS] = "`cores.scanners`",
        [ROLE_CORES_SCANNER] = "one of `cores.scanners` each",
    };

    return texts[cores];
}

const char *role_sandbox_text(enum role_sandbox sandbox)
{
    static const char *const texts[] = {
        [ROLE_SANDBOX_NONE] = "none",
        [ROLE_SANDBOX_NO_ROOT] = "no root, no new privileges",
        [ROLE_SANDBOX_ALL] = "[all of it](scanner.md)",
    };

    return texts[sandbox];
}

static enum status role_bind_dataplane(const struct core_map *map)
{
    unsigned cpus[CONFIG_CPUS_MAX + 1] = {map->main};

    memcpy(&cpus[1], map->workers, map->worker_count * sizeof(cpus[0]));
    return cores_bind(cpus, map->worker_count + 1);
}

enum status role_bind(enum role role, const struct core_map *map, unsigned number)
{
    switch (role_row(role)->cores) {
    case ROLE_CORES_DATAPLANE:
        return role_bind_dataplane(map);
    case ROLE_CORES_CONTROL:
        return cores_bind(map->control, map->control_count);
    case ROLE_CORES_SCANNERS:
        return cores_bind(map->scanners, map->scanner_count);
    case ROLE_CORES_SCANNER:
        return cores_bind(&map->scanners[number % map->scanner_count], 1);
    case ROLE_CORES_ANY:
        break;
    }
    return STATUS_OK;
}

struct sandbox role_sandbox(enum role role, const char *user)
{
    const struct role_row *row = role_row(role);

    if (row->sandbox != ROLE_SANDBOX_ALL)
        return (struct sandbox){.user = user};
    return (struct sandbox){.user = user,
                            .files = row->files,
                            .no_network = true,
                            .no_processes = true,
                            .empty_root = true};
}

enum status role_confine(enum role role, struct sandbox *sandbox, struct why *why)
{
    switch (role_row(role)->sandbox) {
    case ROLE_SANDBOX_ALL:
        return sandbox_enclose(sandbox, why);
    case ROLE_SANDBOX_NO_ROOT:
        return sandbox_give_up_root(sandbox->user, why);
    case ROLE_SANDBOX_NONE:
        break;
    }
    return STATUS_OK;
}
