/* Whole dialogues: connect, EHLO, MAIL, RCPT, DATA, 4 KB, end of data, QUIT, end. */
#include <stdio.h>

#include "tests/performance/bench.h"

#define MAIL_WAVE     128u /* at once: each reserves a whole window in DATA */
#define MAIL_SEGMENTS 3u

static const struct bench_options mail_options = {
    .application = BENCH_SMTP,
    .connections = 16384,
    .half_open = 4096,
    .blocks = 8192,
    .messages = 256,
};

static void mail_round(struct bench *bench, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += MAIL_WAVE) {
        struct wave wave = {bench, i % (32 * MAIL_WAVE), MAIL_WAVE};

        wave_connect(&wave);
        wave_envelope(&wave);
        wave_data(&wave, MAIL_SEGMENTS, MAIL_SEGMENTS);
        wave_say(&wave, ".\r\n", 250);
        wave_quit(&wave);
    }
}

void measure_mail(const struct scale *scale)
{
    unsigned rounds = scale->smoke ? 1 : BENCH_ROUNDS;
    uint32_t count = (scale->smoke ? 2 : 100) * MAIL_WAVE;
    uint64_t cycles[BENCH_ROUNDS];
    uint64_t client[BENCH_ROUNDS];
    double packets_in = 0;
    double packets_out = 0;
    struct bench bench;

    bench_open(&bench, &mail_options);
    for (unsigned i = 0; i < rounds; i++) {
        bench_reset(&bench);
        mail_round(&bench, count);
        cycles[i] = bench.cycles / count;
        client[i] = bench.client_cycles / count;
        packets_in = (double)bench.packets_in / count;
        packets_out = (double)bench.packets_out / count;
    }
    bench_close(&bench);
    printf("mails of 4 KB, one a connection, answered at once (no scan, no relay)\n");
    printf("  whole dialogue       %9.0f mails/s a core  (middle round %.0f)\n",
           scale->frequency / (double)bench_percentile(cycles, rounds, 0),
           scale->frequency / (double)bench_percentile(cycles, rounds, 500));
    printf("  cycles               %9llu; the client's own: %llu\n",
           (unsigned long long)bench_percentile(cycles, rounds, 0),
           (unsigned long long)bench_percentile(client, rounds, 0));
    printf("  packets              %9.1f in, %.1f out\n", packets_in, packets_out);
}

uint64_t work_mail(uint32_t count)
{
    struct bench bench;

    count = (count + MAIL_WAVE - 1) / MAIL_WAVE * MAIL_WAVE;
    bench_open(&bench, &mail_options);
    mail_round(&bench, count);
    bench_close(&bench);
    return count;
}
