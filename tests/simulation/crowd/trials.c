/* Trials by those who would take it all, each beside good senders: what these see before and
 * during. Memory, places and waits are as at the defaults, sizes and pools divided alike. Counts
 * are asserted, and latencies, since time is virtual; scanners are few, and slow for what is large.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"

#define TRIAL_GOOD_A_SECOND 30
#define TRIAL_GOOD_HOSTS    64u
#define TRIAL_BEFORE_NS     (15 * CROWD_SECOND)
#define TRIAL_DURING_NS     (40 * CROWD_SECOND)
#define TRIAL_SETTLED_NS    (2 * CROWD_SECOND) /* not counted: between the two */
#define TRIAL_POOL          (256u << 20)
#define TRIAL_SLOTS         1024u
#define TRIAL_MESSAGE       (50u << 20)
#define TRIAL_PORT_POOL     (128u << 20) /* a worker */
#define TRIAL_PORT_MESSAGE  (1u << 20)
#define TRIAL_LARGE         45000000u
#define TRIAL_RATIO_MAX     2.0
#define TRIAL_DIVISOR       4u /* of sizes and pools; for a night: 1 */

struct trial {
    const char *name;
    uint32_t count; /* of those who would take it all */
    uint32_t customers;
    bool whole; /* what it takes is not divided with the sizes, so the pool is not */
    /* As tests/integration/test_tcp_takers.py has it: small mail only, a slot for everybody. */
    bool as_on_a_port;
    void (*one)(struct crowd *crowd, uint32_t number, uint32_t divisor, struct client_plan *plan);
};

static void trial_large(struct crowd *crowd, uint32_t number, uint32_t divisor,
                        struct client_plan *plan)
{
    (void)crowd;
    (void)number;
    plan->address = 1000; /* one address */
    plan->body_bytes = TRIAL_LARGE / divisor;
    plan->rate = 8000000 / divisor;
    plan->mss = 8960;
    plan->retry_ns = 3 * CROWD_SECOND;
}

static void trial_announced(struct crowd *crowd, uint32_t number, uint32_t divisor,
                            struct client_plan *plan)
{
    trial_large(crowd, number, divisor, plan);
    plan->announces = true;
}

/* Behind the dot comes a window full of commands; the server behind takes its time. */
static void trial_pipelining(struct crowd *crowd, uint32_t number, uint32_t divisor,
                             struct client_plan *plan)
{
    (void)divisor;
    crowd->plan.customer[1].least_ns = 30 * CROWD_SECOND;
    crowd->plan.customer[1].most_ns = 60 * CROWD_SECOND;
    plan->address = 1000 + number % 50;
    plan->customer = 1;
    plan->behind = 6 * 2700;
    plan->retry_ns = 2 * CROWD_SECOND;
}

static void trial_holding(struct crowd *crowd, uint32_t number, uint32_t divisor,
                          struct client_plan *plan)
{
    (void)crowd;
    (void)number;
    plan->address = 1000;
    plan->body_bytes = 330000 / divisor;
    plan->holds = true;
    plan->retry_ns = 2 * CROWD_SECOND;
}

static void trial_deaf(struct crowd *crowd, uint32_t number, uint32_t divisor,
                       struct client_plan *plan)
{
    (void)crowd;
    (void)divisor;
    plan->address = 1000 + number % 11;
    plan->deaf = true;
}

static void trial_hanging(struct crowd *crowd, uint32_t number, uint32_t divisor,
                          struct client_plan *plan)
{
    (void)divisor;
    plan->address = 1000 + number % 100;
    plan->customer = 1 + number % (crowd->plan.customers - 1);
    plan->retry_ns = CROWD_SECOND;
    crowd->plan.customer[plan->customer].hangs = true;
}

