#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "control/command/command.h"
#include "platform/config/manual.h"
#include "platform/config/show.h"

struct show_arguments {
    const char *file;
    bool defaults;
    bool manual;
};

static bool show_parse(int argc, char **argv, struct show_arguments *arguments)
{
    static const struct option options[] = {
        {"defaults", no_argument, NULL, 'd'}, {"manual", no_argument, NULL, 'm'}, {0}};
    int option;

    *arguments = (struct show_arguments){.file = COMMAND_CONFIG_DEFAULT};
    optind = 0; /* start afresh: glibc's getopt keeps its place between calls */
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'd' && option != 'm')
            return false;
        arguments->defaults = option == 'd';
        arguments->manual = option == 'm';
    }
    if (optind < argc)
        arguments->file = argv[optind++];
    return optind == argc && (!(arguments->defaults || arguments->manual) || argc == 2);
}

int command_show_config(int argc, char **argv)
{
    struct show_arguments arguments;
    struct config *config;
    int code;

    if (!show_parse(argc, argv, &arguments)) {
        fputs("usage: postern show-config [FILE | --defaults | --manual]\n", stderr);
        return EXIT_USAGE;
    }
    if (arguments.defaults) {
        config_show_defaults(stdout);
    } else if (arguments.manual) {
        config_manual(stdout);
    } else {
        code = command_load(arguments.file, &config);
        if (code != EXIT_OK)
            return code;
        config_show(config, stdout);
        config_free(config);
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    fprintf(stderr, "postern show-config: standard output: %s\n", strerror(errno));
    return EXIT_FAILED;
}
