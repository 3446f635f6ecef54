#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/command/command.h"
#include "platform/config/config.h"
#include "platform/cores.h"
#include "platform/sums.h"
#include "platform/why.h"

#define CHECK_HUGEPAGE_BYTES (UINT64_C(2) << 20)

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

/* Free 2 MiB pages over all nodes, or -1 when the kernel has none of that size. */
static long check_free_hugepages(void)
{
    FILE *counts = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
    long pages = -1;

    if (counts == NULL)
        return -1;
    if (fscanf(counts, "%ld", &pages) != 1) // NOLINT(cert-err34-c): the kernel wrote it
        pages = -1;
    fclose(counts);
    return pages;
}

static void check_hugepages(const char *file, const struct config_memory *memory)
{
    uint64_t bytes = memory->messages_bytes + memory->packets_bytes;
    long needed = (long)((bytes + CHECK_HUGEPAGE_BYTES - 1) / CHECK_HUGEPAGE_BYTES);
    long available = check_free_hugepages();

    if (memory->hugepages == CONFIG_HUGEPAGES_OFF || available >= needed)
        return;
    check_warn(file, "memory.hugepages: %ld pages of 2 MiB are free and about %ld are wanted; %s",
               available < 0 ? 0 : available, needed,
               memory->hugepages == CONFIG_HUGEPAGES_REQUIRED
                   ? "postern-dataplane will not start until there are enough"
                   : "normal pages will be used");
}

static unsigned long long check_mib(uint64_t bytes)
{
    return (unsigned long long)(bytes >> 20);
}

/* What all of it may take at most, but for the signatures: how large they are is known when they
 * are loaded. */
static void check_memory(const char *file, const struct config *config, unsigned scanners)
{
    uint64_t cache = config->prefilter.enabled ? config->prefilter.cache_bytes : 0;
    uint64_t sum = config->memory.messages_bytes + config->memory.packets_bytes + cache +
                   scanners * config->scanner.memory_bytes;
    uint64_t there = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    printf(
        "%s: memory: messages %llu + packets %llu + verdict cache %llu + %u scanners of %llu = "
        "%llu MiB at most, and the signatures, twice while new ones are loaded; this machine has "
        "%llu MiB\n",
        file, check_mib(config->memory.messages_bytes), check_mib(config->memory.packets_bytes),
        check_mib(cache), scanners, check_mib(config->scanner.memory_bytes), check_mib(sum),
        check_mib(there));
    if (sum > there)
        check_warn(file,
                   "memory: %llu MiB may be wanted and this machine has %llu MiB; scanners "
                   "are the first to be ended for it",
                   check_mib(sum), check_mib(there));
}

static void check_cores(const char *file, const struct config *config)
{
    struct core_map map;
    struct why why;

    if (cores_plan_here(config, &map, &why) != STATUS_OK) {
        check_warn(file, "cores: %s", why.text);
        return;
    }
    check_memory(file, config, map.scanner_processes);
    if (sums_of_memory(config, map.worker_count, &why) != STATUS_OK)
        check_warn(file, "%s", why.text);
}

int command_check_config(int argc, char **argv)
{
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
    check_cores(file, config);
    check_hugepages(file, &config->memory);
    printf("%s: ok\n", file);
    config_free(config);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}
