#include "runner.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"

#define RUNNER_FAILURES_MAX 10u

static volatile uint64_t runner_seed; /* of the run in progress, for the signal handler */

struct runner_options {
    uint64_t first_seed;
    uint64_t runs;
    int64_t seconds; /* 0: no limit */
    int mode;        /* -1: by the seed, or the only one */
    bool trace;
    bool first_only; /* stop at the first failure */
};

static void runner_crashed(int signal_number)
{
    char text[] = "\nCRASHED seed                      \n";
    char *digit = text + sizeof(text) - 3;
    uint64_t seed = runner_seed;

    do {
        *digit-- = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed > 0);
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static _Noreturn void runner_usage(const struct runner *runner)
{
    (void)fprintf(stderr,
                  "usage: %s [--seed N [--trace] | --first-seed M --runs N [--seconds S]] [--stop]",
                  runner->program);
    for (unsigned i = 0; runner->modes != NULL && runner->modes[i] != NULL; i++)
        (void)fprintf(stderr, "%s%s", i == 0 ? " [" : " | ", runner->modes[i]);
    (void)fputs(runner->modes != NULL ? "]\n" : "\n", stderr);
    exit(2);
}

static uint64_t runner_number(const struct runner *runner, const char *text)
{
    char *end;
    uint64_t value;

    if (text == NULL)
        runner_usage(runner);
    value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        runner_usage(runner);
    return value;
}

static int runner_mode(const struct runner *runner, const char *argument)
{
    for (int i = 0; runner->modes != NULL && runner->modes[i] != NULL; i++) {
        if (strcmp(argument, runner->modes[i]) == 0)
            return i;
    }
    runner_usage(runner);
}

static void runner_options(const struct runner *runner, char **arguments,
                           struct runner_options *options)
{
    *options = (struct runner_options){.first_seed = 1, .runs = 100, .mode = -1};
    for (char **at = arguments + 1; *at != NULL; at++) {
        if (strcmp(*at, "--trace") == 0) {
            options->trace = true;
        } else if (strcmp(*at, "--stop") == 0) {
            options->first_only = true;
        } else if (strcmp(*at, "--seed") == 0) {
            options->first_seed = runner_number(runner, *++at);
            options->runs = 1;
        } else if (strcmp(*at, "--first-seed") == 0) {
            options->first_seed = runner_number(runner, *++at);
        } else if (strcmp(*at, "--runs") == 0) {
            options->runs = runner_number(runner, *++at);
        } else if (strcmp(*at, "--seconds") == 0) {
            options->seconds = (int64_t)runner_number(runner, *++at);
        } else {
            options->mode = runner_mode(runner, *at);
        }
    }
}

/* Never fails for lack of time: a night's run ends when its time does. */
int runner_main(const struct runner *runner, int count, char **arguments)
{
    struct runner_options options;
    int64_t until_ns;
    uint64_t runs = 0;
    unsigned failures = 0;
    bool looked;

    (void)count;
    runner_options(runner, arguments, &options);
    (void)signal(SIGABRT, runner_crashed);
    (void)signal(SIGSEGV, runner_crashed);
    until_ns = clock_monotonic_ns() + options.seconds * CLOCK_NS_PER_SECOND;
    for (; runs < options.runs; runs++) {
        if (options.seconds > 0 && clock_monotonic_ns() >= until_ns)
            break;
        runner_seed = options.first_seed + runs;
        if (!runner->run(runner->context, runner_seed, options.mode, options.trace))
            failures++;
        if (failures == RUNNER_FAILURES_MAX || (failures > 0 && options.first_only)) {
            runs++;
            break;
        }
    }
    printf("%" PRIu64 " runs from seed %" PRIu64 ": ", runs, options.first_seed);
    looked = runner->summary(runner->context);
    printf(", %u failed\n", failures);
    /* A check that looked at nothing is a failure. */
    return failures > 0 || runs == 0 || !looked ? 1 : 0;
}