static const struct trial trials[] = {
    {"6 mails of 45 MB", 6, 1, false, false, trial_large},
    {"6 mails of 45 MB, announced", 6, 1, false, false, trial_announced},
    {"60 mails of 45 MB", 60, 1, false, false, trial_large},
    {"60 mails of 45 MB, announced", 60, 1, false, false, trial_announced},
    {"1000 that pipeline behind the dot", 1000, 2, true, false, trial_pipelining},
    {"700 that hold 330 KB", 700, 1, false, false, trial_holding},
    {"1000 behind the dot, as on a port", 1000, 2, true, true, trial_pipelining},
    {"700 that hold, as on a port", 700, 1, true, true, trial_holding},
    {"1100 handshakes with window 0", 1100, 1, false, false, trial_deaf},
    {"2 customers that hang, 500 senders", 500, 3, true, false, trial_hanging},
    {"10 customers that hang, 500 senders", 500, 11, true, false, trial_hanging},
};

static void trial_plan(struct crowd *crowd, const struct trial *trial, uint32_t workers,
                       uint32_t divisor)
{
    crowd->plan = (struct crowd_plan){
        .workers = workers,
        .blocks = TRIAL_POOL / divisor / MESSAGE_BLOCK_BYTES / workers,
        .slots = TRIAL_SLOTS / workers,
        .scanners = 4,
        .scan_ns = 5 * CROWD_MS,
        .scan_byte_ps = 20000 * divisor,
        .message_bytes = TRIAL_MESSAGE / divisor,
        .admission_wait_ns = 30 * CROWD_SECOND,
        .verdict_timeout_ns = 540 * CROWD_SECOND,
        .customers = trial->customers,
        .end_ns = TRIAL_BEFORE_NS + TRIAL_DURING_NS + 10 * CROWD_SECOND,
    };
    if (trial->as_on_a_port) {
        crowd->plan.blocks = TRIAL_PORT_POOL / MESSAGE_BLOCK_BYTES;
        crowd->plan.slots = 2 * trial->count;
        crowd->plan.message_bytes = TRIAL_PORT_MESSAGE;
    }
    for (uint32_t i = 0; i < trial->customers; i++)
        crowd->plan.customer[i] =
            (struct crowd_customer){.least_ns = 20 * CROWD_MS, .most_ns = 100 * CROWD_MS};
}

static struct client_plan trial_good(struct crowd *crowd, int64_t start_ns)
{
    struct random *random = &crowd->random;

    return (struct client_plan){
        .start_ns = start_ns,
        .address = (uint32_t)random_below(random, TRIAL_GOOD_HOSTS),
        .body_bytes = (uint32_t)random_size(random, 800, 30000),
        .announces = random_chance(random, 7000),
        .judged = true,
        .rate = 10000000,
        .delay_ns = random_between(random, 5, 25) * CROWD_MS,
        .mss = 1460,
    };
}

static void trial_senders(struct crowd *crowd, const struct trial *trial, uint32_t divisor)
{
    int64_t gap_ns = CROWD_SECOND / TRIAL_GOOD_A_SECOND;

    for (int64_t at_ns = 0; at_ns < TRIAL_BEFORE_NS + TRIAL_DURING_NS;
         at_ns += random_between(&crowd->random, 1, 2 * gap_ns)) {
        struct client_plan plan = trial_good(crowd, at_ns);

        (void)crowd_client(crowd, &plan);
    }
    for (uint32_t i = 0; i < trial->count; i++) {
        struct client_plan plan = trial_good(
            crowd, TRIAL_BEFORE_NS + random_between(&crowd->random, 0, TRIAL_SETTLED_NS));

        plan.judged = false;
        plan.announces = false;
        trial->one(crowd, i, divisor, &plan);
        (void)crowd_client(crowd, &plan);
    }
}

/* -- what the good ones saw -------------------------------------------------------------------- */

struct trial_view {
    uint32_t count;
    uint32_t refused;
    int64_t p50_ns;
    int64_t p99_ns;
};

