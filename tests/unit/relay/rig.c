#include "tests/unit/relay/rig.h"

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

#define RIG_WAIT_MS 20000

static void rig_done(void *context, uint32_t worker, const struct relay_result *result)
{
    struct rig *rig = context;

    assert_int_equal(worker, 0);
    assert_true(rig->answered < sizeof(rig->results) / sizeof(rig->results[0]));
    rig->results[rig->answered++] = *result;
}

static int64_t rig_clock(void *context)
{
    const struct rig *rig = context;

    return rig->time_ns != 0 ? rig->time_ns : clock_monotonic_ns();
}

void rig_open(struct rig *rig)
{
    struct region_plan plan = {
        .worker_count = 1, .message_count = RIG_MESSAGES, .block_count = 1024};

    *rig = (struct rig){0};
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(region_create(&rig->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(
        store_init(&rig->store, &rig->region, 0, 0, plan.block_count, 0, plan.message_count),
        STATUS_OK);
    assert_int_equal(region_hold_open(&rig->hold, dup(rig->region.fd)), STATUS_OK);
    assert_int_equal(loop_open(&rig->loop, rig_clock, rig), STATUS_OK);
    rig->owner =
        (struct transaction_owner){.done = rig_done, .context = rig, .places = RIG_MESSAGES};
    (void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/postern-relay-XXXXXX");
    assert_non_null(mkdtemp(rig->directory));
    (void)snprintf(rig->config.hostname, sizeof(rig->config.hostname), "mx.example");
    rig->config.customer_count = 1;
    rig->config.customers = &rig->customer;
    (void)snprintf(rig->customer.name, sizeof(rig->customer.name), "acme");
    assert_int_equal(config_index(&rig->config), STATUS_OK);
    for (unsigned i = 0; i < CONFIG_SERVERS_MAX; i++)
        rig->servers[i] = (struct config_server){.host = "127.0.0.1"};
    rig->customer.route = (struct config_route){
        .server_count = 1,
        .servers = rig->servers,
        .connections = 4,
        .connect_timeout_ns = 2 * CLOCK_NS_PER_SECOND,
        .command_timeout_ns = 5 * CLOCK_NS_PER_SECOND,
        .data_timeout_ns = 5 * CLOCK_NS_PER_SECOND,
        .idle_timeout_ns = 5 * CLOCK_NS_PER_SECOND,
    };
}

void rig_stop_server(struct rig *rig)
{
    if (rig->server <= 0)
        return;
    (void)kill(rig->server, SIGKILL);
    (void)waitpid(rig->server, NULL, 0);
    rig->server = 0;
}

static void rig_remove_directory(const struct rig *rig)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -r '%s'", rig->directory);
    assert_int_equal(system(command), 0); /* NOLINT(bugprone-command-processor): our own name */
}

void rig_close(struct rig *rig)
{
    if (rig->relay != NULL)
        relay_free(rig->relay, loop_now_ns(&rig->loop));
    config_unindex(&rig->config);
    rig_stop_server(rig);
    resolver_close(rig->resolver);
    loop_close(&rig->loop);
    for (unsigned i = 0; i < RIG_MESSAGES; i++)
        assert_null(rig->open[i]);
    /* Nothing may still point into the region. */
    assert_int_equal(rig->hold->holders, 1);
    region_hold_give(rig->hold);
    store_fini(&rig->store);
    region_close(&rig->region);
    rig_remove_directory(rig);
}

void rig_relay(struct rig *rig)
{
    rig->servers[0].port = rig->port;
    assert_int_equal(
        relay_create(&rig->relay, &rig->loop, rig->resolver, &rig->config, RIG_CONNECTIONS),
        STATUS_OK);
}

void rig_serve(struct rig *rig, const char *json, uint16_t port)
{
    char source[512];
    char port_text[8];
    unsigned said = 0;
    int pipes[2];
    FILE *from;

    (void)snprintf(source, sizeof(source), "%s/server.py", getenv("RELAY_TEST_SOURCE"));
    (void)snprintf(port_text, sizeof(port_text), "%u", port);
    assert_int_equal(pipe(pipes), 0);
    rig->server = fork();
    assert_true(rig->server >= 0);
    if (rig->server == 0) {
        /* A failed test must not leave its server behind. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        execl("/usr/bin/python3", "python3", source, rig->directory, json, port_text, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    from = fdopen(pipes[0], "r");
    assert_non_null(from);
    /* NOLINTNEXTLINE(cert-err34-c): our own server's line */
    assert_int_equal(fscanf(from, "port %u", &said), 1);
    (void)fclose(from);
    rig->port = (uint16_t)said;
    if (rig->relay == NULL)
        rig_relay(rig);
}

static void rig_put(struct rig *rig, struct message *message, enum envelope_field field,
                    const char *value)
{
    assert_int_equal(message_envelope_put(&rig->store, message, field, value, strlen(value)),
                     STATUS_OK);
}

static void rig_put_body(struct rig *rig, struct message *message, const struct rig_mail *mail)
{
    size_t piece = mail->piece > 0 ? mail->piece : MESSAGE_BLOCK_BYTES;

    for (size_t at = 0; at < mail->length; at += piece) {
        size_t length = mail->length - at < piece ? mail->length - at : piece;
        uint32_t block = block_take(&rig->store, BLOCK_FOR_DATA);

        assert_int_not_equal(block, MESSAGE_BLOCK_NONE);
        /* At an odd place of the block, so that pieces never join. */
        memcpy(block_bytes(&rig->store, block) + MESSAGE_BLOCK_BYTES - length,
               (const char *)mail->body + at, length);
        assert_int_equal(message_append(&rig->store, message, block,
                                        (uint32_t)(MESSAGE_BLOCK_BYTES - length), (uint32_t)length),
                         STATUS_OK);
        block_give(&rig->store, block);
    }
}

struct message *rig_message(struct rig *rig, const struct rig_mail *mail, struct relay_job *job)
{
    static uint64_t jobs;
    struct message *message = message_take(&rig->store);

    assert_non_null(message);
    assert_int_equal(message_append_bytes(&rig->store, message, RIG_TRACE, strlen(RIG_TRACE)),
                     STATUS_OK);
    message_mark_trace(message);
    rig_put_body(rig, message, mail);
    rig_put(rig, message, ENVELOPE_ID, "4ABC123");
    rig_put(rig, message, ENVELOPE_SENDER,
            mail->sender != NULL ? mail->sender : "sender@example.org");
    if (mail->recipient_count == 0)
        rig_put(rig, message, ENVELOPE_RECIPIENT, "user@acme.example");
    for (unsigned i = 0; i < mail->recipient_count; i++)
        rig_put(rig, message, ENVELOPE_RECIPIENT, mail->recipients[i]);
    rig_put(rig, message, ENVELOPE_CUSTOMER, mail->customer != NULL ? mail->customer : "acme");
    rig_put(rig, message, ENVELOPE_ENGINE, "ClamAV 1.4.6/27813");
    rig_put(rig, message, ENVELOPE_VERDICT, mail->verdict != NULL ? mail->verdict : "clean");
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

void rig_submit(struct rig *rig, const struct relay_job *job)
{
    struct source *source;
    enum status status = region_source_open(&source, rig->hold, job);

    if (status != STATUS_OK) {
        relay_refuse(&rig->owner, job, 0, 451, status_text(status));
        return;
    }
    relay_submit(rig->relay, &rig->owner, job, 0, source, &rig->open[job->message],
                 loop_now_ns(&rig->loop));
    source_give(source);
}

struct transaction *rig_transaction(const struct rig *rig, const struct message *message)
{
    return rig->open[message->index];
}

void rig_stop_time(struct rig *rig)
{
    rig->time_ns = clock_monotonic_ns();
}

void rig_pass(struct rig *rig, int64_t ns)
{
    assert_true(rig->time_ns != 0);
    rig->time_ns += ns;
    loop_run_due(&rig->loop, rig->time_ns);
}

static void rig_tick(evutil_socket_t fd, short events, void *context)
{
    (void)fd;
    (void)events;
    (void)context;
}

void rig_run(struct rig *rig, unsigned ms)
{
    int64_t end_ns = clock_monotonic_ns() + ms * CLOCK_NS_PER_MS;
    struct timeval tick = {.tv_usec = 2000};
    struct event *timer = event_new(rig->loop.base, -1, EV_PERSIST, rig_tick, NULL);

    assert_non_null(timer);
    (void)event_add(timer, &tick);
    while (clock_monotonic_ns() < end_ns)
        (void)event_base_loop(rig->loop.base, EVLOOP_ONCE);
    event_free(timer);
}

void rig_wait(struct rig *rig, unsigned count)
{
    int64_t end_ns = clock_monotonic_ns() + RIG_WAIT_MS * CLOCK_NS_PER_MS;

    while (rig->answered < count && clock_monotonic_ns() < end_ns)
        rig_run(rig, 2);
    assert_int_equal(rig->answered, count);
}

const struct relay_result *rig_send(struct rig *rig, const struct rig_mail *mail)
{
    struct relay_job job;
    struct message *message = rig_message(rig, mail, &job);
    unsigned before = rig->answered;
    const struct relay_result *result;

    rig_submit(rig, &job);
    rig_wait(rig, before + 1);
    message_give(&rig->store, message);
    result = &rig->results[before];
    assert_true(result->job == job.job);
    assert_int_equal(result->message, job.message);
    assert_int_equal(result->generation, job.generation);
    return result;
}

char *rig_file(const struct rig *rig, const char *name, size_t *length)
{
    char path[128];
    FILE *file;
    char *bytes;

    (void)snprintf(path, sizeof(path), "%s/%s", rig->directory, name);
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

unsigned rig_connections(const struct rig *rig)
{
    size_t length = 0;
    char *bytes = rig_file(rig, "connections", &length);

    free(bytes);
    return (unsigned)length;
}

void rig_assert_message(const struct rig *rig, unsigned n, const void *body, size_t length)
{
    static const char head[] = RIG_TRACE RIG_FIELDS;
    char name[32];
    size_t got = 0;
    char *bytes;

    (void)snprintf(name, sizeof(name), "message.%u", n);
    bytes = rig_file(rig, name, &got);
    assert_non_null(bytes);
    assert_int_equal(got, sizeof(head) - 1 + length);
    assert_memory_equal(bytes, head, sizeof(head) - 1);
    assert_int_equal(memcmp(bytes + sizeof(head) - 1, body, length), 0);
    free(bytes);
}
