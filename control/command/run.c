#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/command/command.h"
#include "control/command/configuration.h"
#include "control/command/generation.h"
#include "control/command/prefilter_build.h"
#include "control/command/programs.h"
#include "control/command/readiness.h"
#include "control/command/run_directory.h"
#include "control/command/supervisor.h"
#include "platform/check.h"
#include "platform/config/config.h"
#include "platform/log/notice.h"
#include "platform/program.h"
#include "platform/role.h"

#define RUN_PROGRAMS ROLE_STARTED_COUNT
#define RUN_SCANNER  1u /* of them; checked at the start */

struct run {
    char config_file[PATH_MAX]; /* absolute */
    char socket[CONFIG_PATH_BYTES];
    char paths[RUN_PROGRAMS][PATH_MAX];
    int lock_fd;
    struct configuration configuration;
    struct readiness readiness;
    struct prefilter_build prefilter;
    struct programs_file programs;
    struct generation generation;
    struct supervisor supervisor;
};

static bool run_reload(void *context)
{
    struct run *run = context;

    struct config *config;

    if (!configuration_reload(&run->configuration, &config, clock_monotonic_ns()))
        return false;
    generation_reload(&run->generation, &run->supervisor, config);
    config_free(config);
    prefilter_build_start(&run->prefilter);
    return false; /* the programs have heard of it */
}

static int run_program(void *context, unsigned index, int64_t now_ns)
{
    struct run *run = context;

    return configuration_prepare(&run->configuration, index, now_ns);
}

static void run_replaced(void *context, unsigned index, unsigned once)
{
    struct run *run = context;

    configuration_swap(&run->configuration, index, once);
}

static int64_t run_turn(void *context, int64_t now_ns, int *fd, short *events)
{
    struct run *run = context;
    int64_t next_ns = configuration_turn(&run->configuration, now_ns);
    int64_t generation_ns;
    int64_t ready_ns;

    prefilter_build_reap(&run->prefilter);
    programs_write(&run->programs, &run->supervisor);
    if (run->readiness.ready)
        supervisor_served(&run->supervisor);
    generation_ns = generation_turn(&run->generation, &run->supervisor, now_ns);
    ready_ns = readiness_turn(&run->readiness, now_ns, fd, events);
    if (generation_ns < next_ns)
        next_ns = generation_ns;
    return next_ns < ready_ns ? next_ns : ready_ns;
}

static int run_find_programs(struct run *run)
{
    for (size_t i = 0; i < RUN_PROGRAMS; i++) {
        const char *name = role_row(role_started[i])->program;

        if (program_find(name, run->paths[i], sizeof(run->paths[i])) != STATUS_OK) {
            fprintf(stderr,
                    "postern: there is no program %s beside postern or in ../libexec/postern\n",
                    name);
            return EXIT_FAILED;
        }
    }
    return EXIT_OK;
}

static int run_make_directory(const char *path, mode_t mode)
{
    if (run_directory_make(path, mode) == STATUS_OK)
        return EXIT_OK;
    fprintf(stderr, "postern: cannot make the directory %s: %s\n", path, strerror(errno));
    return EXIT_FAILED;
}

/* State belongs to control, which has given up being root by the time it writes there. */
static int run_give_state(const struct config *config)
{
    const struct passwd *user = getpwnam(config->control_user);

    if (geteuid() != 0 || user == NULL ||
        chown(config->state_directory, user->pw_uid, user->pw_gid) == 0)
        return EXIT_OK;
    fprintf(stderr, "postern: cannot give %s to %s: %s\n", config->state_directory,
            config->control_user, strerror(errno));
    return EXIT_FAILED;
}

static int run_take_lock(struct run *run, const char *directory)
{
    enum status status;
    long holder;

    status = run_directory_lock(directory, &run->lock_fd, &holder);
    if (status == STATUS_OK)
        return EXIT_OK;
    if (status == STATUS_IN_USE)
        fprintf(stderr, "postern: already running in %s (process %ld)\n", directory, holder);
    else
        fprintf(stderr, "postern: cannot lock %s/%s: %s\n", directory, RUN_LOCK_NAME,
                strerror(errno));
    return EXIT_FAILED;
}

