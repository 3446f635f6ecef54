/* postern-scanner: loads the signatures and scans what the dataplane hands over. docs/scanner.md */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/config/source.h"
#include "platform/cores.h"
#include "platform/exit.h"
#include "platform/log/notice.h"
#include "platform/program.h"
#include "platform/role.h"
#include "platform/sandbox.h"
#include "platform/why.h"
#include "signatures/scanner/describe.h"
#include "signatures/scanner/engine.h"
#include "signatures/scanner/jail.h"
#include "signatures/scanner/memory.h"
#include "signatures/scanner/parent.h"
#include "signatures/scanner/scanner_note.h"

#define DEFAULT_USER "nobody" /* for the --link-fd form as root, where no --user is given */

struct arguments {
    bool configured;
    struct config_source source;
    struct engine_options engine;
    struct parent_setting parent;
    struct core_map map;
    char socket_path[CONFIG_PATH_BYTES];
};

static void usage(void)
{
    (void)fputs("usage: postern-scanner [--candidate] " SOURCE_USAGE "\n"
                "       postern-scanner --link-fd N --database PATH --processes K\n"
                "                       [--time-limit-ms N] [--scan-bytes N] [--files N]\n"
                "                       [--recursion N] [--memory-bytes N] [--user NAME]\n"
                "       postern-scanner --describe\n",
                stderr);
}

static bool number(const char *text, uint64_t *value, uint64_t highest)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *value <= highest;
}

static bool take_option(struct arguments *arguments, int option, const char *value)
{
    uint64_t n = 0;

    switch (option) {
    case 'c':
        arguments->configured = source_parse(&arguments->source, "-c", value);
        return arguments->configured;
    case 'C':
        arguments->configured = source_parse(&arguments->source, "--config-fd", value);
        return arguments->configured;
    case 'd':
        arguments->engine.database = value;
        return true;
    case 'u':
        arguments->parent.user = value;
        return true;
    case 'n':
        arguments->parent.candidate = true;
        return true;
    default:
        break;
    }
    if (!number(value, &n, option == 't' ? UINT32_MAX : INT32_MAX) && option != 's' &&
        option != 'm')
        return false;
    switch (option) {
    case 'l':
        arguments->parent.link_fd = (int)n;
        return true;
    case 'p':
        arguments->parent.processes = (unsigned)n;
        return true;
    case 't':
        arguments->engine.time_limit_ns = (int64_t)n * CLOCK_NS_PER_MS;
        return true;
    case 'f':
        arguments->engine.files_max = (unsigned)n;
        return true;
    case 'r':
        arguments->engine.recursion_max = (unsigned)n;
        return true;
    case 's':
        return number(value, &arguments->engine.scan_bytes, INT64_MAX);
    case 'm':
        return number(value, &arguments->parent.memory_bytes, INT64_MAX / 2);
    default:
        return false;
    }
}

static bool parse(struct arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {
        {"config-fd", required_argument, NULL, 'C'},
        {"link-fd", required_argument, NULL, 'l'},
        {"database", required_argument, NULL, 'd'},
        {"processes", required_argument, NULL, 'p'},
        {"time-limit-ms", required_argument, NULL, 't'},
        {"scan-bytes", required_argument, NULL, 's'},
        {"files", required_argument, NULL, 'f'},
        {"recursion", required_argument, NULL, 'r'},
        {"memory-bytes", required_argument, NULL, 'm'},
        {"user", required_argument, NULL, 'u'},
        {"candidate", no_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option == '?')
            return false;
        if (!take_option(arguments, option, optarg)) {
            scanner_note("\"%s\" is out of range", optarg);
            return false;
        }
    }
    if (optind != argc)
        return false;
    if (arguments->configured)
        return arguments->parent.link_fd < 0;
    return arguments->parent.link_fd >= 0 && arguments->engine.database != NULL &&
           arguments->parent.processes >= 1 && arguments->parent.processes <= LINK_SLOTS_MAX;
}

/* Reads what the program needs; the configuration stays borrowed. */
static enum status take_config(struct arguments *arguments, const struct config *config)
{
    struct core_map *map = &arguments->map;
    const struct config_scanner *scanner = &config->scanner;
    struct why why;

