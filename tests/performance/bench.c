#include "tests/performance/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/counting.h"
#include "dataplane/policy/reply.h"

#define BENCH_TIMERS 64u /* as many a round as the worker's loop runs */

static const uint8_t bench_address[4] = {198, 18, 0, 1};
static const uint8_t bench_mac[6] = {2, 0, 0, 0, 0, 1};
static char bench_domains[1][CONFIG_NAME_BYTES] = {"example.org"};

double bench_frequency(void)
{
    int64_t start_ns = clock_monotonic_ns();
    uint64_t start = bench_cycles();
    int64_t now_ns;

    do
        now_ns = clock_monotonic_ns();
    while (now_ns - start_ns < 50 * CLOCK_NS_PER_MS);
    return (double)(bench_cycles() - start) * (double)CLOCK_NS_PER_SECOND /
           (double)(now_ns - start_ns);
}

uint64_t bench_resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size = 0;
    unsigned long resident = 0;

    CHECK(file != NULL && fscanf(file, "%lu %lu", &size, &resident) == 2);
    (void)fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int bench_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

uint64_t bench_percentile(uint64_t *values, size_t count, unsigned permille)
{
    CHECK(count > 0 && permille < 1000);
    qsort(values, count, sizeof(*values), bench_compare);
    return values[count * permille / 1000];
}

static uint8_t *output_begin(void *context, uint16_t port, uint32_t length)
{
    struct bench *bench = context;
    uint32_t at = (bench->sent_first + bench->sent_count) % BENCH_FRAMES;

    (void)port;
    CHECK(length <= BENCH_FRAME_BYTES && bench->sent_count < BENCH_FRAMES);
    bench->sent_length[at] = length;
    return bench->sent + (size_t)at * BENCH_FRAME_BYTES;
}

static void output_end(void *context, uint32_t l2_bytes, uint32_t l3_bytes)
{
    struct bench *bench = context;

    (void)l2_bytes;
    (void)l3_bytes;
    bench->sent_count++;
}

/* The service: every message is delivered, and said to be after the burst. */
static void service_submit(void *context, struct message *message, int64_t now_ns)
{
    struct bench *bench = context;

    (void)now_ns;
    CHECK(bench->submitted_count < BENCH_MESSAGES);
    bench->submitted_owner[bench->submitted_count] = message->owner;
    bench->submitted[bench->submitted_count++] = message;
}

static void service_abandon(void *context, struct message *message, int64_t now_ns)
{
    (void)context;
    (void)message;
    (void)now_ns;
    CHECK(false); /* our clients wait for the answer */
}

static void service_conclude(void *context, struct message *message, enum mail_outcome outcome,
                             const char *status, int64_t now_ns)
{
    struct bench *bench = context;

    (void)outcome;
    (void)status;
    (void)now_ns;
    message_give(&bench->store, message);
}

static void service_rejected(void *context, const char *command, const char *client,
                             const char *helo, const char *sender, const char *recipient,
                             const char *reply, int64_t now_ns)
{
    (void)context;
    (void)client;
    (void)helo;
    (void)sender;
    (void)recipient;
    (void)now_ns;
    (void)fprintf(stderr, "performance_tcp: %s refused: %s\n", command, reply);
    CHECK(false);
}

static int64_t service_wall_seconds(void *context, int64_t now_ns)
{
    (void)context;
    return INT64_C(1700000000) + now_ns / CLOCK_NS_PER_SECOND;
}

static void service_answer(struct bench *bench)
{
    for (unsigned i = 0; i < bench->submitted_count; i++) {
        struct stream *stream = stream_find(&bench->endpoint, bench->submitted_owner[i]);
        struct mail_result result = {.outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 Ok"};

        char reply[SMTP_RESULT_BYTES];

        CHECK(stream != NULL);
        smtp_finish(&bench->smtp, stream, bench->submitted[i], reply,
                    policy_reply(bench->submitted[i], &result, reply, sizeof(reply)),
                    bench->now_ns);
        message_give(&bench->store, bench->submitted[i]);
    }
    bench->submitted_count = 0;
}

/* The reading application. */
static void reader_opened(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    CHECK(tcp_expect(connection, TCP_EXPECT_DATA));
}

static void reader_readable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    tcp_consume(connection, tcp_readable(connection));
}

