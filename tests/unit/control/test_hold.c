/* The memory of a message goes back to the dataplane when the link is closed; so the link stays for
 * as long as anything here still points into the region, though it is over. And it goes back with
 * the answer to its job, which comes whatever memory control itself is refused. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/link/dataplane.h"
#include "platform/clock.h"
#include "platform/link/link.h"
#include "tests/unit/relay/rig.h"

#define BODY_BYTES 2000000u

struct ends {
    struct rig rig;
    struct dataplane *dataplane;
    int listening;
    int link; /* ours, as the dataplane */
    struct channel_memory memory;
    struct channel channel;
};

static void accept_link(struct ends *ends)
{
    int64_t end_ns = clock_monotonic_ns() + 10 * CLOCK_NS_PER_SECOND;
    enum status status;
    uint32_t uid;

    while ((status = link_accept(ends->listening, &ends->link, &uid)) == STATUS_AGAIN &&
           clock_monotonic_ns() < end_ns)
        rig_run(&ends->rig, 2);
    assert_int_equal(status, STATUS_OK);
}

static void expect(struct ends *ends, enum link_type type)
{
    int64_t end_ns = clock_monotonic_ns() + 10 * CLOCK_NS_PER_SECOND;
    struct link_message message;
    enum status status;
    int fd;

    while ((status = link_receive(ends->link, &message, &fd)) == STATUS_AGAIN &&
           clock_monotonic_ns() < end_ns)
        rig_run(&ends->rig, 2);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(message.type, type);
}

static void tell(struct ends *ends, struct link_message message, int fd)
{
    assert_int_equal(link_send(ends->link, &message, fd), STATUS_OK);
}

static void open_ends(struct ends *ends, const char *server)
{
    struct rig *rig = &ends->rig;
    char path[128];

    memset(ends, 0, sizeof(*ends));
    rig_open(rig);
    rig_serve(rig, server, 0);
    (void)snprintf(path, sizeof(path), "%s/dataplane.sock", rig->directory);
    assert_int_equal(link_listen(path, UINT32_MAX, &ends->listening), STATUS_OK);
    assert_int_equal(dataplane_create(&ends->dataplane, &rig->loop, rig->relay, rig->directory),
                     STATUS_OK);
    accept_link(ends);
    expect(ends, LINK_HELLO);
    assert_int_equal(channel_memory_create(&ends->memory, CHANNEL_CONTROL, 1), STATUS_OK);
    channel_attach(&ends->channel, &ends->memory, 0);
    tell(ends, (struct link_message){.type = LINK_WELCOME, .workers = 1}, rig->region.fd);
    tell(ends, (struct link_message){.type = LINK_CHANNEL, .epoch = 1}, ends->memory.fd);
    expect(ends, LINK_READY);
}

static void close_ends(struct ends *ends)
{
    dataplane_free(ends->dataplane);
    close(ends->link);
    close(ends->listening);
    channel_memory_close(&ends->memory);
    rig_close(&ends->rig);
}

/* Says what nobody may say, and waits until control has left. */
static void break_link(struct ends *ends)
{
    int64_t end_ns = clock_monotonic_ns() + 10 * CLOCK_NS_PER_SECOND;

    tell(ends, (struct link_message){.type = LINK_WELCOME, .workers = 1}, -1);
    while (ends->dataplane->state == DATAPLANE_LINKED && clock_monotonic_ns() < end_ns)
        (void)event_base_loop(ends->rig.loop.base, EVLOOP_ONCE);
    assert_int_equal(ends->dataplane->state, DATAPLANE_ABSENT);
}

static enum status link_says(const struct ends *ends)
{
    struct link_message message;
    int fd;

    return link_receive(ends->link, &message, &fd);
}

/* `hold` is one holder, as a buffer is. */
static void assert_open_until_given(struct ends *ends, struct region_hold *hold)
{
    rig_run(&ends->rig, 50);
    assert_int_equal(hold->holders, 1);
    assert_int_equal(link_says(ends), STATUS_AGAIN);
    region_hold_give(hold);
    assert_int_equal(link_says(ends), STATUS_CLOSED);
}

