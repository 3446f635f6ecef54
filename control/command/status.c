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

/* The value of the top key runtime_directory in a file that cannot be read as a configuration:
 * what runs may go by an earlier form of it. Empty when there is no such line. */
static void status_guess_directory(const char *file, char *directory, size_t size)
{
    static const char key[] = "runtime_directory:";
    FILE *text = fopen(file, "re");
    char line[CONFIG_PATH_BYTES + 64];

    directory[0] = '\0';
    if (text == NULL)
        return;
    while (fgets(line, sizeof(line), text) != NULL) {
        const char *value = line + sizeof(key) - 1;
        size_t length;

        if (strncmp(line, key, sizeof(key) - 1) != 0)
            continue;
        value += strspn(value, " \t\"'");
        length = strcspn(value, " \t\"'\r\n");
        if (value[0] == '/' && length < size)
            snprintf(directory, size, "%.*s", (int)length, value);
    }
    (void)fclose(text);
}

/* How the appliance is must be seen just when the file is broken. */
static void status_guess(const char *file, const struct config_error *error, char *path,
                         size_t size)
{
    char directory[CONFIG_PATH_BYTES];

    fprintf(stderr, "%s\n", error->text);
    status_guess_directory(file, directory, sizeof(directory));
    if (directory[0] != '\0')
        snprintf(path, size, "%s/%s", directory, COMMAND_SOCKET_NAME);
    else
        snprintf(path, size, "%s", COMMAND_SOCKET_DEFAULT);
    fprintf(stderr, "postern status: the configuration cannot be used; asking at %s%s\n", path,
            directory[0] != '\0' ? ", by its runtime_directory" : ", the default");
}

/* The socket of the named configuration, or the default one. */
static void status_socket(const struct status_arguments *arguments, char *path, size_t size)
{
    struct config_error error;
    struct config *config;

    if (arguments->config_file == NULL) {
        snprintf(path, size, "%s",
                 arguments->socket != NULL ? arguments->socket : COMMAND_SOCKET_DEFAULT);
        return;
    }
    if (config_load(arguments->config_file, &config, &error) != STATUS_OK) {
        status_guess(arguments->config_file, &error, path, size);
        return;
    }
    snprintf(path, size, "%s/%s", config->runtime_directory, COMMAND_SOCKET_NAME);
    config_free(config);
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
    char path[CONFIG_PATH_BYTES + 32];
    json_t *object;
    enum status status;

    if (!status_parse(argc, argv, &arguments)) {
        fputs(status_usage, stderr);
        return EXIT_USAGE;
    }
    status_socket(&arguments, path, sizeof(path));
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
