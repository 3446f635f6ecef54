/* simulation: runs seeds against the real endpoint. See docs/simulation.md. */
#include <inttypes.h>
#include <stdio.h>

#include "runner.h"
#include "world.h"

static const char *const main_modes[] = {"--recorder", "--mail", NULL};

struct main_sums {
    struct world world;
    struct region region;
    uint64_t connections;
    uint64_t completed;
    uint64_t frames;
    uint64_t lost;
    uint64_t delivered;
};

static bool main_run(void *context, uint64_t seed, int mode, bool trace)
{
    struct main_sums *sums = context;
    struct world *world = &sums->world;
    bool good = world_run(world, &sums->region, seed, mode, trace);

    sums->connections += world->exchange_count;
    sums->completed += world->connections_completed;
    sums->frames += world->frames_given + world->frames_sent;
    sums->lost += world->frames_lost;
    sums->delivered += world->bytes_delivered;
    return good;
}

static bool main_summary(void *context)
{
    const struct main_sums *sums = context;

    printf("%" PRIu64 " connections, %" PRIu64 " completed, %" PRIu64 " frames, %" PRIu64
           " lost, %" PRIu64 " bytes delivered",
           sums->connections, sums->completed, sums->frames, sums->lost, sums->delivered);
    return sums->frames > 0;
}

int main(int count, char **arguments)
{
    static struct main_sums sums;
    struct region_plan plan = {1, WORLD_SLOTS, WORLD_BLOCKS};
    struct runner runner = {
        .program = "simulation",
        .modes = main_modes,
        .context = &sums,
        .run = main_run,
        .summary = main_summary,
    };
    int result;

    if (region_create(&sums.region, &plan, REGION_PAGES_NORMAL) != STATUS_OK) {
        (void)fputs("simulation: no memory for the region\n", stderr);
        return 2;
    }
    result = runner_main(&runner, count, arguments);
    region_close(&sums.region);
    return result;
}
