#include "signatures/compile/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/exit.h"
#include "platform/why.h"
#include "signatures/compile/build.h"

static const char signatures_usage[] =
    "usage: postern signatures build [--corpus DIR|FILE]... [--report FILE] [--library-table "
    "FILE]\n"
    "                                --database PATH --output FILE\n"
    "       postern signatures report FILE\n";

static int signatures_usage_wrong(void)
{
    fputs(signatures_usage, stderr);
    return EXIT_USAGE;
}

struct signatures_arguments {
    struct build_options build;
    const char **corpora; /* room for every argument */
    const char *report;
    bool quiet;
};

static bool signatures_parse(int argc, char **argv, struct signatures_arguments *arguments)
{
    static const struct option known[] = {{"corpus", required_argument, NULL, 'c'},
                                          {"report", required_argument, NULL, 'r'},
                                          {"library-table", required_argument, NULL, 'l'},
                                          {"database", required_argument, NULL, 'd'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"if-changed", no_argument, NULL, 'i'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {0}};
    struct build_options *options = &arguments->build;
    int option;

    optind = 0; /* start afresh: glibc's getopt keeps its place between calls */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->corpora[options->corpus_count++] = optarg;
            break;
        case 'r':
            arguments->report = optarg;
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
            options->if_changed = true;
            break;
        case 'q':
            arguments->quiet = true;
            break;
        default:
            return false;
        }
    }
    options->corpora = arguments->corpora;
    return optind == argc && options->database != NULL && options->output != NULL;
}

/* Says what was made. False: it could not be said. */
static bool signatures_build_report(const struct build_report *report,
                                    const struct signatures_arguments *arguments)
{
    if (report->unchanged) {
        if (!arguments->quiet)
            printf("%s is up to date\n", arguments->build.output);
        return true;
    }
    if (!arguments->quiet)
        build_report_print(report, stdout);
    if (arguments->report != NULL && build_report_write(report, arguments->report) != STATUS_OK) {
        perror(arguments->report);
        return false;
    }
    return true;
}

static int signatures_build_run(const struct signatures_arguments *arguments)
{
    struct build_report report = {0};
    struct why why;
    int code = EXIT_FAILED;

    if (build_prefilter(&arguments->build, &report, &why) != STATUS_OK)
        fprintf(stderr, "postern signatures: %s\n", why.text);
    else if (signatures_build_report(&report, arguments))
        code = EXIT_OK;
    build_report_free(&report);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("postern signatures: standard output");
        code = EXIT_FAILED;
    }
    return code;
}

static int signatures_build(int argc, char **argv)
{
    struct signatures_arguments arguments = {
        .corpora = calloc((size_t)argc + 1, sizeof(*arguments.corpora))};
    int code;

    if (arguments.corpora == NULL) {
        fprintf(stderr, "postern signatures: %s\n", status_text(STATUS_NO_MEMORY));
        return EXIT_FAILED;
    }
    code = signatures_parse(argc, argv, &arguments) ? signatures_build_run(&arguments)
                                                    : signatures_usage_wrong();
    free(arguments.corpora);
    return code;
}

static int signatures_report(int argc, char **argv)
{
    struct prefilter prefilter;
    struct why why;

    if (argc != 2 || argv[1][0] == '-')
        return signatures_usage_wrong();
    if (prefilter_open(&prefilter, argv[1], &why) != STATUS_OK) {
        fprintf(stderr, "postern signatures: %s: %s\n", argv[1], why.text);
        return EXIT_FAILED;
    }
    prefilter_report_print(&prefilter, stdout);
    prefilter_close(&prefilter);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

int signatures_command(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "build") == 0)
        return signatures_build(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "report") == 0)
        return signatures_report(argc - 1, argv + 1);
    return signatures_usage_wrong();
}