static int trial_order(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static struct trial_view trial_view(const struct crowd *crowd, int64_t from_ns, int64_t to_ns)
{
    int64_t *times = malloc((crowd->client_count + 1) * sizeof(*times));
    struct trial_view view = {0};

    for (uint32_t i = 0; times != NULL && i < crowd->client_count; i++) {
        const struct client *client = &crowd->clients[i];
        int64_t start_ns = client->plan.start_ns + TRIAL_BEFORE_NS + TRIAL_DURING_NS +
                           10 * CROWD_SECOND - crowd->plan.end_ns;

        if (!client->plan.judged || start_ns < from_ns || start_ns >= to_ns)
            continue;
        if (client->code != 250)
            view.refused++;
        times[view.count++] = client->took_ns;
    }
    if (view.count > 0) {
        qsort(times, view.count, sizeof(*times), trial_order);
        view.p50_ns = times[view.count / 2];
        view.p99_ns = times[view.count * 99 / 100];
    }
    free(times);
    return view;
}

static void trial_judge(struct crowd *crowd)
{
    struct trial_view before = trial_view(crowd, 0, TRIAL_BEFORE_NS - TRIAL_SETTLED_NS);
    struct trial_view during =
        trial_view(crowd, TRIAL_BEFORE_NS + TRIAL_SETTLED_NS, TRIAL_BEFORE_NS + TRIAL_DURING_NS);
    struct trial_view all = trial_view(crowd, 0, INT64_MAX);
    double p50 = (double)during.p50_ns / (double)(before.p50_ns + 1);
    double p99 = (double)during.p99_ns / (double)(before.p99_ns + 1);

    printf("%-36s %u workers: %4u good, %u refused; p50 %4lld ms, x %.2f; p99 %4lld ms, x %.2f; "
           "others: %llu done, %llu refused\n",
           crowd->what, crowd->plan.workers, all.count, all.refused,
           (long long)(before.p50_ns / CROWD_MS), p50, (long long)(before.p99_ns / CROWD_MS), p99,
           (unsigned long long)(crowd->completed - (all.count - all.refused)),
           (unsigned long long)crowd->refused);
    if (before.count == 0 || during.count == 0)
        crowd_fail(crowd, "nobody was looked at");
    if (all.refused > 0)
        crowd_fail(crowd, "%u of %u good senders were refused", all.refused, all.count);
    if (p99 > TRIAL_RATIO_MAX)
        crowd_fail(crowd, "a good sender in a hundred takes %.2f times as long", p99);
}

static bool trial_run(struct crowd *crowd, const struct trial *trial, uint32_t workers,
                      uint32_t divisor)
{
    bool good;

    memset(crowd, 0, sizeof(*crowd));
    crowd->seed = 1;
    crowd->what = trial->name;
    random_seed(&crowd->random, crowd->seed);
    trial_plan(crowd, trial, workers, divisor);
    crowd_init(crowd);
    trial_senders(crowd, trial, divisor);
    crowd_run(crowd);
    if (!crowd->failed)
        trial_judge(crowd);
    good = !crowd->failed;
    crowd->failed = true; /* what follows is not part of the run */
    crowd_fini(crowd);
    return good;
}

bool trials_run(struct crowd *crowd, const char *name)
{
    bool night = getenv("POSTERN_TEST_NIGHT") != NULL;
    uint32_t divisor = night ? 1 : TRIAL_DIVISOR;
    bool good = true;
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
        uint32_t fewest = trials[i].as_on_a_port ? 1 : 2;

        if (name != NULL && strstr(trials[i].name, name) == NULL)
            continue;
        count++;
        for (uint32_t workers = fewest; workers <= (night ? CROWD_WORKERS_MAX : fewest); workers++)
            good = trial_run(crowd, &trials[i], workers, trials[i].whole ? 1 : divisor) && good;
        (void)fflush(stdout);
    }
    /* A check that looked at nothing is a failure. */
    return good && count > 0;
}
