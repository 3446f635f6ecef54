/* main.c: the program `postern`. Names the commands, and is the one place where the appliance's
 * halves meet: `scan` is the dataplane's content path run offline, so its entry comes from there.
 */
#include <stdbool.h>
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
    const char *details; /* for `--help`: options, one a line, and exit codes of its own */
};

static const struct command commands[] = {
    {"run", command_run, "[-c FILE]", "start the whole appliance and keep it running",
     "  -c FILE  the configuration\n"
     "TERM and INT drain and end it, HUP loads the configuration again.\n"},
    {"check-config", command_check_config, "[FILE]", "check a configuration",
     "Prints every error with its line and column (exit 78), and warnings about this machine.\n"},
    {"show-config", command_show_config, "[FILE | --defaults | --manual]",
     "print a configuration with every key in it",
     "  --defaults  every key there is, its default, and what may be written\n"
     "  --manual    the same as a manual page, postern.yaml(5)\n"},
    {"status", command_status, "[-c FILE | --socket PATH] [--json]", "how the running appliance is",
     "  -c FILE        the configuration that names the appliance's runtime_directory\n"
     "  --socket PATH  its control socket\n"
     "  --json         everything, as one JSON object\n"},
    {"scan", offline_scan_command,
     "[--json] [--database PATH] [--prefilter FILE] [-c FILE] FILE|DIR...",
     "scan files as the appliance would",
     "  --json            one JSON object a line\n"
     "  --database PATH   the signatures, a file or a directory\n"
     "  --prefilter FILE  a prefilter that is there already\n"
     "  --no-prefilter    scan everything\n"
     "  -c FILE           database and limits of this configuration\n"
     "Exit 0: all clean; 1: something is infected; 2: an error, or something is unscannable.\n"},
    {"signatures", signatures_command, "build --database PATH --output FILE | report FILE",
     "make a prefilter from a signature database, or describe one",
     "  --database PATH   the signatures, a file or a directory\n"
     "  --output FILE     the prefilter to be written\n"
     "  --corpus PATH     mail to choose by and to try it on\n"
     "  --report FILE     the report as JSON, besides\n"
     "  --if-changed      nothing to do when FILE fits already\n"
     "  --quiet           no report\n"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
    fputs("usage: postern COMMAND ...\n\n", to);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %s %s\n      %s\n", commands[i].name, commands[i].arguments,
                commands[i].purpose);
    fputs("  help, COMMAND --help\n      this text, or that command's\n  --version\n      the "
          "version\n\n"
          "The configuration is " COMMAND_CONFIG_DEFAULT
          " unless named.\nExit codes: 0 ok, 1 failed (scan: infected), 2 wrong usage (scan: error "
          "or unscannable),\n78 bad configuration.\n",
          to);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

static int help_with(const struct command *command)
{
    printf("usage: postern %s %s\n%s\n\n%s", command->name, command->arguments, command->purpose,
           command->details);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static int usage_wrong(const char *name)
{
    if (name != NULL)
        fprintf(stderr, "postern: unknown command '%s'\n", name);
    usage(stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage_wrong(NULL);
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("postern " POSTERN_VERSION);
        return EXIT_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        return wants_help(argc - 2, argv + 2) ? help_with(&commands[i])
                                              : commands[i].run(argc - 1, argv + 1);
    }
    return usage_wrong(argv[1]);
}