static void test_link_stays_for_its_holders(void **state)
{
    struct ends ends;
    struct region_hold *hold;

    (void)state;
    open_ends(&ends, "{}");
    hold = region_hold_take(ends.dataplane->hold);
    break_link(&ends);
    assert_open_until_given(&ends, hold);
    close_ends(&ends);
}

/* The same while a message is half on its way to a server that does not read. */
static void test_message_under_way(void **state)
{
    char *body = malloc(BODY_BYTES);
    struct rig_mail mail = {.body = body, .length = BODY_BYTES};
    struct relay_job job;
    struct region_hold *hold;
    struct message *message;
    struct ends ends;

    (void)state;
    assert_non_null(body);
    memset(body, 'a', BODY_BYTES);
    body[BODY_BYTES - 2] = '\r';
    body[BODY_BYTES - 1] = '\n';
    open_ends(&ends,
              "{\"buffer\": 4096, \"scripts\": [[[\"send\", \"220 a\\r\\n\"], [\"line\", 1], "
              "[\"send\", \"250 a\\r\\n\"], [\"line\", 1], [\"send\", \"250 a\\r\\n\"], "
              "[\"line\", 1], [\"send\", \"250 a\\r\\n\"], [\"line\", 1], "
              "[\"send\", \"354 a\\r\\n\"], [\"wait\", 600]]]}");
    hold = region_hold_take(ends.dataplane->hold);
    message = rig_message(&ends.rig, &mail, &job);
    assert_int_equal(ring_push(&ends.channel.jobs, &job), STATUS_OK);
    while (ends.rig.relay->routes->dialogues == NULL ||
           ends.rig.relay->routes->dialogues->state != DIALOGUE_BODY)
        rig_run(&ends.rig, 2);
    /* The link, this test, and the message, which pieces in the output buffer hold. */
    assert_int_equal(hold->holders, 3);
    break_link(&ends);
    assert_null(ends.rig.relay->routes->dialogues);
    assert_open_until_given(&ends, hold);
    message_give(&ends.rig.store, message);
    close_ends(&ends);
    free(body);
}

static unsigned refused_at; /* of the allocations from now on; 0: none */

static bool refused(void)
{
    return refused_at > 0 && --refused_at == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

/* The answer to a job that finds its nth allocation refused. False when there were not so many. */
static bool relay_refusing(struct ends *ends, unsigned nth, struct relay_result *result)
{
    static const struct rig_mail mail = {.body = "A: b\r\n\r\nc\r\n", .length = 12};
    int64_t end_ns = clock_monotonic_ns() + 60 * CLOCK_NS_PER_SECOND;
    struct relay_result more;
    struct relay_job job;
    struct message *message = rig_message(&ends->rig, &mail, &job);
    bool reached;

    assert_int_equal(ring_push(&ends->channel.jobs, &job), STATUS_OK);
    refused_at = nth;
    while (ring_pop(&ends->channel.results, result) != STATUS_OK) {
        assert_true(clock_monotonic_ns() < end_ns);
        rig_run(&ends->rig, 1);
    }
    reached = refused_at == 0;
    refused_at = 0;
    assert_true(result->job == job.job);
    assert_int_equal(ring_pop(&ends->channel.results, &more), STATUS_AGAIN);
    assert_int_equal(ends->dataplane->open, 0);
    message_give(&ends->rig.store, message);
    return reached;
}

/* Each allocation of a job's life refused in turn: there is one answer, and the slot is free. */
static void test_memory_refused(void **state)
{
    struct relay_result result;
    struct ends ends;
    unsigned nth = 1;
    unsigned failed = 0;

    (void)state;
    open_ends(&ends, "{}");
    while (relay_refusing(&ends, nth, &result)) {
        failed += result.outcome != RELAY_ANSWERED;
        nth++;
    }
    print_message("%u allocations were refused, %u of their mails deferred\n", nth - 1, failed);
    assert_true(nth > 3 && failed > 0 && failed < nth);
    assert_false(relay_refusing(&ends, UINT_MAX, &result));
    close_ends(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_stays_for_its_holders),
        cmocka_unit_test(test_message_under_way),
        cmocka_unit_test(test_memory_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
