#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "control/command/command.h"
#include "control/command/programs.h"
#include "control/command/status_client.h"
#include "control/command/status_table.h"
#include "platform/clock.h"
#include "platform/config/config.h"

#define STATUS_LIMIT_NS (5 * CLOCK_NS_PER_SECOND)

struct status_arguments {
    const char *config_file;
    const char *socket;
    bool json;
};

static const char status_usage[] = "usage: postern status [-c FILE | --socket PATH] [--json]\n";

static bool status_parse(int argc, char **argv, struct status_arguments *arguments)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"socket", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    int option;

    *arguments = (struct status_arguments){0};
    optind = 0; /* start afresh: glibc's getopt keeps its place between calls */
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config_file = optarg;
            break;
        case 's':
            arguments->socket = optarg;
            break;
        case 'j':
            arguments->json = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && (arguments->config_file == NULL || arguments->socket == NULL);
}

/* The socket of the named configuration, or the default one. */
static int status_socket(const struct status_arguments *arguments, char *path, size_t size)
{
    struct config_error error;
    struct config *config;

    if (arguments->config_file == NULL) {
        snprintf(path, size, "%s",
                 arguments->socket != NULL ? arguments->socket : COMMAND_SOCKET_DEFAULT);
        return EXIT_OK;
    }
    if (config_load(arguments->config_file, &config, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_CONFIG;
    }
    snprintf(path, size, "%s/%s", config->runtime_directory, COMMAND_SOCKET_NAME);
    config_free(config);
    return EXIT_OK;
}

static void status_say_nobody(const char *path, enum status status)
{
    const char *why = status_text(status);

    if (status == STATUS_NOT_FOUND)
        why = "no such socket: is the appliance running?";
    else if (status == STATUS_CLOSED)
        why = "nobody answers: is postern-control running?";
    else if (status == STATUS_TIMED_OUT)
        why = "no answer in time";
    else if (status == STATUS_NOT_PERMITTED)
        why = "not permitted (try as root)";
    else if (status == STATUS_BAD_FORMAT || status == STATUS_NO_SPACE)
        why = "what answers there is not postern-control";
    fprintf(stderr, "postern status: %s: %s\n", path, why);
}

int command_status(int argc, char **argv)
{
    struct status_arguments arguments;
    char path[CONFIG_PATH_BYTES];
    json_t *object;
    enum status status;
    int code;

    if (!status_parse(argc, argv, &arguments)) {
        fputs(status_usage, stderr);
        return EXIT_USAGE;
    }
    code = status_socket(&arguments, path, sizeof(path));
    if (code != EXIT_OK)
        return code;
    status = status_fetch(path, STATUS_LIMIT_NS, &object);
    if (status != STATUS_OK) {
        status_say_nobody(path, status);
        return EXIT_FAILED;
    }
    programs_join(object, path);
    if (arguments.json) {
        json_dumpf(object, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
    } else {
        status_table_print(object, stdout);
    }
    json_decref(object);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}
