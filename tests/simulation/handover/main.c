/* simulation_handover: runs seeds against the real handover. See docs/simulation.md. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/simulation/runner.h"
#include "world.h"

static bool main_run(void *context, uint64_t seed, int mode, bool trace)
{
    (void)mode;
    return world_run(context, seed, trace);
}

static bool main_summary(void *context)
{
    const struct world *world = context;

    printf("%" PRIu64 " mails, %" PRIu64 " delivered, %" PRIu64 " deaths", world->total_mails,
           world->total_delivered, world->total_deaths);
    return world->total_delivered > 0;
}

int main(int count, char **arguments)
{
    static struct world world;
    struct region_plan plan = {WORLD_WORKERS, WORLD_WORKERS * WORLD_SLOTS,
                               WORLD_WORKERS * WORLD_BLOCKS};
    struct runner runner = {
        .program = "simulation_handover",
        .context = &world,
        .run = main_run,
        .summary = main_summary,
    };
    int result;

    if (region_create(&world.region, &plan, REGION_PAGES_NORMAL) != STATUS_OK) {
        (void)fputs("simulation_handover: no memory for the region\n", stderr);
        return 2;
    }
    result = runner_main(&runner, count, arguments);
    region_close(&world.region);
    return result;
}
