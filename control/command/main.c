/* main.c: the program `postern`. Names the commands, and is the one place where the appliance's
 * halves meet: `scan` is the dataplane's content path run offline, so its entry comes from there.
 */
#include <stdio.h>
#include <string.h>

#include "control/command/command.h"
#include "dataplane/offline/offline.h"
#include "signatures/compile/command.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *purpose;
};

static const struct command commands[] = {
    {"run", command_run, "[-c FILE]", "start the whole appliance and keep it running"},
    {"check-config", command_check_config, "[FILE]", "check a configuration"},
    {"status", command_status, "[-c FILE | --socket PATH] [--json]",
     "how the running appliance is"},
    {"scan", offline_scan_command,
     "[--json] [--database PATH] [--prefilter FILE] [-c FILE] FILE|DIR...",
     "scan files as the appliance would"},
    {"signatures", signatures_command, "build --database PATH --output FILE | report FILE",
     "make a prefilter from a signature database, or describe one"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
    fputs("usage: postern COMMAND ...\n\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %s %s\n      %s\n", commands[i].name, commands[i].arguments,
                commands[i].purpose);
    fputs("  help\n      this text\n  --version\n      the version\n\n"
          "The configuration is " COMMAND_CONFIG_DEFAULT
          " unless named.\nExit codes: 0 ok, 1 failed (scan: infected), 2 wrong usage (scan: error "
          "or unscannable),\n78 bad configuration.\n",
          to);
}

static int usage_wrong(const char *name)
{
    if (name != NULL)
        fprintf(stderr, "postern: unknown command '%s'\n", name);
    usage(stderr);
    return COMMAND_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage_wrong(NULL);
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return COMMAND_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("postern " POSTERN_VERSION);
        return COMMAND_EXIT_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return usage_wrong(argv[1]);
}
