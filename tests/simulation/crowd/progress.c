/* The property that somebody always gets on: as long as one message within limits is being sent to
 * a worker by a live sender, some message of that worker completes within a time that the plan
 * gives: the longest it takes to say one, to scan and to deliver it, and what those may hold that
 * wait for a server that hangs. Waiting for room (limits.admission_wait) is not in it: whoever
 * waits does so because another gets on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crowd.h"
#include "platform/sums.h"

#define PROGRESS_WINDOW   131072              /* bytes in flight at most */
#define PROGRESS_SLACK_NS (12 * CROWD_SECOND) /* shut windows are asked after by the second */
#define PROGRESS_END_NS   (150 * CROWD_SECOND)

/* `tight`: large messages that do not say their size, in little more room than for one of them. */
static void progress_plan(struct crowd *crowd, uint32_t senders, bool tight)
{
    struct random *random = &crowd->random;
    struct crowd_plan *plan = &crowd->plan;
    int64_t least;

    *plan = (struct crowd_plan){
        .workers = (uint32_t)random_between(random, 1, tight ? 2 : 3),
        .slots = 256,
        .scanners = (uint32_t)random_between(random, 1, 4),
        .scan_ns = random_size(random, CROWD_MS, 300 * CROWD_MS),
        .scan_byte_ps = random_size(random, 100, 300000),
        .message_bytes = (uint32_t)random_size(random, tight ? 3000000 : 500000, 6000000),
        .admission_wait_ns = tight || random_chance(random, 5000)
                                 ? 60 * CROWD_SECOND
                                 : random_size(random, CROWD_SECOND, 60 * CROWD_SECOND),
        .verdict_timeout_ns = 40 * CROWD_SECOND,
        .customers = tight ? 1 : (uint32_t)random_between(random, 1, 4),
        .end_ns = PROGRESS_END_NS,
    };
    for (uint32_t i = 0; i < plan->customers; i++)
        plan->customer[i] = (struct crowd_customer){
            .least_ns = CROWD_MS,
            .most_ns = random_size(random, 10 * CROWD_MS, 5 * CROWD_SECOND),
            .hangs = i > 0 && random_chance(random, 2000),
        };
    /* Room for one maximal message to four, what is kept back from data, and envelopes. */
    least = (int64_t)sums_message_blocks(plan->message_bytes, PROGRESS_WINDOW) * 5 / 4;
    plan->blocks = (uint32_t)random_between(random, least, tight ? 3 * least / 2 : 4 * least);
    if (plan->blocks < 16 * (senders / plan->workers + 1))
        plan->blocks = 16 * (senders / plan->workers + 1);
    if (plan->blocks < STORE_DIVIDED)
        plan->blocks = STORE_DIVIDED;
}

static int64_t progress_transfer_ns(const struct client_plan *plan)
{
    int64_t rate = PROGRESS_WINDOW * CROWD_SECOND / (2 * plan->delay_ns + CROWD_MS);

    if (rate > plan->rate)
        rate = plan->rate;
    return plan->body_bytes * CROWD_SECOND / rate;
}

/* The longest that one sender's line takes; rates are such that it is seconds. */
static int64_t progress_senders(struct crowd *crowd, uint32_t senders, bool tight)
{
    struct random *random = &crowd->random;
    int64_t most = crowd->plan.message_bytes - 1000;
    int64_t longest_ns = 0;
    unsigned large = (unsigned)random_between(random, tight ? 8000 : 1000, tight ? 10000 : 9000);
    unsigned announced = (unsigned)random_below(random, tight ? 2001 : 10001);

    for (uint32_t i = 0; i < senders; i++) {
        struct client_plan plan = {
            .start_ns = random_size(random, CROWD_MS, (tight ? 2 : 20) * CROWD_SECOND),
            .address = (uint32_t)random_below(random, tight ? 60 : 12),
            .customer = (uint32_t)random_below(random, crowd->plan.customers),
            .body_bytes = random_chance(random, large)
                              ? (uint32_t)random_between(random, most / 2, most)
                              : (uint32_t)random_size(random, 200, most),
            .announces = random_chance(random, announced),
            .rate = random_size(random, crowd->plan.message_bytes / 8, 20000000),
            .delay_ns = random_size(random, 100000, 100 * CROWD_MS),
            .retry_ns = random_size(random, 100 * CROWD_MS, 5 * CROWD_SECOND),
            .mss = random_chance(random, 2000)   ? 536
                   : random_chance(random, 5000) ? 1460
                                                 : 8960,
        };
        int64_t transfer_ns = progress_transfer_ns(&plan);

        if (transfer_ns > longest_ns)
            longest_ns = transfer_ns;
        (void)crowd_client(crowd, &plan);
    }
    return longest_ns;
}