    if (cores_plan_here(config, map, &why) != STATUS_OK) {
        scanner_note("%s", why.text);
        return STATUS_BAD_CONFIG;
    }
    engine_options_set(&arguments->engine, scanner);
    if (arguments->engine.scan_bytes < scanner->scan_bytes_max)
        scanner_note("scan_size: libclamav goes no further than 2 GiB - 3; that is used");
    if (config->limits.message_bytes > arguments->engine.scan_bytes) {
        scanner_note("%s: limits.message_size is larger than scanner.scan_size: such mail could "
                     "never be scanned",
                     config->file);
        return STATUS_BAD_CONFIG;
    }
    arguments->parent.processes = map->scanner_processes;
    arguments->parent.cores = map;
    if (role_bind(ROLE_SCANNER, map, 0) != STATUS_OK)
        scanner_note("not bound to cores.scanners");
    arguments->parent.user = role_user(ROLE_SCANNER_CHILD, config);
    arguments->parent.memory_bytes = scanner->memory_bytes;
    arguments->parent.socket_path = arguments->socket_path;
    (void)snprintf(arguments->socket_path, sizeof(arguments->socket_path), "%s/dataplane.sock",
                   config->runtime_directory);
    return STATUS_OK;
}

/* While the signatures load there is nothing to clean up. */
static void stop_at_once(int number_of_signal)
{
    (void)number_of_signal;
    _exit(EXIT_OK);
}

static int run(struct arguments *arguments)
{
    struct engine *engine;
    struct why why;
    uint32_t uid;
    uint32_t gid;
    int result;

    if (geteuid() == 0 && (arguments->parent.user == NULL ||
                           sandbox_user(arguments->parent.user, &uid, &gid) != STATUS_OK)) {
        scanner_note(
            "user \"%s\" does not exist; scanners need one to run as (useradd --system %s)",
            arguments->parent.user, arguments->parent.user);
        return EXIT_CONFIG;
    }
    (void)signal(SIGHUP, SIG_IGN); /* the supervisor sees to new signatures */
    (void)signal(SIGTERM, stop_at_once);
    (void)signal(SIGINT, stop_at_once);
    if (engine_open(&engine, &arguments->engine, &why) != STATUS_OK) {
        scanner_note("%s", why.text);
        return EXIT_CONFIG;
    }
    scanner_note("%u signatures loaded, %s%s; their names take %zu KiB", engine_signatures(engine),
                 engine_text(engine),
                 engine_hashes_images(engine) ? ", with fuzzy hashes of images" : "",
                 engine_names_bytes(engine) / 1024);
    if (engine_identity_why(engine)[0] != '\0')
        scanner_note("nobody can rely on which signatures these are, no prefilter can be used: %s",
                     engine_identity_why(engine));
    jail_prepare();
    (void)memory_settle();
    arguments->parent.engine = engine;
    arguments->parent.time_limit_ns = arguments->engine.time_limit_ns;
    arguments->parent.scratch_bytes = 2 * arguments->engine.scan_bytes;
    arguments->parent.scratch = getenv("TMPDIR");
    if (arguments->parent.scratch == NULL || arguments->parent.scratch[0] != '/')
        arguments->parent.scratch = "/tmp";
    result = parent_run(&arguments->parent);
    engine_close(engine);
    return result;
}

static int configured(struct arguments *arguments)
{
    struct config *config;
    struct config_error error;
    int result = EXIT_CONFIG;

    if (source_first(&arguments->source, &config, &error) != STATUS_OK) {
        scanner_note("%s", error.text);
        return EXIT_CONFIG;
    }
    (void)role_begin(ROLE_SCANNER);
    source_answer(&arguments->source, config->number, config->number, 1, "");
    arguments->parent.source = &arguments->source;
    memory_tune();
    if (take_config(arguments, config) == STATUS_OK)
        result = run(arguments);
    config_free(config);
    source_close(&arguments->source);
    return result;
}

static int describe(void)
{
    switch (describe_print(stdout)) {
    case STATUS_OK:
        return EXIT_OK;
    case STATUS_NOT_FOUND:
        scanner_note("no file-type table of %u lines or more in this libclamav",
                     DESCRIBE_LINES_MIN);
        return EXIT_FAILED;
    default:
        scanner_note("standard output: %s", strerror(errno));
        return EXIT_FAILED;
    }
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.parent = {.link_fd = -1, .user = DEFAULT_USER}};
    struct config_scanner scanner;

    config_scanner_defaults(&scanner);
    engine_options_set(&arguments.engine, &scanner);
    arguments.engine.database = NULL; /* has to be said */
    arguments.parent.memory_bytes = scanner.memory_bytes;
    program_start();
    notice_open("postern-scanner");
    if (argc == 2 && strcmp(argv[1], "--describe") == 0)
        return describe();
    if (!parse(&arguments, argc, argv)) {
        usage();
        return EXIT_USAGE;
    }
    if (arguments.configured)
        return configured(&arguments);
    if (fcntl(arguments.parent.link_fd, F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(arguments.parent.link_fd, F_SETFD, FD_CLOEXEC) != 0) {
        scanner_note("--link-fd %d: %s", arguments.parent.link_fd, strerror(errno));
        return EXIT_USAGE;
    }
    memory_tune();
    return run(&arguments);
}
