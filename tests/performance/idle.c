/* Idle connections: what one weighs, and what it costs to have it; deadlines by the hundred
 * thousand. */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/smtp/state.h"
#include "dataplane/tcp/clients.h"
#include "tests/performance/bench.h"

#define IDLE_WAVE   1000u
#define IDLE_HELD   100000u
#define IDLE_TICKS  2000u
#define IDLE_TARGET 1024.0 /* bytes each, without TLS */

static struct bench_options idle_options(enum bench_application application, uint32_t connections)
{
    return (struct bench_options){
        .application = application,
        .connections = connections,
        .half_open = connections / 4, /* as the worker has it */
        .blocks = 8192,
        .messages = 64,
    };
}

static void idle_open(struct bench *bench, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += IDLE_WAVE) {
        struct wave wave = {bench, i, IDLE_WAVE};

        wave_connect(&wave);
    }
}

/* From the endpoint's own numbers, each connection's share of what grows with their number. */
static double idle_bytes_computed(const struct tcp_endpoint *endpoint)
{
    double connections = endpoint->limits.connections;
    double half_open = (endpoint->half_open_mask + 1.0) * TCP_HALF_OPEN_WAYS *
                       sizeof(struct tcp_half_open) / connections;
    double table = (endpoint->table_mask + 1.0) * sizeof(uint32_t) / connections;
    double clients = TCP_CLIENT_LEVELS * sizeof(struct tcp_client) +
                     (endpoint->clients.mask + 1.0) * sizeof(uint32_t) / connections;

    printf("  a record             %6zu bytes (connection %zu, SMTP session %zu)\n",
           endpoint->stride, sizeof(struct tcp_connection), sizeof(struct smtp_session));
    printf("  its share of tables  %6.0f bytes (look-up %.0f, clients %.0f, half-open %.0f)\n",
           table + clients + half_open, table, clients, half_open);
    return (double)endpoint->stride + table + clients + half_open;
}

static uint64_t idle_tick(struct bench *bench)
{
    uint64_t start;

    bench->now_ns += INT64_C(1) << TCP_TICK_SHIFT;
    start = bench_cycles();
    bench_serve(bench);
    return bench_cycles() - start;
}

static void idle_print_ticks(struct bench *bench, uint32_t ticks)
{
    uint64_t *values = calloc(ticks, sizeof(*values));
    uint64_t middle;

    CHECK(values != NULL);
    for (uint32_t i = 0; i < ticks; i++)
        values[i] = idle_tick(bench);
    CHECK(bench->sent_count == 0);
    middle = bench_percentile(values, ticks, 500);
    printf("  a round of the loop  %6llu cycles p50, %llu p99, %llu worst, a tick (4.2 ms) apart\n",
           (unsigned long long)middle, (unsigned long long)bench_percentile(values, ticks, 990),
           (unsigned long long)values[ticks - 1]);
    free(values);
}

static void idle_memory(const struct scale *scale)
{
    uint32_t held = scale->smoke ? 2 * IDLE_WAVE : IDLE_HELD;
    struct bench_options options = idle_options(BENCH_SMTP, held);
    struct bench_options least = idle_options(BENCH_SMTP, IDLE_WAVE);
    uint64_t resident;
    double computed;
    double measured;
    struct bench bench;

    /* What everything else weighs. */
    bench_open(&bench, &least);
    resident = bench_resident();
    bench_close(&bench);
    bench_open(&bench, &options);
    idle_open(&bench, held);
    CHECK(bench.endpoint.connection_count == held);
    printf("idle connections, %u held, their banner said\n", held);
    computed = idle_bytes_computed(&bench.endpoint);
    /* Our own clients' records are in the process, too. */
    measured = ((double)bench_resident() - (double)resident) / (held - IDLE_WAVE) -
               (double)sizeof(struct peer);
    printf("  bytes each           %6.0f computed, %.0f measured (resident memory; target %.0f: "
           "%s)\n",
           computed, measured, IDLE_TARGET, computed <= IDLE_TARGET ? "reached" : "missed");
    printf("  blocks held          %6u\n", bench.store.block_count - bench.store.free_count);
    printf("  one million          %6.2f GB\n", computed * 1e6 / 1e9);
    /* The first entries of the wheel, for the banners' retransmission, have run out. */
    bench_pass(&bench, 5 * CLOCK_NS_PER_SECOND);
    idle_print_ticks(&bench, scale->smoke ? 50 : IDLE_TICKS);
    bench_close(&bench);
}

/* Arms one deadline each, far apart; arms each again, later; lets all of them come. */
static void idle_timers(const struct scale *scale)
{
    uint32_t held = scale->smoke ? 2 * IDLE_WAVE : IDLE_HELD;
    struct bench_options options = idle_options(BENCH_READER, held);
    struct bench bench;
    uint64_t arm;
    uint64_t again;
    uint64_t start;
    int64_t base_ns;

    options.blocks = 65536; /* two and more a reader in DATA: given back at once below */
    bench_open(&bench, &options);
    for (uint32_t i = 0; i < held; i += IDLE_WAVE) {
        struct wave wave = {&bench, i, IDLE_WAVE};

        wave_connect(&wave);
        for (uint32_t j = i; j < i + IDLE_WAVE; j++)
            (void)tcp_expect(tcp_at(&bench.endpoint, j), TCP_EXPECT_COMMANDS);
        bench_turn(&bench);
    }
    base_ns = bench.now_ns + CLOCK_NS_PER_SECOND;
    start = bench_cycles();
    for (uint32_t i = 0; i < held; i++)
        tcp_set_deadline(tcp_at(&bench.endpoint, i), base_ns + (int64_t)i * 100 * CLOCK_NS_PER_US);
    arm = bench_cycles() - start;
    start = bench_cycles();
    for (uint32_t i = 0; i < held; i++)
        tcp_set_deadline(tcp_at(&bench.endpoint, i),
                         base_ns + CLOCK_NS_PER_SECOND + (int64_t)i * 100 * CLOCK_NS_PER_US);
    again = bench_cycles() - start;
    bench_reset(&bench);
    bench_pass(&bench, 3 * CLOCK_NS_PER_SECOND + (int64_t)held * 100 * CLOCK_NS_PER_US);
    CHECK(bench.expired == held);
    printf("deadlines, %u of them\n", held);
    printf("  cycles               %6llu to arm, %llu to move, %llu to run out (both moves and "
           "the wheel's turning in it)\n",
           (unsigned long long)(arm / held), (unsigned long long)(again / held),
           (unsigned long long)(bench.cycles / held));
    bench_close(&bench);
}

void measure_idle(const struct scale *scale)
{
    idle_memory(scale);
    idle_timers(scale);
}