static void progress_grabber(struct crowd *crowd, unsigned kind)
{
    struct random *random = &crowd->random;
    struct client_plan plan = {
        .start_ns = random_between(random, 0, 10 * CROWD_SECOND),
        .address = 1000 + (uint32_t)random_below(random, 100),
        .grab = (enum client_grab)kind,
        .rate = 10000000,
        .delay_ns = 10 * CROWD_MS,
        .retry_ns = 3 * CROWD_SECOND,
        .mss = 1460,
    };

    if (kind == GRAB_NOTHING) {
        plan.body_bytes = 500;
        plan.behind = PROGRESS_WINDOW;
        plan.mute = true;
        plan.retry_ns = 0; /* it is scanned, too: it shall not be scanners that are short */
        plan.rate = INT64_C(1000000000000); /* all of it at once */
        plan.mss = 8960;
        plan.customer = (uint32_t)random_below(random, crowd->plan.customers);
    }
    (void)crowd_client(crowd, &plan);
}

/* Beside them, in some runs: those that want every block that is not granted to a mail, and those
 * that hold what was granted to theirs. */
static void progress_grabbers(struct crowd *crowd)
{
    struct random *random = &crowd->random;
    uint32_t many = crowd->plan.workers * crowd->plan.blocks / 4;

    if (many > 200)
        many = 200;
    for (unsigned kind = GRAB_NOTHING; kind <= GRAB_ENVELOPES; kind++) {
        uint32_t count = (uint32_t)random_size(random, 1, kind == GRAB_NOTHING ? 20 : many);

        for (uint32_t i = 0; i < count; i++)
            progress_grabber(crowd, kind);
    }
}

static int64_t progress_patience_ns(const struct crowd *crowd, int64_t transfer_ns)
{
    const struct crowd_plan *plan = &crowd->plan;
    int64_t relay_ns = 0;
    int64_t hanging_ns = 0;

    for (uint32_t i = 0; i < plan->customers; i++) {
        /* Once while a message waits to be let in, and again while it waits to grow. */
        if (plan->customer[i].hangs)
            hanging_ns = 2 * plan->verdict_timeout_ns;
        else if (plan->customer[i].most_ns > relay_ns)
            relay_ns = plan->customer[i].most_ns;
    }
    return 2 * transfer_ns + plan->scan_ns +
           plan->workers * ((int64_t)plan->message_bytes * plan->scan_byte_ps / 1000) + relay_ns +
           hanging_ns + PROGRESS_SLACK_NS;
}

bool progress_run(struct crowd *crowd, uint64_t seed, bool trace)
{
    uint32_t senders;
    bool tight;
    bool good;

    memset(crowd, 0, sizeof(*crowd));
    crowd->seed = seed;
    crowd->trace = trace;
    crowd->what = "progress";
    random_seed(&crowd->random, seed);
    tight = random_chance(&crowd->random, 5000);
    senders = (uint32_t)random_size(&crowd->random, tight ? 6 : 2, tight ? 30 : 60);
    progress_plan(crowd, senders, tight);
    crowd_init(crowd);
    crowd->patience_ns = progress_patience_ns(crowd, progress_senders(crowd, senders, tight));
    if (random_chance(&crowd->random, 3000))
        progress_grabbers(crowd);
    crowd_run(crowd);
    if (!crowd->failed && crowd->completed == 0 && crowd->longest_ns > 0)
        crowd_fail(crowd, "none of %u messages has completed", senders);
    good = !crowd->failed;
    if (!good)
        printf("replay: simulation_crowd --seed %" PRIu64 " --trace\n", seed);
    crowd->failed = true; /* what follows is not part of the run */
    crowd_fini(crowd);
    return good;
}
