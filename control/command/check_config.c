#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/command/command.h"
#include "platform/config/config.h"
#include "platform/cores.h"
#include "platform/machine.h"
#include "platform/sums.h"
#include "platform/why.h"

static void check_warn(const char *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void check_warn(const char *file, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: warning: ", file);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static void check_user(const char *file, const char *key, const char *user)
{
    if (user[0] != '\0' && getpwnam(user) == NULL)
        check_warn(file, "%s: there is no user '%s' (useradd --system %s makes it)", key, user,
                   user);
}

static void check_database(const char *file, const char *database)
{
    if (access(database, F_OK) != 0)
        check_warn(file, "scanner.database: %s: %s; without signatures no scanner starts", database,
                   strerror(errno));
}

static void check_hugepages(const char *file, const struct config_memory *memory,
                            const struct machine_memory *machine)
{
    uint64_t bytes = memory->messages_bytes + memory->packets_bytes;
    uint64_t needed = (bytes + MACHINE_HUGEPAGE_BYTES - 1) / MACHINE_HUGEPAGE_BYTES;

    if (memory->hugepages == CONFIG_HUGEPAGES_OFF || machine->hugepages_free >= needed)
        return;
    check_warn(file, "memory.hugepages: %llu pages of 2 MiB are free and about %llu are wanted; %s",
               (unsigned long long)machine->hugepages_free, (unsigned long long)needed,
               memory->hugepages == CONFIG_HUGEPAGES_REQUIRED
                   ? "postern-dataplane will not start until there are enough"
                   : "normal pages will be used");
}

static void check_memory(const char *file, const struct config *config, unsigned scanners,
                         const struct machine_memory *machine)
{
    struct sums_machine sums = sums_of_machine(config, scanners, machine);
    struct why why;

    printf("%s: memory: %s\n", file, sums.text.text);
    if (sums_fit(&sums, &why) != STATUS_OK || !why_empty(&why))
        check_warn(file, "%s", why.text);
}

static void check_cores(const char *file, const struct config *config,
                        const struct machine_memory *machine)
{
    struct core_map map;
    struct why why;

    if (cores_plan_here(config, &map, &why) != STATUS_OK) {
        check_warn(file, "cores: %s", why.text);
        return;
    }
    check_memory(file, config, map.scanner_processes, machine);
    if (sums_of_memory(config, map.worker_count, &why) != STATUS_OK)
        check_warn(file, "%s", why.text);
}

int command_check_config(int argc, char **argv)
{
    struct machine_memory machine;
    struct config *config;
    int code;
    const char *file = argc == 2 ? argv[1] : COMMAND_CONFIG_DEFAULT;

    if (argc > 2 || file[0] == '-') {
        fputs("usage: postern check-config [FILE]\n", stderr);
        return EXIT_USAGE;
    }
    code = command_load(file, &config);
    if (code != EXIT_OK)
        return code;
    check_database(file, config->scanner.database);
    check_user(file, "scanner.user", config->scanner.user);
    check_user(file, "control.user", config->control_user);
    if (machine_memory_read(&machine, "") != STATUS_OK)
        check_warn(file, "memory: this machine does not say how much it has");
    check_cores(file, config, &machine);
    check_hugepages(file, &config->memory, &machine);
    printf("%s: ok\n", file);
    config_free(config);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}
