/* Bytes a second: message data at full segments over many connections at once. */
#include <stdio.h>

#include "tests/performance/bench.h"

#define DATA_PEERS    64u
#define DATA_RUN      4u   /* segments of one connection in a row, as senders' bursts arrive */
#define DATA_SEGMENTS 724u /* 1 MiB less a few bytes */
#define DATA_GOAL     10.0 /* Gbit/s a core */

static struct bench_options data_options(enum bench_application application, bool verify)
{
    return (struct bench_options){
        .application = application,
        .connections = 4096,
        .half_open = 1024,
        .blocks = 16384, /* never short: our clients are neighbours, and would get their share */
        .messages = 256,
        .verify = verify,
    };
}

/* One message from each peer; only its data is measured. */
static void data_round(struct bench *bench, uint32_t segments, uint64_t *cycles, uint64_t *client)
{
    struct wave wave = {bench, 0, DATA_PEERS};

    bench->counted = false;
    wave_connect(&wave);
    if (bench->application == BENCH_SMTP)
        wave_envelope(&wave);
    bench_reset(bench);
    bench->counted = true;
    wave_data(&wave, segments, DATA_RUN);
    bench->counted = false;
    *cycles = bench->cycles / bench->packets_in;
    *client = bench->client_cycles / bench->packets_in;
    if (bench->application == BENCH_SMTP) {
        wave_say(&wave, ".\r\n", 250);
        wave_quit(&wave);
    } else {
        wave_close(&wave);
    }
}

static void data_print(const struct scale *scale, const char *title,
                       enum bench_application application, bool verify)
{
    struct bench_options options = data_options(application, verify);
    unsigned rounds = scale->smoke ? 1 : 3 * BENCH_ROUNDS;
    uint64_t cycles[3 * BENCH_ROUNDS];
    uint64_t client[3 * BENCH_ROUNDS];
    struct bench bench;
    double best;
    double middle;

    bench_open(&bench, &options);
    for (unsigned i = 0; i < rounds; i++)
        data_round(&bench, scale->smoke ? 32 : DATA_SEGMENTS, &cycles[i], &client[i]);
    bench_close(&bench);
    best = (double)bench_percentile(cycles, rounds, 0);
    middle = (double)bench_percentile(cycles, rounds, 500);
    printf("  %-38s %6.2f Gbit/s  %5.0f cycles a packet  (middle %.2f; client's own %llu; %s)\n",
           title, scale->frequency / best * BENCH_SEGMENT_BYTES * 8 / 1e9, best,
           scale->frequency / middle * BENCH_SEGMENT_BYTES * 8 / 1e9,
           (unsigned long long)bench_percentile(client, rounds, 0),
           scale->frequency / best * BENCH_SEGMENT_BYTES * 8 / 1e9 >= DATA_GOAL ? "goal reached"
                                                                                : "goal missed");
}

void measure_data(const struct scale *scale)
{
    printf("data, %u connections, %u-byte segments, 1 MB messages (goal %.0f Gbit/s a core)\n",
           DATA_PEERS, BENCH_SEGMENT_BYTES, DATA_GOAL);
    data_print(scale, "TCP, checksums by the port", BENCH_READER, false);
    data_print(scale, "TCP, checksums in software", BENCH_READER, true);
    data_print(scale, "SMTP, checksums by the port", BENCH_SMTP, false);
    data_print(scale, "SMTP, checksums in software", BENCH_SMTP, true);
}

uint64_t work_data(enum bench_application application, bool verify, uint32_t bytes)
{
    struct bench_options options = data_options(application, verify);
    uint32_t segments = bytes / BENCH_SEGMENT_BYTES / DATA_PEERS;
    uint64_t cycles;
    uint64_t client;
    struct bench bench;

    bench_open(&bench, &options);
    data_round(&bench, segments, &cycles, &client);
    bench_close(&bench);
    return (uint64_t)segments * DATA_PEERS;
}
