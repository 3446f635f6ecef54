#include "signatures/compile/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/compile/build.h"
#include "signatures/prefilter/digest.h"

#define SIGNATURES_EXIT_OK     0
#define SIGNATURES_EXIT_FAILED 1
#define SIGNATURES_EXIT_USAGE  2
#define SIGNATURES_WHY_BYTES   512u

static const char signatures_usage[] =
    "usage: postern signatures build [--corpus DIR|FILE]... [--report FILE] [--library-table "
    "FILE]\n"
    "                                [--if-changed] [--quiet] --database PATH --output FILE\n"
    "       postern signatures report FILE\n";

static int signatures_usage_wrong(void)
{
    fputs(signatures_usage, stderr);
    return SIGNATURES_EXIT_USAGE;
}

struct signatures_wish {
    struct build_options options;
    const char *report;
    bool if_changed; /* nothing to do when the output is this database's already */
    bool quiet;
};

/* `corpora` has room for every argument. */
static bool signatures_parse(int argc, char **argv, struct signatures_wish *wish,
                             const char **corpora)
{
    struct build_options *options = &wish->options;
    static const struct option known[] = {{"corpus", required_argument, NULL, 'c'},
                                          {"report", required_argument, NULL, 'r'},
                                          {"library-table", required_argument, NULL, 'l'},
                                          {"database", required_argument, NULL, 'd'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"if-changed", no_argument, NULL, 'i'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {0}};
    int option;

    optind = 0; /* start afresh: glibc's getopt keeps its place between calls */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            corpora[options->corpus_count++] = optarg;
            break;
        case 'r':
            wish->report = optarg;
            break;
        case 'l':
            options->library_table = optarg;
            break;
        case 'd':
            options->database = optarg;
            break;
        case 'o':
            options->output = optarg;
            break;
        case 'i':
            wish->if_changed = true;
            break;
        case 'q':
            wish->quiet = true;
            break;
        default:
            return false;
        }
    }
    options->corpora = corpora;
    return optind == argc && options->database != NULL && options->output != NULL;
}

static bool signatures_current(const struct build_options *options)
{
    uint8_t digest[PREFILTER_DIGEST_BYTES];
    struct prefilter prefilter;
    bool current;

    if (prefilter_open(&prefilter, options->output, NULL, 0) != STATUS_OK)
        return false;
    current = database_digest(options->database, digest) == STATUS_OK &&
              memcmp(digest, prefilter.header->database, sizeof(digest)) == 0 &&
              prefilter.header->profile == PREFILTER_PROFILE;
    prefilter_close(&prefilter);
    return current;
}

static int signatures_build_run(const struct signatures_wish *wish)
{
    const struct build_options *options = &wish->options;
    const char *report_path = wish->report;
    struct build_report report = {0};
    char why[SIGNATURES_WHY_BYTES];
    enum status status = build_prefilter(options, &report, why, sizeof(why));
    int code = status == STATUS_OK ? SIGNATURES_EXIT_OK : SIGNATURES_EXIT_FAILED;

    if (status != STATUS_OK) {
        fprintf(stderr, "postern signatures: %s\n", why);
    } else {
        if (!wish->quiet)
            build_report_print(&report, stdout);
        if (report_path != NULL && build_report_write(&report, report_path) != STATUS_OK) {
            perror(report_path);
            code = SIGNATURES_EXIT_FAILED;
        }
    }
    build_report_free(&report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("postern signatures: standard output");
        code = SIGNATURES_EXIT_FAILED;
    }
    return code;
}

static int signatures_build(int argc, char **argv)
{
    const char **corpora = calloc((size_t)argc + 1, sizeof(*corpora));
    struct signatures_wish wish = {0};
    int code;

    if (corpora == NULL) {
        fprintf(stderr, "postern signatures: %s\n", status_text(STATUS_NO_MEMORY));
        return SIGNATURES_EXIT_FAILED;
    }
    if (!signatures_parse(argc, argv, &wish, corpora))
        code = signatures_usage_wrong();
    else if (wish.if_changed && signatures_current(&wish.options))
        code = SIGNATURES_EXIT_OK;
    else
        code = signatures_build_run(&wish);
    free(corpora);
    return code;
}

static int signatures_report(int argc, char **argv)
{
    struct prefilter prefilter;
    char why[SIGNATURES_WHY_BYTES];

    if (argc != 2 || argv[1][0] == '-')
        return signatures_usage_wrong();
    if (prefilter_open(&prefilter, argv[1], why, sizeof(why)) != STATUS_OK) {
        fprintf(stderr, "postern signatures: %s: %s\n", argv[1], why);
        return SIGNATURES_EXIT_FAILED;
    }
    prefilter_report_print(&prefilter, stdout);
    prefilter_close(&prefilter);
    return fflush(stdout) == 0 ? SIGNATURES_EXIT_OK : SIGNATURES_EXIT_FAILED;
}

int signatures_command(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "build") == 0)
        return signatures_build(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "report") == 0)
        return signatures_report(argc - 1, argv + 1);
    return signatures_usage_wrong();
}
