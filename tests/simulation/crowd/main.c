/* simulation_crowd: seeds of the property, or the trials. See docs/simulation.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "tests/simulation/runner.h"

struct main_sums {
    struct crowd crowd;
    uint64_t senders;
    uint64_t completed;
    uint64_t refused;
    int64_t longest_ns;
};

static bool main_run(void *context, uint64_t seed, int mode, bool trace)
{
    struct main_sums *sums = context;
    bool good = progress_run(&sums->crowd, seed, trace);

    (void)mode;
    sums->senders += sums->crowd.client_count;
    sums->completed += sums->crowd.completed;
    sums->refused += sums->crowd.refused;
    if (sums->crowd.longest_ns > sums->longest_ns)
        sums->longest_ns = sums->crowd.longest_ns;
    return good;
}

static bool main_summary(void *context)
{
    const struct main_sums *sums = context;

    printf("%" PRIu64 " senders, %" PRIu64 " messages completed, %" PRIu64
           " refusals, %.1f s at most without one that completes",
           sums->senders, sums->completed, sums->refused, (double)sums->longest_ns / 1e9);
    return sums->completed > 0;
}

int main(int count, char **arguments)
{
    static struct main_sums sums;
    struct runner runner = {
        .program = "simulation_crowd",
        .context = &sums,
        .run = main_run,
        .summary = main_summary,
    };

    if (count > 1 && strcmp(arguments[1], "--trials") == 0)
        return trials_run(&sums.crowd, arguments[2]) ? 0 : 1;
    return runner_main(&runner, count, arguments);
}
