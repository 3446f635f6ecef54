/* oracle: holds the prefilter against the unmodified libclamav. docs/oracle.md */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/why.h"
#include "tests/oracle/mail.h"
#include "tests/oracle/sample.h"
#include "tests/oracle/selftest.h"
#include "tests/oracle/work.h"

static int usage(void)
{
    (void)fputs(
        "usage: oracle version                the library this program has loaded\n"
        "       oracle selftest               does the watch see everything?\n"
        "       oracle own DIRECTORY          write the oracle's own signatures there\n"
        "       oracle watch -d DATABASE MAIL...      what libclamav matches of each mail\n"
        "       oracle mails -d DATABASE -p PREFILTER [OPTION...] MAIL...\n"
        "       oracle malformed -d DATABASE -p PREFILTER MAIL...\n"
        "       oracle plant -d DATABASE -p PREFILTER [OPTION...]\n"
        "       oracle fuzz  -d DATABASE -p PREFILTER [OPTION...] [MAIL...]\n"
        "       oracle yield -p PREFILTER MAIL...     how much is settled, and why the rest is "
        "not\n"
        "       oracle reduce -d DATABASE -p PREFILTER FINDING.message...\n"
        "       oracle print [OPTION...] [MAIL...]    the message of one seed of fuzz\n"
        "options: --seed N --count N --seconds N --step N --mutations N --findings DIRECTORY\n"
        "         --most N (findings) --unsettled N (scan every so-manieth message sent on)\n"
        "         --signatures FILE (make payloads of it; again for more) --uncut\n"
        "         --verdict-only (do not watch) --hashes DIRECTORY (sign what was matched)\n",
        stderr);
    return 2;
}

static void show_layers(void)
{
    for (size_t i = 0; i < witness_layer_count(); i++) {
        const struct witness_layer *layer = witness_layer(i);

        printf("  layer  %u %-22s %8zu %s\n", layer->level, layer->type, layer->bytes, layer->name);
    }
    for (size_t i = 0; i < witness_name_count(); i++)
        printf("  name   %s (%zu)\n", witness_name(i)->name, witness_name(i)->bytes);
}

static void show(const char *path, const struct scan_result *result)
{
    static const char *const verdicts[] = {"?", "clean", "infected", "unscannable"};

    printf("%s: %s %s, %.0f us%s\n", path, verdicts[result->verdict <= 3 ? result->verdict : 0],
           result->name, (double)result->cpu_ns / 1000,
           witness_whole() ? "" : ", SOME BUFFERS ARE NOT WHOLE");
    show_layers();
    for (size_t i = 0; i < witness_buffer_count(); i++) {
        const struct witness_buffer *buffer = witness_buffer(i);

        printf("  buffer %-22s target %2u %s %zu bytes: \"", buffer->type, buffer->target,
               buffer->normalised ? "normalised" : "as stored ", buffer->length);
        for (size_t j = 0; j < buffer->length && j < 48; j++) {
            uint8_t byte = witness_bytes(buffer)[j];

            if (byte >= 0x20 && byte < 0x7f)
                putchar(byte);
            else
                printf("\\%02x", byte);
        }
        printf("\"\n");
    }
}

static int witness_files(const struct work_options *options)
{
    struct bytes message = {0};
    struct scan_result result;
    struct why why = {""};
    struct library *library = library_open(options->trial.database, true, &why);
    int failed = 0;

    if (library == NULL) {
        (void)fprintf(stderr, "oracle: %s\n", why.text);
        return 1;
    }
    for (unsigned i = 0; i < options->path_count; i++) {
        if (!mail_read(options->paths[i], &message)) {
            (void)fprintf(stderr, "oracle: %s cannot be read\n", options->paths[i]);
            failed = 1;
            continue;
        }
        library_scan(library, &message, &result);
        show(options->paths[i], &result);
    }
    library_close(library);
    bytes_free(&message);
    return failed;
}

static bool number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool take_number(struct work_options *options, int option, const char *text)
{
    uint64_t value;

    if (!number(text, &value))
        return false;
    switch (option) {
    case 's':
        options->seed = value;
        return true;
    case 'c':
        options->count = value;
        return true;
    case 't':
        options->seconds = value;
        return true;
    case 'e':
        options->step = (unsigned)value;
        return value > 0;
    case 'm':
        options->mutations = (unsigned)value;
        return value > 0;
    case 'n':
        options->trial.findings_most = value;
        return true;
    default:
        options->trial.unsettled_every = (unsigned)value;
        return true;
    }
}

static bool take_option(struct work_options *options, int option, const char *text)
{
    switch (option) {
    case 'd':
        options->trial.database = text;
        return true;
    case 'p':
        options->trial.prefilter = text;
        return true;
    case 'f':
        options->trial.findings = text;
        return true;
    case 'h':
        options->trial.hashes = text;
        return true;
    case 'i':
        if (options->signature_count == WORK_LIST_MAX)
            return false;
        options->signatures[options->signature_count++] = text;
        return true;
    case 'w':
        options->trial.uncut = true;
        return true;
    case 'v':
        options->trial.verdict_only = true;
        return true;
    default:
        return take_number(options, option, text);
    }
}

static bool parse(struct work_options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"database", required_argument, NULL, 'd'},
        {"prefilter", required_argument, NULL, 'p'},
        {"findings", required_argument, NULL, 'f'},
        {"hashes", required_argument, NULL, 'h'},
        {"signatures", required_argument, NULL, 'i'},
        {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 't'},
        {"step", required_argument, NULL, 'e'},
        {"mutations", required_argument, NULL, 'm'},
        {"most", required_argument, NULL, 'n'},
        {"unsettled", required_argument, NULL, 'u'},
        {"uncut", no_argument, NULL, 'w'},
        {"verdict-only", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "d:p:", names, NULL)) != -1) {
        if (option == '?' || !take_option(options, option, optarg))
            return false;
    }
    options->paths = argv + optind;
    options->path_count = (unsigned)(argc - optind);
    return true;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct work_options *options);
        bool database;
        bool paths;
    } commands[] = {
        {"watch", witness_files, true, true}, {"mails", work_mails, true, true},
        {"plant", work_plant, true, false},   {"malformed", work_malformed, true, true},
        {"fuzz", work_fuzz, true, false},     {"print", work_print, false, false},
        {"reduce", work_reduce, true, true},  {"yield", work_yield, false, true},
    };
    struct work_options options = {.step = 1, .mutations = 4, .trial = {.findings_most = 20}};

    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("%s\n", library_version());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "selftest") == 0)
        return selftest() == 0 ? 0 : 1;
    if (argc == 3 && strcmp(argv[1], "own") == 0)
        return samples_own_write(argv[2]) ? 0 : 1;
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (!parse(&options, argc - 1, argv + 1) ||
            (commands[i].database && options.trial.database == NULL) ||
            (commands[i].paths && options.path_count == 0))
            return usage();
        return commands[i].run(&options);
    }
    return usage();
}
