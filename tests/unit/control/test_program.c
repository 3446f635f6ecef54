/* postern-control as it runs: the test is its dataplane. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "platform/clock.h"
#include "platform/link/link.h"
#include "platform/sandbox.h"
#include "tests/unit/relay/rig.h"

#define WAIT_NS (10 * CLOCK_NS_PER_SECOND)

static const char simple[] = "Subject: hello\r\n\r\nhello\r\n";

struct program {
    struct rig rig;
    rlim_t descriptors; /* it may have no more than these; 0: as many as we */
    char config[128];
    char link_path[128];
    pid_t process;
    int listening;
    int link;
    struct channel_memory memory;
    struct channel channel;
};

static void sleep_ms(unsigned ms)
{
    (void)poll(NULL, 0, (int)ms);
}

static void write_config(const struct program *program, const char *extra)
{
    FILE *file = fopen(program->config, "w");

    assert_non_null(file);
    (void)fprintf(file,
                  "hostname: mx.example\n"
                  "runtime_directory: %s\n"
                  "control: {user: nobody}\n"
                  "ports:\n"
                  "  - {kind: tap, interface: postern0, address: 198.18.0.2/24}\n"
                  "customers:\n"
                  "  - name: acme\n"
                  "    domains: [acme.example]\n"
                  "    route: {host: 127.0.0.1, port: %u}\n%s",
                  program->rig.directory, program->rig.port, extra);
    (void)fclose(file);
}

static void program_start_with(struct program *program, const char *server)
{
    rlim_t descriptors = program->descriptors;

    *program = (struct program){.descriptors = descriptors, .listening = -1, .link = -1};
    rig_open(&program->rig);
    rig_serve(&program->rig, server, 0);
    assert_int_equal(chmod(program->rig.directory, 0755), 0);
    (void)snprintf(program->config, sizeof(program->config), "%s/postern.yaml",
                   program->rig.directory);
    (void)snprintf(program->link_path, sizeof(program->link_path), "%s/dataplane.sock",
                   program->rig.directory);
    write_config(program, "");
    program->process = fork();
    assert_true(program->process >= 0);
    if (program->process == 0) {
        const char *path = getenv("RELAY_TEST_PROGRAM");
        const struct rlimit limit = {program->descriptors, program->descriptors};
        char errors[128];

        if (program->descriptors > 0) {
            (void)setrlimit(RLIMIT_NOFILE, &limit);
            (void)snprintf(errors, sizeof(errors), "%s/errors", program->rig.directory);
            (void)dup2(open(errors, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), STDERR_FILENO);
        }
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (path != NULL)
            execl(path, "postern-control", "-c", program->config, (char *)NULL);
        _exit(127);
    }
}

static void program_start(struct program *program)
{
    program->descriptors = 0;
    program_start_with(program, "{}");
}

/* Takes the next HELLO and gives region and channel. */
static void program_link(struct program *program, uint32_t epoch)
{
    struct link_message message;
    int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
    enum status status;
    uint32_t uid;
    int fd;

    while ((status = link_accept(program->listening, &program->link, &uid)) == STATUS_AGAIN &&
           clock_monotonic_ns() < end_ns)
        sleep_ms(2);
    assert_int_equal(status, STATUS_OK);
    if (geteuid() == 0)
        assert_int_not_equal(uid, 0); /* root was given up */
    while ((status = link_receive(program->link, &message, &fd)) == STATUS_AGAIN)
        sleep_ms(2);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(message.type, LINK_HELLO);
    assert_int_equal(message.kind, LINK_KIND_CONTROL);
    assert_int_equal(message.slots, 1);
    assert_int_equal(channel_memory_create(&program->memory, CHANNEL_CONTROL, 1), STATUS_OK);
    channel_attach(&program->channel, &program->memory, 0);
    message = (struct link_message){.type = LINK_WELCOME, .workers = 1};
    assert_int_equal(link_send(program->link, &message, program->rig.region.fd), STATUS_OK);
    message = (struct link_message){.type = LINK_CHANNEL, .epoch = epoch};
    assert_int_equal(link_send(program->link, &message, program->memory.fd), STATUS_OK);
    while ((status = link_receive(program->link, &message, &fd)) == STATUS_AGAIN)
        sleep_ms(2);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(message.type, LINK_READY);
    assert_int_equal(message.epoch, epoch);
}