static void reader_finished(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    tcp_close(connection);
}

static void reader_expired(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct bench *bench = context;

    (void)connection;
    (void)now_ns;
    bench->expired++;
}

static void reader_closed(void *context, struct tcp_connection *connection,
                          enum tcp_close_reason reason, int64_t now_ns)
{
    (void)context;
    (void)connection;
    (void)reason;
    (void)now_ns;
}

static void bench_configure(struct bench *bench)
{
    struct config *config = &bench->config;

    (void)snprintf(config->hostname, sizeof(config->hostname), "mx.example.org");
    (void)snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@example.org");
    config->limits.message_bytes = 32u << 20;
    config->limits.recipients = 100;
    config->limits.bad_commands = 10;
    config->limits.received_fields = 50;
    config->limits.command_timeout_ns = 300 * CLOCK_NS_PER_SECOND;
    config->limits.data_timeout_ns = 180 * CLOCK_NS_PER_SECOND;
    config->limits.data_rate = 1000;
    (void)snprintf(bench->customer.name, sizeof(bench->customer.name), "example");
    bench->customer.domain_count = 1;
    bench->customer.domains = bench_domains;
    bench->customer.any_recipient = true;
    config->customer_count = 1;
    config->customers = &bench->customer;
    CHECK(smtp_customers_create(config, &bench->table) == STATUS_OK);
}

static void bench_application(struct bench *bench)
{
    if (bench->application == BENCH_READER) {
        bench->reader = (struct tcp_application){
            .context = bench,
            .opened = reader_opened,
            .readable = reader_readable,
            .writable = reader_readable,
            .finished = reader_finished,
            .expired = reader_expired,
            .closed = reader_closed,
        };
        return;
    }
    bench->smtp = (struct smtp_server){
        .store = &bench->store,
        .endpoint = &bench->endpoint,
        .counters = bench->counters,
        .customers = bench->table,
        .service = {.context = bench,
                    .submit = service_submit,
                    .abandon = service_abandon,
                    .conclude = service_conclude,
                    .rejected = service_rejected,
                    .wall_seconds = service_wall_seconds},
        .id_prefix = "7A001B",
    };
    smtp_server_application(&bench->smtp, &bench->mail.application);
    stream_listener_init(&bench->mail);
}

static void bench_open_net(struct bench *bench)
{
    struct ip_interface *interface = &bench->ip.interfaces[0];

    bench->output = (struct packet_output){
        .context = bench,
        .begin = output_begin,
        .end = output_end,
        .fills_checksums = !bench->verify,
    };
    bench->ip.upper = tcp_upper(&bench->endpoint);
    bench->ip.output = &bench->output;
    bench->ip.counters = bench->counters;
    memcpy(interface->address, bench_address, sizeof(bench_address));
    memcpy(interface->mac, bench_mac, sizeof(bench_mac));
    interface->mtu = 1500;
    ip_interface_link_local(interface);
}

