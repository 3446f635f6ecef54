/* Control's end: what it has answered, what it has not, and what it still reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platform/link/message_view.h"
#include "tests/unit/handover/scanning.h"

static int set_up(void **state)
{
    int failed = appliance_set_up(state);

    if (failed == 0) {
        appliance_scanners(*state, &scanners, 1);
        appliance_control(*state, &control);
    }
    return failed;
}

/* A clean mail that is on its way to control. */
static struct tcp_connection *clean_mail(struct appliance *appliance)
{
    struct tcp_connection *sender = appliance_mail(appliance, 0, "defer.example");

    answer(appliance, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    return sender;
}

static void test_control_dies(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *senders[10];
    struct relay_job job;

    for (unsigned i = 0; i < 10; i++)
        senders[i] = clean_mail(appliance);
    assert_true(peer_relay(&control, 0, &job)); /* some taken, some not */
    sender_close(senders[3]);
    sender_say(senders[5], appliance_text("defer.example")); /* and one more behind it */
    assert_int_equal(appliance_messages_held(appliance), 10);
    appliance_lose(appliance, &control);
    for (unsigned i = 0; i < 10; i++) {
        if (i == 5)
            assert_int_equal(strncmp(sender_heard(senders[i]), "451 4.4.1 [", 11), 0);
        else if (i != 3)
            appliance_expect(senders[i], "451 4.4.1 [");
    }
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_NO_RELAY), 10);
    assert_int_equal(appliance_messages_held(appliance), 1); /* the one behind, at the scanner */
}

/* What it has answered before its end counts: the customer has the mail, or does not want it. */
static void test_control_answers_and_dies(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *senders[3];
    struct relay_result results[2];
    struct relay_job job;

    for (unsigned i = 0; i < 3; i++)
        senders[i] = clean_mail(appliance);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(peer_relay(&control, 0, &job));
        results[i] = peer_relayed(&job, RELAY_ANSWERED, i == 0 ? 250 : 550, "its words");
        peer_answer_relay(&control, 0, &results[i]);
    }
    appliance_lose(appliance, &control);
    appliance_expect(senders[0], "250 2.0.0 [");
    appliance_expect(senders[1], "550 5.0.0 [");
    appliance_expect(senders[2], "451 4.4.1 [");
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 1);
    assert_int_equal(appliance_messages_held(appliance), 0);
}

/* Its link is ended for a lie while it still has a message in its buffers: the memory waits until
 * it has closed its end. */
static void test_control_is_asked_to_leave(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct tcp_connection *next;
    struct message_view view;
    struct relay_job job;

    assert_true(peer_relay(&control, 0, &job));
    assert_int_equal(
        message_view_open(&view, &control.region, job.message, job.generation, job.length),
        STATUS_OK);
    control.holds = true;
    peer_say(&control, LINK_WELCOME, 0, 0, ""); /* not its to say */
    appliance_settle(appliance);
    assert_true(control.ended);
    assert_int_equal(appliance_state(appliance, peers_control(&appliance->peers)), PEER_LEAVING);
    next = clean_mail(appliance); /* gets no job there, and no memory that is in use */
    appliance_expect(next, "451 4.4.1 [");
    appliance_silent(sender);
    assert_true(message_view_current(&view));
    message_view_close(&view);
    appliance_lose(appliance, &control);
    appliance_expect(sender, "451 4.4.1 [");
    assert_int_equal(appliance_messages_held(appliance), 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, appliance_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_control_dies),
        CASE(test_control_answers_and_dies),
        CASE(test_control_is_asked_to_leave),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