static void program_unlink(struct program *program)
{
    close(program->link);
    program->link = -1;
    channel_memory_close(&program->memory);
}

static void program_relay(struct program *program, struct relay_result *result)
{
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
    struct relay_job job;
    struct message *message = rig_message(&program->rig, &mail, &job);
    enum status status;

    assert_int_equal(ring_push(&program->channel.jobs, &job), STATUS_OK);
    while ((status = ring_pop(&program->channel.results, result)) == STATUS_AGAIN &&
           clock_monotonic_ns() < end_ns)
        sleep_ms(1);
    assert_int_equal(status, STATUS_OK);
    assert_true(result->job == job.job);
    message_give(&program->rig.store, message);
}

/* With or without the request line. */
static json_t *program_status(const struct program *program, bool ask)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
    static char text[65536];
    size_t length = 0;
    ssize_t got;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    json_t *object;

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
                   program->rig.directory);
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        assert_true(clock_monotonic_ns() < end_ns);
        sleep_ms(5);
    }
    if (ask)
        assert_int_equal(write(fd, "status\n", 7), 7);
    while ((got = read(fd, text + length, sizeof(text) - length)) > 0)
        length += (size_t)got;
    assert_int_equal(got, 0); /* end of file, not a reset */
    close(fd);
    object = json_loadb(text, length, 0, NULL);
    assert_non_null(object);
    return object;
}

static void assert_status(const struct program *program, bool ask, bool linked, int delivered)
{
    json_t *object = program_status(program, ask);
    const json_t *route = json_array_get(json_object_get(object, "routes"), 0);
    const json_t *dataplane = json_object_get(object, "dataplane");

    assert_int_equal(json_is_true(json_object_get(dataplane, "linked")), linked);
    assert_string_equal(json_string_value(json_object_get(object, "version")), POSTERN_VERSION);
    assert_string_equal(json_string_value(json_object_get(route, "customer")), "acme");
    assert_int_equal(json_integer_value(json_object_get(route, "delivered")), delivered);
    assert_int_equal(json_integer_value(json_object_get(route, "in_flight")), 0);
    if (linked) {
        const json_t *counters = json_object_get(object, "counters");
        const json_t *gauges = json_object_get(object, "gauges");

        assert_int_equal(json_integer_value(json_object_get(counters, "rx_packets")), 4711);
        assert_int_equal(json_array_size(json_object_get(object, "workers")), 1);
        assert_non_null(json_object_get(gauges, "half_open"));
        assert_non_null(json_object_get(gauges, "blocks_total"));
        assert_null(json_object_get(gauges, "log_lost"));
    }
    json_decref(object);
}

static void program_stop(struct program *program, int exit_code)
{
    int status = 0;

    assert_int_equal(kill(program->process, SIGTERM), 0);
    assert_int_equal(waitpid(program->process, &status, 0), program->process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), exit_code);
    if (program->listening >= 0)
        close(program->listening);
    if (program->link >= 0)
        program_unlink(program);
    rig_close(&program->rig);
}

