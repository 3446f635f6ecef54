/* The status client against a real socket, and the table it is shown as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/command/readiness.h"
#include "control/command/status_client.h"
#include "control/command/status_table.h"

#define SECOND CLOCK_NS_PER_SECOND

static char directory[64];
static char path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/postern-test-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/control.sock", directory);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static int listen_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* A process that answers `count` connections with `length` bytes of `text`, over and over until
 * `total` bytes are out, then closes (or, when `hang`, keeps silent). */
static pid_t serve(const char *text, size_t total, unsigned count, bool hang)
{
    int listening = listen_here();
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        close(listening);
        return pid;
    }
    while (count-- > 0) {
        int fd = accept(listening, NULL, NULL);
        size_t length = strlen(text);

        for (size_t out = 0; out < total; out += length) {
            if (send(fd, text, total - out < length ? total - out : length, MSG_NOSIGNAL) < 0)
                break;
        }
        if (hang)
            poll(NULL, 0, 20000);
        close(fd);
    }
    _exit(0);
}

static void finish(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void expect_fetch(const char *text, size_t total, bool hang, enum status expected)
{
    pid_t pid = serve(text, total, 1, hang);
    json_t *object = NULL;

    assert_int_equal(status_fetch(path, hang ? SECOND / 5 : 10 * SECOND, &object), expected);
    assert_int_equal(object != NULL, expected == STATUS_OK);
    json_decref(object);
    finish(pid);
}

static void test_fetches_an_object(void **state)
{
    const char *text = "{\"version\": \"0.1.0\", \"counters\": {\"rx_packets\": 7}}\n";

    (void)state;
    expect_fetch(text, strlen(text), false, STATUS_OK);
}

static void test_nobody_there(void **state)
{
    json_t *object;
    char long_path[200];

    (void)state;
    assert_int_equal(status_fetch(path, SECOND, &object), STATUS_NOT_FOUND);
    close(listen_here());
    assert_int_equal(status_fetch(path, SECOND, &object), STATUS_CLOSED);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(status_fetch(long_path, SECOND, &object), STATUS_BAD_ARGUMENT);
}

static void test_silence_is_bounded(void **state)
{
    (void)state;
    expect_fetch("{\"version\":", 11, true, STATUS_TIMED_OUT);
}

static void test_garbage_is_refused(void **state)
{
    (void)state;
    expect_fetch("hello there\n", 12, false, STATUS_BAD_FORMAT);
}

static void test_not_an_object_is_refused(void **state)
{
    (void)state;
    expect_fetch("[1, 2]", 6, false, STATUS_BAD_FORMAT);
}

static void test_cut_object_is_refused(void **state)
{
    (void)state;
    expect_fetch("{\"a\": 1", 7, false, STATUS_BAD_FORMAT);
}

static void test_nothing_said(void **state)
{
    (void)state;
    expect_fetch("x", 0, false, STATUS_CLOSED);
}

static void test_endless_answer_is_bounded(void **state)
{
    (void)state;
    expect_fetch("{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 STATUS_REPLY_BYTES_MAX + 4096u, false, STATUS_NO_SPACE);
}

static char *table(const char *json)
{
    json_t *object = json_loads(json, 0, NULL);
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    assert_non_null(object);
    assert_non_null(to);
    status_table_print(object, to);
    fclose(to);
    json_decref(object);
    return text;
}

static void test_table(void **state)
{
    char *text =
        table("{\"version\":\"0.1.0\",\"uptime\":93784.5,"
              "\"dataplane\":{\"linked\":true,\"started\":1795277223,\"workers\":2},"
              "\"counters\":{\"rx_packets\":7,\"tx_full\":0,\"no_mbuf\":0,"
              "\"scanners_ready\":2,\"control_ready\":1},"
              "\"gauges\":{\"scanners_ready\":2,\"control_ready\":1},"
              "\"workers\":[{\"worker\":0,\"rx_packets\":3},{\"worker\":1,\"rx_packets\":4}],"
              "\"histograms\":{\"reply_time\":{\"count\":4,\"sum\":8.0,\"bounds\":[0.5,1.0],"
              "\"counts\":[2,1,1]},\"verdict_time\":{\"count\":0}},"
              "\"routes\":[{\"customer\":\"example\",\"down\":false,\"last_error\":\"\"}]}");

    (void)state;
    assert_string_equal(
        text, "postern 0.1.0, up 1d 02:03:04, ready\n"
              "\ndataplane\n"
              "  linked                     yes\n"
              "  started                    2026-11-21 16:07:03 UTC\n"
              "  workers                    2\n"
              "\nnow\n"
              "  scanners_ready             2\n"
              "  control_ready              1\n"
              "\nroutes\n"
              "  customer  down  last_error\n"
              "  example   no    -         \n"
              "\ncounters                              all     worker 0     worker 1\n"
              "  rx_packets                            7            3            4\n"
              "  (2 more are zero; --json shows them)\n"
              "\ntimes (s)                           count       mean    half <=    99 % <=\n"
              "  reply_time                            4      2.000      0.500     longer\n");
    free(text);
}

static void test_table_of_one_worker(void **state)
{
    char *text = table("{\"version\":\"0.1.0\",\"counters\":{\"rx_packets\":7},"
                       "\"workers\":[{\"worker\":0,\"rx_packets\":7}]}");

    (void)state;
    assert_string_equal(text, "postern 0.1.0, up 00:00:00, NOT READY: the dataplane is not linked\n"
                              "\ncounters\n"
                              "  rx_packets                            7\n");
    free(text);
}

static void test_table_of_hostile_values(void **state)
{
    char *text =
        table("{\"version\":\"1\\u001b[2J\\n\",\"uptime\":-5,\"dataplane\":7,"
              "\"counters\":[1],\"workers\":{\"a\":1},\"routes\":[1,{\"k\\u0007\":\"\\u00e9\"}],"
              "\"more\":{\"x\":[1,2]}}");

    (void)state;
    for (const char *at = text; *at != '\0'; at++)
        assert_true(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
    assert_non_null(strstr(text, "postern 1\\x1b[2J\\x0a, up 00:00:00, NOT READY: the dataplane"));
    assert_non_null(strstr(text, "k\\x07"));
    assert_non_null(strstr(text, "\\xc3\\xa9"));
    assert_non_null(strstr(text, "\nmore\n  x                          2\n"));
    free(text);
}

static void test_long_value_is_cut(void **state)
{
    char json[600];
    char value[400];
    char *text;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    snprintf(json, sizeof(json), "{\"version\":\"%s\"}", value);
    text = table(json);
    assert_true(strspn(strchr(text, 'v'), "v") == STATUS_CELL_BYTES);
    free(text);
}

static void expect_readiness(const char *json, bool linked, bool scanners, bool control)
{
    json_t *object = json_loads(json, 0, NULL);
    struct status_readiness ready = status_readiness(object);

    assert_non_null(object);
    assert_int_equal(ready.dataplane_linked, linked);
    assert_int_equal(ready.scanners_ready, scanners);
    assert_int_equal(ready.control_ready, control);
    json_decref(object);
}

static void test_readiness_is_read(void **state)
{
    (void)state;
    expect_readiness("{}", false, false, false);
    expect_readiness("{\"dataplane\":{\"linked\":true},\"counters\":{\"scanners_ready\":0,"
                     "\"control_ready\":1}}",
                     true, false, true);
    expect_readiness("{\"dataplane\":{\"linked\":true},\"counters\":{\"scanners_ready\":3,"
                     "\"control_ready\":1}}",
                     true, true, true);
    expect_readiness("{\"dataplane\":{\"linked\":\"yes\"},\"counters\":{\"scanners_ready\":\"3\"}}",
                     false, false, false);
}

/* Drives turns as the supervisor does, for at most `limit_ns`. */
static void turn_until_ready(struct readiness *readiness, int64_t limit_ns)
{
    int64_t end_ns = clock_monotonic_ns() + limit_ns;
    int64_t now_ns;

    while (!readiness->ready && (now_ns = clock_monotonic_ns()) < end_ns) {
        struct pollfd waiting = {.fd = -1};
        int64_t next_ns = readiness_turn(readiness, now_ns, &waiting.fd, &waiting.events);

        if (next_ns > end_ns)
            next_ns = end_ns;
        if (!readiness->ready && next_ns > now_ns)
            poll(&waiting, 1, (int)((next_ns - now_ns) / CLOCK_NS_PER_MS) + 1);
    }
}

static void test_becomes_ready(void **state)
{
    const char *not_yet = "{\"dataplane\":{\"linked\":true},\"counters\":{\"control_ready\":1}}";
    const char *now = "{\"dataplane\":{\"linked\":true},\"counters\":{\"control_ready\":1,"
                      "\"scanners_ready\":1}}";
    struct readiness readiness;
    char missing[256];
    pid_t pid;

    (void)state;
    readiness_init(&readiness, path, 60 * SECOND, clock_monotonic_ns());
    turn_until_ready(&readiness, SECOND / 2);
    assert_false(readiness.ready);
    readiness_missing(&readiness, missing, sizeof(missing));
    assert_non_null(strstr(missing, "does not answer"));

    pid = serve(not_yet, strlen(not_yet), 100, false);
    turn_until_ready(&readiness, SECOND / 2);
    assert_false(readiness.ready);
    readiness_missing(&readiness, missing, sizeof(missing));
    assert_string_equal(missing, "no scanner is ready");
    finish(pid);
    unlink(path);

    pid = serve(now, strlen(now), 100, false);
    turn_until_ready(&readiness, 10 * SECOND);
    assert_true(readiness.ready);
    finish(pid);
    readiness_fini(&readiness);
}

static void test_warns_once_and_goes_on(void **state)
{
    struct readiness readiness;
    int64_t began_ns = 1000 * SECOND;
    int64_t next_ns;
    short events;
    int fd;

    (void)state;
    readiness_init(&readiness, path, 2 * SECOND, began_ns);
    readiness_turn(&readiness, began_ns + SECOND, &fd, &events);
    assert_false(readiness.warned);
    readiness_turn(&readiness, began_ns + 2 * SECOND, &fd, &events);
    assert_true(readiness.warned);
    next_ns = readiness_turn(&readiness, began_ns + 3 * SECOND, &fd, &events);
    assert_true(next_ns > began_ns + 3 * SECOND);
    readiness_fini(&readiness);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_fetches_an_object),
        CASE(test_nobody_there),
        CASE(test_silence_is_bounded),
        CASE(test_garbage_is_refused),
        CASE(test_not_an_object_is_refused),
        CASE(test_cut_object_is_refused),
        CASE(test_nothing_said),
        CASE(test_endless_answer_is_bounded),
        CASE(test_table),
        CASE(test_table_of_one_worker),
        CASE(test_table_of_hostile_values),
        CASE(test_long_value_is_cut),
        CASE(test_readiness_is_read),
        CASE(test_becomes_ready),
        CASE(test_warns_once_and_goes_on),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
