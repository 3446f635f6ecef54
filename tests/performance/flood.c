/* A SYN flood, and what a good connection costs in the middle of it. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/performance/bench.h"

#define FLOOD_HALF_OPEN 4096u
#define FLOOD_GOOD      4000u
#define FLOOD_BESIDE    31u /* SYNs between two packets of the good connection */

static const struct bench_options flood_options = {
    .application = BENCH_SMTP,
    .connections = 16384,
    .half_open = FLOOD_HALF_OPEN,
    .blocks = 1024,
    .messages = 64,
};

static uint32_t flood_number;

static void flood_send(struct bench *bench, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        client_flood(bench, flood_number++);
    bench_turn(bench);
}

/* Sends until hardly a SYN finds a place. */
static void flood_fill(struct bench *bench)
{
    for (uint32_t i = 0; i < 16; i++)
        flood_send(bench, FLOOD_HALF_OPEN);
    CHECK(bench->endpoint.half_open_count > FLOOD_HALF_OPEN / 16 * 15);
}

/* One connection to its banner and its end, each packet in a burst of its own, with `beside` SYNs
 * of the flood before it. Returns the cycles of its own bursts. */
static uint64_t flood_good(struct bench *bench, uint32_t peer, uint32_t beside)
{
    struct wave wave = {bench, peer, 1};
    uint64_t cycles = 0;

    for (unsigned step = 0; step < 5; step++) {
        flood_send(bench, beside);
        bench_reset(bench);
        if (step == 0)
            wave_syn(&wave);
        else if (step < 3)
            wave_ack(&wave);
        else
            client_send(bench, peer, step == 3 ? TCP_FLAG_ACK | TCP_FLAG_FIN : TCP_FLAG_ACK, NULL,
                        0);
        bench_turn(bench);
        cycles += bench->cycles;
        if (step == 1)
            CHECK(bench->peers[peer].code == 220);
    }
    CHECK(bench->peers[peer].finished);
    return cycles;
}

static void flood_print_good(struct bench *bench, const char *title, uint32_t count,
                             uint32_t beside)
{
    uint64_t *values = calloc(count, sizeof(*values));
    uint64_t middle;

    CHECK(values != NULL);
    for (uint32_t i = 0; i < count; i++)
        values[i] = flood_good(bench, i, beside);
    middle = bench_percentile(values, count, 500);
    printf("  %-30s p50 %6llu, p99 %6llu cycles\n", title, (unsigned long long)middle,
           (unsigned long long)bench_percentile(values, count, 990));
    free(values);
}

void measure_flood(const struct scale *scale)
{
    uint32_t good = scale->smoke ? 100 : FLOOD_GOOD;
    uint64_t cycles[BENCH_ROUNDS];
    unsigned rounds = scale->smoke ? 1 : BENCH_ROUNDS;
    uint64_t kept;
    struct bench bench;

    printf("SYN flood, a half-open table of %u, full\n", FLOOD_HALF_OPEN);
    bench_open(&bench, &flood_options);
    flood_print_good(&bench, "a good connection, alone", good, 0);
    bench_reset(&bench);
    flood_send(&bench, FLOOD_HALF_OPEN / 2);
    kept = bench.cycles / (FLOOD_HALF_OPEN / 2);
    flood_fill(&bench);
    for (unsigned i = 0; i < rounds; i++) {
        bench_reset(&bench);
        flood_send(&bench, scale->smoke ? 1024 : 100000);
        cycles[i] = bench.cycles / bench.packets_in;
    }
    flood_print_good(&bench, "a good connection, beside it", good, FLOOD_BESIDE);
    printf("  %-30s %llu cycles kept, %llu answered by a cookie: %.2f million/s a core\n", "a SYN",
           (unsigned long long)kept, (unsigned long long)bench_percentile(cycles, rounds, 0),
           scale->frequency / (double)bench_percentile(cycles, rounds, 0) / 1e6);
    bench_close(&bench);
}

uint64_t work_flood(uint32_t count)
{
    struct bench bench;

    bench_open(&bench, &flood_options);
    flood_send(&bench, count);
    bench_close(&bench);
    return count;
}