void bench_open(struct bench *bench, const struct bench_options *options)
{
    static const struct siphash_key secret = {{UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba98)}};
    struct region_plan plan = {1, options->messages, options->blocks};
    struct tcp_limits limits = {
        .connections = options->connections,
        .half_open = options->half_open,
        /* Tight enough to be looked at, wide enough for all our clients. */
        .clients = {.connections = {100, 1000}, .rate = 1000},
        .window_bytes = 256u << 10,
    };
    struct tcp_listeners listeners = {.count = 0};

    memset(bench, 0, sizeof(*bench));
    bench->application = options->application;
    bench->verify = options->verify;
    bench->counted = true;
    bench->now_ns = 1000 * CLOCK_NS_PER_SECOND;
    CHECK(region_create(&bench->region, &plan, REGION_PAGES_NORMAL) == STATUS_OK);
    CHECK(store_init(&bench->store, &bench->region, 0, 0, options->blocks, 0, options->messages) ==
          STATUS_OK);
    bench->counters = &bench->counting.row;
    bench->counting.published = region_counters(&bench->region, 0);
    bench_configure(bench);
    bench_application(bench);
    bench_open_net(bench);
    CHECK(tcp_listeners_add_interface(&listeners, &bench->ip.interfaces[0], BENCH_PORT,
                                      bench->application == BENCH_READER
                                          ? &bench->reader
                                          : &bench->mail.below) == STATUS_OK);
    CHECK(tcp_endpoint_create(&bench->endpoint, &bench->store, bench->counters, &bench->output,
                              &listeners, &limits, &secret, bench->now_ns) == STATUS_OK);
    bench->frames = calloc(BENCH_FRAMES, BENCH_FRAME_BYTES);
    bench->small_frames = calloc(BENCH_SMALL_FRAMES, BENCH_FRAME_BYTES);
    bench->sent = calloc(BENCH_FRAMES, BENCH_FRAME_BYTES);
    bench->peers = calloc(options->connections, sizeof(*bench->peers));
    CHECK(bench->frames != NULL && bench->small_frames != NULL && bench->sent != NULL &&
          bench->peers != NULL);
    memset(bench->sent, 0xff, (size_t)BENCH_FRAMES * BENCH_FRAME_BYTES); /* resident from now on */
    bench->peer_count = options->connections;
    client_prepare(bench);
    bench_reset(bench);
}

void bench_close(struct bench *bench)
{
    tcp_endpoint_destroy(&bench->endpoint, bench->now_ns);
    /* What came back to the store is the proof that nothing was left out. */
    CHECK(bench->store.free_count == bench->store.block_count);
    CHECK(bench->store.free_slot_count == bench->store.slot_count);
    smtp_customers_free(bench->table);
    store_fini(&bench->store);
    region_close(&bench->region);
    free(bench->frames);
    free(bench->small_frames);
    free(bench->sent);
    free(bench->peers);
}

void bench_reset(struct bench *bench)
{
    bench->cycles = 0;
    bench->client_cycles = 0;
    bench->packets_in = 0;
    bench->packets_out = 0;
    bench->bytes_in = 0;
    bench->client_since = bench_cycles();
}

void bench_serve(struct bench *bench)
{
    uint64_t start = bench_cycles();

    bench->client_cycles += start - bench->client_since;
    for (unsigned i = 0; i < bench->burst_count; i++)
        __builtin_prefetch(bench->burst[i].bytes);
    for (unsigned i = 0; i < bench->burst_count; i++)
        (void)ip_input(&bench->ip, &bench->burst[i], 0, bench->now_ns);
    if (bench->submitted_count > 0)
        service_answer(bench);
    (void)tcp_timers(&bench->endpoint, bench->now_ns, BENCH_TIMERS);
    (void)tcp_flush(&bench->endpoint, bench->now_ns);
    counting_round(&bench->counting, bench->burst_count > 0, bench->now_ns);
    bench->client_since = bench_cycles();
    bench->cycles += bench->client_since - start;
}

__attribute__((noinline)) void bench_serve_counted(struct bench *bench)
{
    bench_serve(bench);
}

void bench_turn(struct bench *bench)
{
    uint64_t accepted = bench_counter(bench, COUNTER_TCP_IN_ACCEPTED);

    if (bench->counted)
        bench_serve_counted(bench);
    else
        bench_serve(bench);
    CHECK(bench_counter(bench, COUNTER_TCP_IN_ACCEPTED) - accepted == bench->burst_count);
    for (unsigned i = 0; i < bench->burst_count; i++)
        bench->bytes_in += bench->burst[i].length;
    bench->packets_in += bench->burst_count;
    bench->packets_out += bench->sent_count;
    bench->now_ns += bench->burst_count * CLOCK_NS_PER_US;
    bench->burst_count = 0;
    client_read(bench);
}

void bench_pass(struct bench *bench, int64_t ns)
{
    int64_t until = bench->now_ns + ns;

    while (bench->now_ns < until) {
        bench->now_ns += CLOCK_NS_PER_MS;
        bench_serve(bench);
        client_read(bench);
    }
}

uint64_t bench_counter(const struct bench *bench, enum counter counter)
{
    return region_cell(&bench->counters->value[counter]);
}