static void test_life(void **state)
{
    struct program program;
    struct relay_result result;
    uint32_t uid;
    uint32_t gid = UINT32_MAX;
    struct region_counters *counters;

    (void)state;
    program_start(&program);
    counters = region_counters(&program.rig.region, 0);
    counters->value[COUNTER_RX_PACKETS] = 4711;
    assert_status(&program, true, false, 0);
    if (geteuid() == 0)
        assert_int_equal(sandbox_user("nobody", &uid, &gid), STATUS_OK);
    assert_int_equal(link_listen(program.link_path, gid, &program.listening), STATUS_OK);
    program_link(&program, 1);
    program_relay(&program, &result);
    assert_int_equal(result.outcome, RELAY_ANSWERED);
    assert_int_equal(result.code, 250);
    rig_assert_message(&program.rig, 0, simple, sizeof(simple) - 1);
    assert_status(&program, false, true, 1);
    /* A dataplane that goes is looked for again. */
    program_unlink(&program);
    program_link(&program, 2);
    program_relay(&program, &result);
    assert_int_equal(result.code, 250);
    assert_status(&program, true, true, 2);
    /* A bad configuration changes nothing. */
    write_config(&program, "nonsense: true\n");
    assert_int_equal(kill(program.process, SIGHUP), 0);
    sleep_ms(50);
    program_relay(&program, &result);
    assert_int_equal(result.code, 250);
    /* A good one keeps what did not change. */
    write_config(&program, "");
    assert_int_equal(kill(program.process, SIGHUP), 0);
    sleep_ms(50);
    assert_status(&program, true, true, 3);
    assert_int_equal(rig_connections(&program.rig), 1);
    program_stop(&program, 0);
}

static void test_broken_dataplane_is_left(void **state)
{
    struct program program;
    struct relay_result result;
    int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
    struct link_message message;
    struct ring_shared *shared;
    enum status status;
    uint32_t uid;
    int fd;
    uint32_t gid = UINT32_MAX;

    (void)state;
    program_start(&program);
    if (geteuid() == 0)
        assert_int_equal(sandbox_user("nobody", &uid, &gid), STATUS_OK);
    assert_int_equal(link_listen(program.link_path, gid, &program.listening), STATUS_OK);
    program_link(&program, 1);
    shared = program.channel.jobs.shared;
    atomic_store(&shared->produced, 100000); /* more than the ring can hold */
    while ((status = link_receive(program.link, &message, &fd)) == STATUS_AGAIN &&
           clock_monotonic_ns() < end_ns)
        sleep_ms(2);
    assert_int_equal(status, STATUS_CLOSED); /* it is control that leaves */
    program_unlink(&program);
    program_link(&program, 2);
    program_relay(&program, &result);
    assert_int_equal(result.code, 250);
    program_stop(&program, 0);
}

/* CPU time that the program has used, in milliseconds. */
static unsigned long program_cpu_ms(const struct program *program)
{
    char path[64];
    char text[1024] = "";
    const char *at;
    unsigned long user = 0;
    unsigned long system = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)program->process);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    (void)fclose(file);
    at = strrchr(text, ')');
    assert_non_null(at);
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's figures */
    assert_int_equal(
        sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}

/* Clients that come and stay until the program has no descriptor left: it rests, says so once, and
 * goes on when they leave. */
static void test_no_descriptors(void **state)
{
    enum { CLIENTS = 40 };
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct program program = {.descriptors = 24};
    int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
    struct relay_result result;
    int clients[CLIENTS];
    unsigned long before_ms;
    uint32_t uid;
    uint32_t gid = UINT32_MAX;
    size_t length = 0;
    char *errors;

    (void)state;
    program_start_with(&program, "{}");
    if (geteuid() == 0)
        assert_int_equal(sandbox_user("nobody", &uid, &gid), STATUS_OK);
    assert_int_equal(link_listen(program.link_path, gid, &program.listening), STATUS_OK);
    program_link(&program, 1);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock",
                   program.rig.directory);
    before_ms = program_cpu_ms(&program);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(clients[i] >= 0);
        (void)connect(clients[i], (const struct sockaddr *)&address, sizeof(address));
    }
    sleep_ms(2000);
    assert_true(program_cpu_ms(&program) - before_ms < 600);
    for (unsigned i = 0; i < CLIENTS; i++)
        close(clients[i]);
    do {
        program_relay(&program, &result);
    } while (result.code != 250 && clock_monotonic_ns() < end_ns);
    assert_int_equal(result.code, 250);
    errors = rig_file(&program.rig, "errors", &length);
    assert_non_null(errors);
    assert_true(length < 4096);
    free(errors);
    program_stop(&program, 0);
}

