#include "dataplane/offline/offline.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/offline/scan.h"
#include "platform/why.h"
#include "signatures/compile/build.h"

#define OFFLINE_EXIT_CLEAN    0
#define OFFLINE_EXIT_INFECTED 1
#define OFFLINE_EXIT_ERROR    2
#define OFFLINE_EXIT_CONFIG   78

#define OFFLINE_DATABASE_DEFAULT "/var/lib/clamav"
#define OFFLINE_MESSAGE_BYTES    (UINT64_C(50) << 20) /* limits.message_size's default */

struct offline_arguments {
    bool json;
    const char *database;
    const char *config_file;
    const char *prefilter;
    bool no_prefilter;
    int first_path;
};

static const char offline_usage[] =
    "usage: postern scan [--json] [--database PATH] [--prefilter FILE | --no-prefilter] [-c FILE]\n"
    "                    FILE|DIR...\n";

static bool offline_parse(int argc, char **argv, struct offline_arguments *arguments)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},         {"database", required_argument, NULL, 'd'},
        {"config", required_argument, NULL, 'c'}, {"prefilter", required_argument, NULL, 'p'},
        {"no-prefilter", no_argument, NULL, 'n'}, {0}};
    int option;

    *arguments = (struct offline_arguments){0};
    optind = 0; /* start afresh: glibc's getopt keeps its place between calls */
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'j':
            arguments->json = true;
            break;
        case 'd':
            arguments->database = optarg;
            break;
        case 'c':
            arguments->config_file = optarg;
            break;
        case 'p':
            arguments->prefilter = optarg;
            break;
        case 'n':
            arguments->no_prefilter = true;
            break;
        default:
            return false;
        }
    }
    arguments->first_path = optind;
    return optind < argc;
}

static int offline_exit_code(const struct scan_totals *totals)
{
    if (totals->infected > 0)
        return OFFLINE_EXIT_INFECTED;
    return totals->errors + totals->unscannable > 0 ? OFFLINE_EXIT_ERROR : OFFLINE_EXIT_CLEAN;
}

static int offline_scan(const struct scan_options *options, char **paths)
{
    struct scan_totals totals = {0};
    struct file_list files = {0};
    enum status status = STATUS_OK;

    for (; *paths != NULL && status == STATUS_OK; paths++)
        status = files_add(&files, *paths);
    if (status != STATUS_OK)
        fprintf(stderr, "postern scan: %s\n", status_text(status));
    totals.errors = files.error_count + (status != STATUS_OK);
    if (status == STATUS_OK && files.count > 0 && scan_files(options, &files, &totals) != STATUS_OK)
        totals.errors++;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("postern scan: standard output");
        totals.errors++;
    }
    files_free(&files);
    return offline_exit_code(&totals);
}

/* A prefilter for this run alone, into `path`, a template for mkstemp(). False when there can be
 * none: then everything is scanned, as in an appliance whose build failed. */
static bool offline_build(const char *database, char *path)
{
    struct build_options build = {.database = database, .output = path};
    struct build_report report = {0};
    struct why why = {""};
    enum status status = STATUS_SYSTEM;
    int fd = mkstemp(path);

    if (fd >= 0) {
        close(fd);
        status = build_prefilter(&build, &report, &why);
        build_report_free(&report);
    }
    if (status == STATUS_OK)
        return true;
    if (fd >= 0)
        unlink(path);
    fprintf(stderr, "postern scan: no prefilter could be built: %s\n",
            !why_empty(&why) ? why.text : status_text(status));
    return false;
}

int offline_scan_command(int argc, char **argv)
{
    char built[] = "/tmp/postern-prefilter-XXXXXX";
    struct offline_arguments arguments;
    struct scan_options options = {.database = OFFLINE_DATABASE_DEFAULT,
                                   .message_bytes = OFFLINE_MESSAGE_BYTES};
    struct config_error error;
    struct config *config = NULL;
    char hostname[CONFIG_NAME_BYTES] = "";
    int code;

    if (!offline_parse(argc, argv, &arguments)) {
        fputs(offline_usage, stderr);
        return OFFLINE_EXIT_ERROR;
    }
    if (arguments.config_file != NULL &&
        config_load(arguments.config_file, &config, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        return OFFLINE_EXIT_CONFIG;
    }
    if (gethostname(hostname, sizeof(hostname) - 1) != 0 || hostname[0] == '\0')
        snprintf(hostname, sizeof(hostname), "localhost");
    options.json = arguments.json;
    options.hostname = hostname;
    if (config != NULL) {
        options.hostname = config->hostname;
        options.database = config->scanner.database;
        options.message_bytes = config->limits.message_bytes;
        options.limits = &config->scanner;
    }
    if (arguments.database != NULL)
        options.database = arguments.database;
    if (arguments.prefilter != NULL)
        options.prefilter = arguments.prefilter;
    else if (config != NULL && arguments.database == NULL && !arguments.no_prefilter)
        options.prefilter = config->prefilter.enabled ? config->prefilter.file : NULL;
    else if (!arguments.no_prefilter && offline_build(options.database, built))
        options.prefilter = built;
    code = offline_scan(&options, argv + arguments.first_path);
    if (options.prefilter == built)
        unlink(built);
    config_free(config);
    return code;
}
