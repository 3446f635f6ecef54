/* Connections a second: SYN, SYN-ACK, ACK, banner, ACK; and to the end of both sides. */
#include <stdio.h>

#include "tests/performance/bench.h"

#define ACCEPT_WAVE 1000u
#define ACCEPT_GOAL 200000.0 /* a second a core, to the banner */

static const struct bench_options accept_options = {
    .application = BENCH_SMTP,
    .connections = 65536,
    .half_open = 16384,
    .blocks = 4096,
    .messages = 64,
};

struct accept_round {
    double open_cycles, close_cycles, client_cycles; /* a connection */
};

/* `count` connections, of which `held` are open at a time. */
static struct accept_round accept_round(struct bench *bench, uint32_t count, uint32_t held)
{
    struct accept_round round = {0, 0, 0};
    uint64_t opened = 0;
    uint64_t closed = 0;
    uint64_t client = 0;

    for (uint32_t done = 0; done < count; done += held) {
        for (uint32_t i = 0; i < held; i += ACCEPT_WAVE) {
            struct wave wave = {bench, i, ACCEPT_WAVE};

            bench_reset(bench);
            wave_connect(&wave);
            opened += bench->cycles;
            client += bench->client_cycles;
        }
        for (uint32_t i = 0; i < held; i += ACCEPT_WAVE) {
            struct wave wave = {bench, i, ACCEPT_WAVE};

            bench_reset(bench);
            wave_close(&wave);
            closed += bench->cycles;
        }
    }
    round.open_cycles = (double)opened / count;
    round.close_cycles = (double)closed / count;
    round.client_cycles = (double)client / count;
    return round;
}

static void accept_print(const struct scale *scale, const char *title, uint32_t count,
                         uint32_t held)
{
    uint64_t open[BENCH_ROUNDS];
    uint64_t whole[BENCH_ROUNDS];
    uint64_t client[BENCH_ROUNDS];
    unsigned rounds = scale->smoke ? 1 : BENCH_ROUNDS;
    struct bench bench;
    double best;

    bench_open(&bench, &accept_options);
    for (unsigned i = 0; i < rounds; i++) {
        struct accept_round round = accept_round(&bench, count, held);

        open[i] = (uint64_t)round.open_cycles;
        whole[i] = (uint64_t)(round.open_cycles + round.close_cycles);
        client[i] = (uint64_t)round.client_cycles;
    }
    bench_close(&bench);
    best = scale->frequency / (double)bench_percentile(open, rounds, 0);
    printf("%s\n", title);
    printf("  to the banner        %9.0f /s a core  (middle round %.0f; goal %.0f: %s)\n", best,
           scale->frequency / (double)bench_percentile(open, rounds, 500), ACCEPT_GOAL,
           best >= ACCEPT_GOAL ? "reached" : "missed");
    printf("  to the end           %9.0f /s a core\n",
           scale->frequency / (double)bench_percentile(whole, rounds, 0));
    printf("  cycles               %9llu to the banner, %llu in all; the client's own: %llu\n",
           (unsigned long long)bench_percentile(open, rounds, 0),
           (unsigned long long)bench_percentile(whole, rounds, 0),
           (unsigned long long)bench_percentile(client, rounds, 0));
}

void measure_accept(const struct scale *scale)
{
    uint32_t many = scale->smoke ? 4 * ACCEPT_WAVE : 50 * ACCEPT_WAVE;

    accept_print(scale, "connections, 1,000 open at a time", many, ACCEPT_WAVE);
    accept_print(scale, "connections, 50,000 open at a time (records out of cache)", many, many);
}

uint64_t work_accept(uint32_t count)
{
    struct bench bench;

    bench_open(&bench, &accept_options);
    (void)accept_round(&bench, count, ACCEPT_WAVE);
    bench_close(&bench);
    return count;
}