/* A withdrawn job is answered, and its message not delivered. */
static void test_withdrawn(void **state)
{
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
    struct program program = {0};
    struct relay_result result;
    struct relay_job job;
    enum status status;
    uint32_t uid;
    uint32_t gid = UINT32_MAX;
    size_t length;

    (void)state;
    program_start_with(&program, "[[[\"hang\"]]]");
    if (geteuid() == 0)
        assert_int_equal(sandbox_user("nobody", &uid, &gid), STATUS_OK);
    assert_int_equal(link_listen(program.link_path, gid, &program.listening), STATUS_OK);
    program_link(&program, 1);
    (void)rig_message(&program.rig, &mail, &job);
    assert_int_equal(ring_push(&program.channel.jobs, &job), STATUS_OK);
    sleep_ms(100);
    job.kind = JOB_WITHDRAW;
    job.job++; /* another's: nothing happens */
    assert_int_equal(ring_push(&program.channel.jobs, &job), STATUS_OK);
    sleep_ms(100);
    assert_int_equal(ring_pop(&program.channel.results, &result), STATUS_AGAIN);
    job.job--;
    assert_int_equal(ring_push(&program.channel.jobs, &job), STATUS_OK);
    while ((status = ring_pop(&program.channel.results, &result)) == STATUS_AGAIN &&
           clock_monotonic_ns() < end_ns)
        sleep_ms(1);
    assert_int_equal(status, STATUS_OK);
    assert_true(result.job == job.job);
    assert_int_equal(result.outcome, RELAY_REFUSED);
    /* One answer, and no more. */
    assert_int_equal(ring_push(&program.channel.jobs, &job), STATUS_OK);
    sleep_ms(100);
    assert_int_equal(ring_pop(&program.channel.results, &result), STATUS_AGAIN);
    assert_null(rig_file(&program.rig, "message.0", &length));
    program_stop(&program, 0);
}

/* What is no relay job is refused and counted, and what is one still goes. */
static void test_other_kinds_are_refused(void **state)
{
    static const uint32_t kinds[] = {0, JOB_SCAN, 77};
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct program program;
    struct relay_result result;
    uint32_t uid;
    uint32_t gid = UINT32_MAX;
    json_t *object;

    (void)state;
    program_start(&program);
    if (geteuid() == 0)
        assert_int_equal(sandbox_user("nobody", &uid, &gid), STATUS_OK);
    assert_int_equal(link_listen(program.link_path, gid, &program.listening), STATUS_OK);
    program_link(&program, 1);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int64_t end_ns = clock_monotonic_ns() + WAIT_NS;
        struct relay_job job;
        struct message *message = rig_message(&program.rig, &mail, &job);
        enum status status;

        job.kind = kinds[i];
        assert_int_equal(ring_push(&program.channel.jobs, &job), STATUS_OK);
        while ((status = ring_pop(&program.channel.results, &result)) == STATUS_AGAIN &&
               clock_monotonic_ns() < end_ns)
            sleep_ms(1);
        assert_int_equal(status, STATUS_OK);
        assert_true(result.job == job.job);
        assert_int_equal(result.kind, JOB_RELAY);
        assert_int_equal(result.outcome, RELAY_REFUSED);
        assert_int_equal(result.code, 451);
        assert_int_equal(channel_row(&program.memory)->value[CONTROL_COUNTER_REFUSED], i + 1);
        message_give(&program.rig.store, message);
    }
    object = program_status(&program, true);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(object, "dataplane"), "jobs_refused")),
        3);
    json_decref(object);
    assert_int_equal(rig_connections(&program.rig), 0);
    program_relay(&program, &result);
    assert_int_equal(result.code, 250);
    assert_int_equal(result.kind, JOB_RELAY);
    program_stop(&program, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_other_kinds_are_refused),
        cmocka_unit_test(test_broken_dataplane_is_left),
        cmocka_unit_test(test_withdrawn),
        cmocka_unit_test(test_no_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
