#include "tests/unit/relay/harness.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/clock.h"

#define HARNESS_WAIT_MS 20000

static void harness_done(void *context, uint32_t worker, const struct relay_result *result)
{
    struct harness *harness = context;

    assert_int_equal(worker, 0);
    assert_true(harness->answered < sizeof(harness->results) / sizeof(harness->results[0]));
    harness->results[harness->answered++] = *result;
}

static int64_t harness_clock(void *context)
{
    const struct harness *harness = context;

    return harness->time_ns != 0 ? harness->time_ns : clock_monotonic_ns();
}

void harness_open(struct harness *harness)
{
    struct region_plan plan = {
        .worker_count = 1, .message_count = HARNESS_MESSAGES, .block_count = 1024};

    *harness = (struct harness){0};
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(region_create(&harness->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&harness->store, &harness->region, 0, 0, plan.block_count, 0,
                                plan.message_count),
                     STATUS_OK);
    assert_int_equal(region_hold_open(&harness->hold, dup(harness->region.fd)), STATUS_OK);
    assert_int_equal(loop_open(&harness->loop, harness_clock, harness), STATUS_OK);
    harness->owner = (struct transaction_owner){
        .done = harness_done, .context = harness, .places = HARNESS_MESSAGES};
    (void)snprintf(harness->directory, sizeof(harness->directory), "/tmp/postern-relay-XXXXXX");
    assert_non_null(mkdtemp(harness->directory));
    (void)snprintf(harness->config.hostname, sizeof(harness->config.hostname), "mx.example");
    harness->config.customer_count = 1;
    harness->config.customers = &harness->customer;
    (void)snprintf(harness->customer.name, sizeof(harness->customer.name), "acme");
    assert_int_equal(config_index(&harness->config), STATUS_OK);
    for (unsigned i = 0; i < CONFIG_SERVERS_MAX; i++)
        harness->servers[i] = (struct config_server){.host = "127.0.0.1"};
    harness->customer.route = (struct config_route){
        .server_count = 1,
        .servers = harness->servers,
        .connections = 4,
        .connect_timeout_ns = 2 * CLOCK_NS_PER_SECOND,
        .command_timeout_ns = 5 * CLOCK_NS_PER_SECOND,
        .data_timeout_ns = 5 * CLOCK_NS_PER_SECOND,
        .idle_timeout_ns = 5 * CLOCK_NS_PER_SECOND,
    };
}

void harness_stop_server(struct harness *harness)
{
    if (harness->server <= 0)
        return;
    (void)kill(harness->server, SIGKILL);
    (void)waitpid(harness->server, NULL, 0);
    harness->server = 0;
}

static void harness_remove_directory(const struct harness *harness)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -r '%s'", harness->directory);
    assert_int_equal(system(command), 0); /* NOLINT(bugprone-command-processor): our own name */
}

void harness_close(struct harness *harness)
{
    if (harness->relay != NULL)
        relay_free(harness->relay, loop_now_ns(&harness->loop));
    config_unindex(&harness->config);
    harness_stop_server(harness);
    resolver_close(harness->resolver);
    loop_close(&harness->loop);
    for (unsigned i = 0; i < HARNESS_MESSAGES; i++)
        assert_null(harness->open[i]);
    /* Nothing may still point into the region. */
    assert_int_equal(harness->hold->holders, 1);
    region_hold_give(harness->hold);
    store_fini(&harness->store);
    region_close(&harness->region);
    harness_remove_directory(harness);
}

void harness_relay(struct harness *harness)
{
    harness->servers[0].port = harness->port;
    assert_int_equal(relay_create(&harness->relay, &harness->loop, harness->resolver,
                                  &harness->config, HARNESS_CONNECTIONS),
                     STATUS_OK);
}

