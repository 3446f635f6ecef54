/* simulation_handover: runs seeds against the real handover. See docs/simulation.md. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "world.h"

#define MAIN_FAILURES_MAX 10u

static volatile uint64_t main_seed; /* of the run in progress, for the signal handler */

struct main_options {
    uint64_t first_seed;
    uint64_t runs;
    int64_t seconds; /* 0: no limit */
    bool trace;
    bool first_only;
};

static void main_crashed(int signal_number)
{
    char text[] = "\nCRASHED seed                      \n";
    char *digit = text + sizeof(text) - 3;
    uint64_t seed = main_seed;

    do {
        *digit-- = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed > 0);
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void main_usage(void)
{
    (void)fputs("usage: simulation_handover [--seed N [--trace] | --first-seed M --runs N\n"
                "                           [--seconds S]] [--stop]\n",
                stderr);
    exit(2);
}

static uint64_t main_number(const char *text)
{
    char *end;
    uint64_t value;

    if (text == NULL)
        main_usage();
    value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        main_usage();
    return value;
}

static void main_options(int count, char **arguments, struct main_options *options)
{
    *options = (struct main_options){.first_seed = 1, .runs = 100};
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];

        if (strcmp(argument, "--trace") == 0) {
            options->trace = true;
        } else if (strcmp(argument, "--stop") == 0) {
            options->first_only = true;
        } else if (strcmp(argument, "--seed") == 0) {
            options->first_seed = main_number(arguments[++i]);
            options->runs = 1;
        } else if (strcmp(argument, "--first-seed") == 0) {
            options->first_seed = main_number(arguments[++i]);
        } else if (strcmp(argument, "--runs") == 0) {
            options->runs = main_number(arguments[++i]);
        } else if (strcmp(argument, "--seconds") == 0) {
            options->seconds = (int64_t)main_number(arguments[++i]);
        } else {
            main_usage();
        }
    }
}

static unsigned main_run(const struct main_options *options, struct world *world)
{
    int64_t until_ns = clock_monotonic_ns() + options->seconds * CLOCK_NS_PER_SECOND;
    unsigned failures = 0;
    uint64_t runs = 0;

    for (; runs < options->runs; runs++) {
        if (options->seconds > 0 && clock_monotonic_ns() >= until_ns)
            break;
        main_seed = options->first_seed + runs;
        if (!world_run(world, main_seed, options->trace))
            failures++;
        if (failures == MAIN_FAILURES_MAX || (failures > 0 && options->first_only)) {
            runs++;
            break;
        }
    }
    printf("%" PRIu64 " runs from seed %" PRIu64 ": %" PRIu64 " mails, %" PRIu64
           " delivered, %" PRIu64 " deaths, %u failed\n",
           runs, options->first_seed, world->total_mails, world->total_delivered,
           world->total_deaths, failures);
    /* A check that looked at nothing is a failure. */
    return runs == 0 || world->total_delivered == 0 ? failures + 1 : failures;
}

int main(int count, char **arguments)
{
    static struct world world;
    struct region_plan plan = {WORLD_WORKERS, WORLD_WORKERS * WORLD_SLOTS,
                               WORLD_WORKERS * WORLD_BLOCKS};
    struct main_options options;
    unsigned failures;

    main_options(count, arguments, &options);
    (void)signal(SIGABRT, main_crashed);
    (void)signal(SIGSEGV, main_crashed);
    if (region_create(&world.region, &plan, REGION_PAGES_NORMAL) != STATUS_OK) {
        (void)fputs("simulation_handover: no memory for the region\n", stderr);
        return 2;
    }
    failures = main_run(&options, &world);
    region_close(&world.region);
    return failures > 0 ? 1 : 0;
}
