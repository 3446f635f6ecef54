/* runner.h: the command line that the simulators share: seeds, one after the other, until one fails
 * or time is over; a crash says its seed. See docs/simulation.md.
 *
 * Threads: one.
 */
#ifndef TESTS_SIMULATION_RUNNER_H
#define TESTS_SIMULATION_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

struct runner {
    const char *program;
    const char *const *modes; /* `--NAME` of each, null-terminated; null: it has none */
    void *context;
    /* One seed; `mode` is an index of `modes`, or -1. False: it failed, and has said so. */
    bool (*run)(void *context, uint64_t seed, int mode, bool trace);
    /* The last line goes on with what was looked at; false: nothing was, which is a failure. */
    bool (*summary)(void *context);
};

/* What main() returns. */
int runner_main(const struct runner *runner, int count, char **arguments);

#endif