void harness_serve(struct harness *harness, const char *json, uint16_t port)
{
    char source[512];
    char port_text[8];
    unsigned said = 0;
    int pipes[2];
    FILE *from;

    (void)snprintf(source, sizeof(source), "%s/server.py", getenv("RELAY_TEST_SOURCE"));
    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    assert_int_equal(pipe(pipes), 0);
    harness->server = fork();
    assert_true(harness->server >= 0);
    if (harness->server == 0) {
        /* A failed test must not leave its server behind. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execl("/usr/bin/python3", "python3", source, harness->directory, json, port_text,
              (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    from = fdopen(pipes[0], "r");
    assert_non_null(from);
    /* NOLINTNEXTLINE(cert-err34-c): our own server's line */
    assert_int_equal(fscanf(from, "port %u", &said), 1);
    (void)fclose(from);
    harness->port = (uint16_t)said;
    if (harness->relay == NULL)
        harness_relay(harness);
}

static void harness_put(struct harness *harness, struct message *message, enum envelope_field field,
                        const char *value)
{
    assert_int_equal(message_envelope_put(&harness->store, message, field, value, strlen(value)),
                     STATUS_OK);
}

static void harness_put_body(struct harness *harness, struct message *message,
                             const struct harness_mail *mail)
{
    size_t piece = mail->piece > 0 ? mail->piece : MESSAGE_BLOCK_BYTES;

    for (size_t at = 0; at < mail->length; at += piece) {
        size_t length = mail->length - at < piece ? mail->length - at : piece;
        uint32_t block = block_take(&harness->store, BLOCK_FOR_DATA);

        assert_int_not_equal(block, MESSAGE_BLOCK_NONE);
        /* At an odd place of the block, so that pieces never join. */
        memcpy(block_bytes(&harness->store, block) + MESSAGE_BLOCK_BYTES - length,
               (const char *)mail->body + at, length);
        assert_int_equal(message_append(&harness->store, message, block,
                                        (uint32_t)(MESSAGE_BLOCK_BYTES - length), (uint32_t)length),
                         STATUS_OK);
        block_give(&harness->store, block);
    }
}

struct message *harness_message(struct harness *harness, const struct harness_mail *mail,
                                struct relay_job *job)
{
    static uint64_t jobs;
    struct message *message = message_take(&harness->store);

    assert_non_null(message);
    assert_int_equal(
        message_append_bytes(&harness->store, message, HARNESS_TRACE, strlen(HARNESS_TRACE)),
        STATUS_OK);
    message_mark_trace(message);
    harness_put_body(harness, message, mail);
    harness_put(harness, message, ENVELOPE_ID, "4ABC123");
    harness_put(harness, message, ENVELOPE_SENDER,
                mail->sender != NULL ? mail->sender : "sender@example.org");
    if (mail->recipient_count == 0)
        harness_put(harness, message, ENVELOPE_RECIPIENT, "user@acme.example");
    for (unsigned i = 0; i < mail->recipient_count; i++)
        harness_put(harness, message, ENVELOPE_RECIPIENT, mail->recipients[i]);
    harness_put(harness, message, ENVELOPE_CUSTOMER,
                mail->customer != NULL ? mail->customer : "acme");
    harness_put(harness, message, ENVELOPE_ENGINE, "ClamAV 1.4.6/27813");
    harness_put(harness, message, ENVELOPE_VERDICT,
                mail->verdict != NULL ? mail->verdict : "clean");
    message->shared->flags = mail->flags;
    *job = (struct relay_job){
        .job = ++jobs,
        .message = message->index,
        .generation = message->generation,
        .length = message->shared->size,
        .kind = JOB_RELAY,
        .verdict = mail->job_verdict != 0 ? mail->job_verdict : VERDICT_CLEAN,
    };
    return message;
}

void harness_submit(struct harness *harness, const struct relay_job *job)
{
    struct source *source;
    enum status status = region_source_open(&source, harness->hold, job);

    if (status != STATUS_OK) {
        relay_refuse(&harness->owner, job, 0, 451, status_text(status));
        return;
    }
    relay_submit(harness->relay, &harness->owner, job, 0, source, &harness->open[job->message],
                 loop_now_ns(&harness->loop));
    source_give(source);
}

struct transaction *harness_transaction(const struct harness *harness,
                                        const struct message *message)
{
    return harness->open[message->index];
}

void harness_stop_time(struct harness *harness)
{
    harness->time_ns = clock_monotonic_ns();
}

void harness_pass(struct harness *harness, int64_t ns)
{
    assert_true(harness->time_ns != 0);
    harness->time_ns += ns;
    loop_run_due(&harness->loop, harness->time_ns);
}

static void harness_tick(evutil_socket_t fd, short events, void *context)
{
    (void)fd;
    (void)events;
    (void)context;
}

void harness_run(struct harness *harness, unsigned ms)
{
    int64_t end_ns = clock_monotonic_ns() + ms * CLOCK_NS_PER_MS;
    struct timeval tick = {.tv_usec = 2000};
    struct event *timer = event_new(harness->loop.base, -1, EV_PERSIST, harness_tick, NULL);

    assert_non_null(timer);
    (void)event_add(timer, &tick);
    while (clock_monotonic_ns() < end_ns)
        (void)event_base_loop(harness->loop.base, EVLOOP_ONCE);
    event_free(timer);
}

void harness_wait(struct harness *harness, unsigned count)
{
    int64_t end_ns = clock_monotonic_ns() + HARNESS_WAIT_MS * CLOCK_NS_PER_MS;

    while (harness->answered < count && clock_monotonic_ns() < end_ns)
        harness_run(harness, 2);
    assert_int_equal(harness->answered, count);
}

const struct relay_result *harness_send(struct harness *harness, const struct harness_mail *mail)
{
    struct relay_job job;
    struct message *message = harness_message(harness, mail, &job);
    unsigned before = harness->answered;
    const struct relay_result *result;

    harness_submit(harness, &job);
    harness_wait(harness, before + 1);
    message_give(&harness->store, message);
    result = &harness->results[before];
    assert_true(result->job == job.job);
    assert_int_equal(result->message, job.message);
    assert_int_equal(result->generation, job.generation);
    return result;
}

char *harness_file(const struct harness *harness, const char *name, size_t *length)
{
    char path[128];
    FILE *file;
    char *bytes;

    (void)snprintf(path, sizeof(path), "%s/%s", harness->directory, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    (void)fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    bytes = calloc(1, *length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    (void)fclose(file);
    return bytes;
}

unsigned harness_connections(const struct harness *harness)
{
    size_t length = 0;
    char *bytes = harness_file(harness, "connections", &length);

    free(bytes);
    return (unsigned)length;
}

void harness_assert_message(const struct harness *harness, unsigned n, const void *body,
                            size_t length)
{
    static const char head[] = HARNESS_TRACE HARNESS_FIELDS;
    char name[32];
    size_t got = 0;
    char *bytes;

    (void)snprintf(name, sizeof(name), "message.%u", n);
    bytes = harness_file(harness, name, &got);
    assert_non_null(bytes);
    assert_int_equal(got, sizeof(head) - 1 + length);
    assert_memory_equal(bytes, head, sizeof(head) - 1);
    assert_int_equal(memcmp(bytes + sizeof(head) - 1, body, length), 0);
    free(bytes);
}