/* The directory the prefilter's file goes to: root's, as the workers believe what it says. */
static int run_make_bundles(const struct config *config)
{
    char path[CONFIG_PATH_BYTES];
    char *end;

    memcpy(path, config->prefilter.file, sizeof(path));
    end = strrchr(path, '/');
    if (end == NULL || end == path)
        return EXIT_OK;
    *end = '\0';
    return run_make_directory(path, 0755);
}

static int run_prepare(struct run *run, const char *file)
{
    const struct config *config;
    int code;

    /* A later reload must find the same file wherever we stand then. One that is not there is the
     * reader's to complain about. */
    if (realpath(file, run->config_file) == NULL)
        snprintf(run->config_file, sizeof(run->config_file), "%s", file);
    code = configuration_open(&run->configuration, run->config_file);
    if (code != EXIT_OK)
        return code;
    config = run->configuration.start;
    snprintf(run->socket, sizeof(run->socket), "%s/%s", config->runtime_directory,
             COMMAND_SOCKET_NAME);
    programs_init(&run->programs, config->runtime_directory);
    code = run_find_programs(run);
    if (code == EXIT_OK)
        code = run_make_directory(config->runtime_directory, 0755);
    if (code == EXIT_OK)
        code = run_make_directory(config->state_directory, 0750);
    if (code == EXIT_OK)
        code = run_give_state(config);
    if (code == EXIT_OK && config->prefilter.enabled)
        code = run_make_bundles(config);
    if (code == EXIT_OK)
        code = run_take_lock(run, config->runtime_directory);
    prefilter_build_init(&run->prefilter, config);
    generation_init(&run->generation, config, RUN_SCANNER, RUN_PROGRAMS);
    return code;
}

static int run_appliance(struct run *run)
{
    struct supervisor_watch watch = {.context = run,
                                     .reload = run_reload,
                                     .prepare = run_program,
                                     .replaced = run_replaced,
                                     .turn = run_turn};
    int code;

    if (supervisor_open(&run->supervisor, run->config_file, &supervisor_times_default) !=
        STATUS_OK) {
        fprintf(stderr, "postern: signals: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < RUN_PROGRAMS; i++) {
        const char *name = role_row(role_started[i])->program;

        supervisor_add(&run->supervisor, name, run->paths[i]);
        configuration_add(&run->configuration, name, true);
    }
    CHECK(role_started[RUN_SCANNER] == ROLE_SCANNER);
    (void)supervisor_add_once(&run->supervisor, "new scanners", run->paths[RUN_SCANNER],
                              "--candidate");
    configuration_add(&run->configuration, "new scanners", false);
    prefilter_build_start(&run->prefilter);
    readiness_init(&run->readiness, run->socket, READINESS_LIMIT_NS, clock_monotonic_ns());
    code = supervisor_run(&run->supervisor, &watch);
    readiness_fini(&run->readiness);
    generation_fini(&run->generation);
    prefilter_build_stop(&run->prefilter);
    programs_remove(&run->programs);
    supervisor_close(&run->supervisor);
    return code;
}

static const char *run_parse(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {0}};
    const char *file = COMMAND_CONFIG_DEFAULT;
    int option;

    optind = 0; /* start afresh: glibc's getopt keeps its place between calls */
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option != 'c')
            return NULL;
        file = optarg;
    }
    return optind == argc ? file : NULL;
}

int command_run(int argc, char **argv)
{
    static struct run run; /* too large for comfort on the stack */
    const char *file = run_parse(argc, argv);
    int code;

    if (file == NULL) {
        fputs("usage: postern run [-c FILE]\n", stderr);
        return EXIT_USAGE;
    }
    program_start();
    notice_open("postern");
    (void)role_begin(ROLE_SUPERVISOR);
    run = (struct run){.lock_fd = -1};
    code = run_prepare(&run, file);
    if (code == EXIT_OK)
        code = run_appliance(&run);
    if (run.lock_fd >= 0)
        close(run.lock_fd);
    configuration_close(&run.configuration);
    return code;
}
