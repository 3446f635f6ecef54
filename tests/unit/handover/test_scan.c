/* Messages at the scanners: verdicts, policies, time limits, and senders that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/link/message_view.h"
#include "tests/unit/handover/scanning.h"

static void test_clean(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct message_view view;
    struct scan_job job;
    struct scan_result result;
    struct relay_job relay;
    struct relay_result relayed;
    char text[1024];
    uint32_t slot;

    appliance_scanners(appliance, &scanners, 3);
    appliance_control(appliance, &control);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 3 * APPLIANCE_WORKERS);
    sender = appliance_mail(appliance, 0, "defer.example");
    slot = scanning_slot(&job);
    assert_int_equal(job.tier, SCAN_TIER_FULL);
    assert_int_equal(
        message_view_open(&view, &scanners.region, job.message, job.generation, job.length),
        STATUS_OK);
    memset(text, 0, sizeof(text));
    assert_int_equal(message_view_read(&view, 0, text, sizeof(text) - 1), job.length);
    assert_string_equal(text + view.trace_size, "Subject: a test\r\n\r\nThe body.\r\n");
    assert_true(message_view_string(&view, ENVELOPE_RECIPIENT, text, sizeof(text)));
    assert_string_equal(text, "bob@defer.example");
    message_view_close(&view);
    appliance_silent(sender);
    result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    peer_answer(&scanners, slot, 0, &result);
    appliance_settle(appliance);
    appliance_silent(sender); /* no 250 before the customer's */

    assert_true(peer_relay(&control, 0, &relay));
    assert_int_equal(relay.verdict, VERDICT_CLEAN);
    assert_int_equal(relay.message, job.message);
    assert_true(relay.job > job.job);
    assert_int_equal(
        message_view_open(&view, &control.region, relay.message, relay.generation, relay.length),
        STATUS_OK);
    assert_true(message_view_string(&view, ENVELOPE_VERDICT, text, sizeof(text)));
    assert_string_equal(text, "clean");
    assert_true(message_view_string(&view, ENVELOPE_ENGINE, text, sizeof(text)));
    assert_string_equal(text, PEER_ENGINE);
    relayed = peer_relayed(&relay, RELAY_ANSWERED, 250, "2.0.0 Ok: queued as 9F");
    peer_answer_relay(&control, 0, &relayed);
    appliance_settle(appliance);
    appliance_expect(sender, "250 2.0.0 [");
    assert_false(message_view_current(&view)); /* the slot is somebody else's now */
    message_view_close(&view);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 1);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_JOBS), 1);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_JOBS), 1);
    assert_string_equal(appliance_record(appliance)->engine, PEER_ENGINE);
    assert_string_equal(appliance_record(appliance)->relay, "mail.acme.example[198.18.0.9]:25");
    assert_int_equal(appliance_record(appliance)->outcome, MAIL_DELIVERED);
}

static void test_infected(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct relay_job relay;

    appliance_scanners(appliance, &scanners, 1);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "deliver.example"); /* that policy is not for these */
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "Win.Test.EICAR_HDB-1");
    appliance_expect(sender, "554 5.7.1 [");
    assert_non_null(strstr(sender->sent, "virus found (Win.Test.EICAR_HDB-1)"));
    assert_false(peer_relay(&control, 0, &relay));
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_INFECTED), 1);
    assert_string_equal(appliance_record(appliance)->name, "Win.Test.EICAR_HDB-1");
}

static void test_unscannable_by_policy(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct relay_job relay;
    struct relay_result relayed;
    struct message_view view;
    char text[64];

    appliance_scanners(appliance, &scanners, 1);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "defer.example");
    answer(appliance, VERDICT_UNSCANNABLE, UNSCANNABLE_ENCRYPTED, "Heuristics.Encrypted.Zip");
    appliance_expect(sender, "451 4.7.1 [");
    sender = appliance_mail(appliance, 0, "reject.example");
    answer(appliance, VERDICT_UNSCANNABLE, UNSCANNABLE_LIMIT, "");
    appliance_expect(sender, "554 5.7.1 [");
    assert_non_null(strstr(sender->sent, "limit exceeded"));
    assert_false(peer_relay(&control, 0, &relay));
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_UNSCANNABLE), 2);

    sender = appliance_mail(appliance, 0, "deliver.example");
    answer(appliance, VERDICT_UNSCANNABLE, UNSCANNABLE_ENCRYPTED, "");
    appliance_silent(sender);
    assert_true(peer_relay(&control, 0, &relay));
    assert_int_equal(relay.verdict, VERDICT_UNSCANNABLE);
    assert_int_equal(
        message_view_open(&view, &control.region, relay.message, relay.generation, relay.length),
        STATUS_OK);
    assert_true(message_view_string(&view, ENVELOPE_VERDICT, text, sizeof(text)));
    assert_string_equal(text, "unscannable(encrypted)");
    message_view_close(&view);
    relayed = peer_relayed(&relay, RELAY_ANSWERED, 250, "ok");
    peer_answer_relay(&control, 0, &relayed);
    appliance_settle(appliance);
    appliance_expect(sender, "250 2.0.0 [");
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 1);
}

/* Each reason goes by the word the customer has for its kind. */
static void test_policy_by_reason(void **state)
{
    static const struct {
        enum unscannable_reason reason;
        enum config_reason kind;
    } cases[] = {
        {UNSCANNABLE_ENCRYPTED, CONFIG_REASON_ENCRYPTED_ARCHIVE},
        {UNSCANNABLE_ENCRYPTED_MAIL, CONFIG_REASON_ENCRYPTED_MAIL},
        {UNSCANNABLE_ENCRYPTED_DOCUMENT, CONFIG_REASON_ENCRYPTED_DOCUMENT},
        {UNSCANNABLE_MALFORMED, CONFIG_REASON_MALFORMED},
        {UNSCANNABLE_LIMIT, CONFIG_REASON_LIMIT},
        {UNSCANNABLE_TIME, CONFIG_REASON_FAILED},
        {UNSCANNABLE_UNSUPPORTED, CONFIG_REASON_UNSUPPORTED},
        {UNSCANNABLE_PARTIAL, CONFIG_REASON_PARTIAL},
        {UNSCANNABLE_ENGINE_ERROR, CONFIG_REASON_FAILED},
    };
    struct appliance *appliance = *state;
    enum config_policy *policy = appliance->customers[0].unscannable;

    appliance_scanners(appliance, &scanners, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned kind = 0; kind < CONFIG_REASONS; kind++)
            policy[kind] = kind == cases[i].kind ? CONFIG_POLICY_REJECT : CONFIG_POLICY_DEFER;
        struct tcp_connection *sender = appliance_mail(appliance, 0, "defer.example");

        answer(appliance, VERDICT_UNSCANNABLE, cases[i].reason, "");
        appliance_expect(sender,
                         cases[i].reason == UNSCANNABLE_MALFORMED ? "554 5.6.0 [" : "554 5.7.1 [");
        policy[cases[i].kind] = CONFIG_POLICY_DEFER;
        sender = appliance_mail(appliance, 0, "defer.example");
        answer(appliance, VERDICT_UNSCANNABLE, cases[i].reason, "");
        appliance_expect(sender, "451 4.7.1 [");
    }
}

/* -- time -------------------------------------------------------------------------------------- */

static void test_time_limit(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_job job;
    uint32_t slot;

    appliance_scanners(appliance, &scanners, 2);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "reject.example");
    for (unsigned attempt = 1; attempt <= 2; attempt++) {
        slot = scanning_slot(&job);
        appliance_advance(appliance, INT64_C(100000000)); /* it is seen at work */
        appliance_advance(appliance, SCAN_LIMIT_NS);      /* its own limit: the scanner's to keep */
        assert_int_equal(scanners.slots[slot].kills, 0);
        appliance_advance(appliance, SCAN_LIMIT_NS / 2);
        assert_int_equal(scanners.slots[slot].kills, 1);
        assert_int_equal(scanners.slots[slot].kill_epoch, 1);
        assert_int_equal(appliance_count(appliance, COUNTER_SCAN_TIMEOUTS), attempt);
        appliance_advance(appliance, SCAN_LIMIT_NS / 10);
        assert_int_equal(scanners.slots[slot].kills, 1); /* once is enough */
        appliance_silent(sender);
        die(appliance, slot);
    }
    appliance_expect(sender, "554 5.7.1 [");
    assert_non_null(strstr(sender->sent, "time limit"));
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_UNSCANNABLE), 1);
}

/* An answer that comes between the kill and the end is too late. */
static void test_answer_after_the_kill(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_result result;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 1);
    sender = appliance_mail(appliance, 0, "defer.example");
    (void)scanning_slot(&job);
    appliance_advance(appliance, INT64_C(100000000));
    appliance_advance(appliance, 2 * SCAN_LIMIT_NS);
    assert_int_equal(scanners.slots[0].kills, 1);
    result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    peer_answer(&scanners, 0, 0, &result);
    appliance_settle(appliance);
    appliance_silent(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_JOBS), 0);
    die(appliance, 0);
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "X");
    appliance_expect(sender, "554 5.7.1 [");
}

/* The parent never does what it is told: the sender is answered, the memory is not touched. */
static void test_kill_never_happens(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct message_view view;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 1);
    sender = appliance_mail(appliance, 0, "deliver.example");
    (void)scanning_slot(&job);
    assert_int_equal(
        message_view_open(&view, &scanners.region, job.message, job.generation, job.length),
        STATUS_OK);
    for (unsigned second = 0; second < 80; second++)
        appliance_advance(appliance, INT64_C(1000000000));
    appliance_expect(sender, "451 4.7.1 [");
    assert_int_equal(scanners.slots[0].kills, 1);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_UNSCANNABLE), 1);
    sender_close(sender);
    appliance_advance(appliance, 1000 * INT64_C(1000000000));
    assert_int_equal(appliance_messages_held(appliance), 1);
    assert_true(message_view_current(&view));
    die(appliance, 0);
    assert_int_equal(appliance_messages_held(appliance), 0);
    assert_false(message_view_current(&view));
    message_view_close(&view);
    no_job(); /* what is answered is not scanned again */
}

static void test_no_scanner(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *defer = appliance_mail(appliance, 0, "defer.example");
    struct tcp_connection *reject = appliance_mail(appliance, 0, "reject.example");

    appliance_advance(appliance, VERDICT_LIMIT_NS - INT64_C(100000000));
    appliance_silent(defer);
    assert_int_equal(handover_pending(&appliance->workers[0].handover), 2);
    appliance_advance(appliance, INT64_C(200000000));
    appliance_expect(defer, "451 4.7.1 [");
    assert_non_null(strstr(defer->sent, "no engine"));
    appliance_expect(reject, "554 5.7.1 [");
    assert_string_equal(appliance_record(appliance)->name, "no engine");
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_UNSCANNABLE), 2);
}

/* With no time left there is none to relay in: a copy at the customer and 451 to the sender would
 * be one more copy with each try. */
static void test_no_scanner_and_policy_deliver(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct relay_job relay;

    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "deliver.example");
    appliance_advance(appliance, VERDICT_LIMIT_NS + INT64_C(100000000));
    appliance_expect(sender, "451 4.7.1 [");
    assert_false(peer_relay(&control, 0, &relay));
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_UNSCANNABLE), 1);
}

static void test_scanner_comes_in_time(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = appliance_mail(appliance, 0, "defer.example");

    appliance_advance(appliance, VERDICT_LIMIT_NS / 2);
    appliance_scanners(appliance, &scanners, 1);
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "X");
    appliance_expect(sender, "554 5.7.1 [");
}

/* More messages than scanners: in turn, and the last ones run out of time. */
static void test_scanners_busy(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *senders[4];
    struct scan_job job;
    uint32_t slot;

    appliance_scanners(appliance, &scanners, 1);
    for (unsigned i = 0; i < 4; i++)
        senders[i] = appliance_mail(appliance, 0, "defer.example");
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_JOBS), 1); /* one at a time */
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "X");
    appliance_expect(senders[0], "554 5.7.1 [");
    slot = scanning_slot(&job); /* the second never ends */
    appliance_advance(appliance, INT64_C(100000000));
    appliance_advance(appliance, 2 * SCAN_LIMIT_NS);
    assert_int_equal(scanners.slots[slot].kills, 1);
    appliance_advance(appliance, VERDICT_LIMIT_NS - 2 * SCAN_LIMIT_NS);
    for (unsigned i = 2; i < 4; i++) {
        const char *heard = sender_heard(senders[i]);

        assert_int_equal(strncmp(heard, "451 4.7.1 [", 11), 0);
        assert_non_null(strstr(heard, "scanners busy"));
    }
    die(appliance, slot);
    appliance_expect(senders[1], "451 4.7.1 [");
}

/* A verdict that arrives when the time is over is not relayed any more. */
/* Another worker's message is not put behind the one a scanner has while another scanner is idle;
 * when none is, it is put behind one. */
static void test_idle_scanner_first(void **state)
{
    struct appliance *appliance = *state;
    struct scan_job job;
    uint32_t slots[3];

    appliance_scanners(appliance, &scanners, 2);
    appliance_control(appliance, &control);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t worker = i % 2;

        (void)appliance_mail(appliance, worker, "defer.example");
        for (slots[i] = 0; slots[i] < 2; slots[i]++) {
            if (peer_scan(&scanners, slots[i], worker, &job))
                break;
        }
        assert_true(slots[i] < 2);
    }
    assert_int_not_equal(slots[0], slots[1]);
    assert_int_equal(slots[2], slots[1]);
    assert_int_equal(atomic_load(&appliance->peers.slots[slots[1]].jobs), 2);
    appliance_lose(appliance, &scanners);
    assert_int_equal(atomic_load(&appliance->peers.slots[0].jobs), 0);
    assert_int_equal(atomic_load(&appliance->peers.slots[1].jobs), 0);
}

static void test_clean_too_late(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct relay_job relay;

    appliance_scanners(appliance, &scanners, 1);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance->now_ns += VERDICT_LIMIT_NS + INT64_C(1000000); /* nobody has looked yet */
    answer(appliance, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    appliance_expect(sender, "451 4.4.1 [");
    assert_false(peer_relay(&control, 0, &relay));
}

/* -- senders ----------------------------------------------------------------------------------- */

static void test_sender_leaves_while_waiting(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = appliance_mail(appliance, 0, "defer.example");

    sender_close(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_ABANDONED), 1);
    assert_int_equal(appliance_messages_held(appliance), 0);
    appliance_scanners(appliance, &scanners, 1);
    no_job();
}

static void test_sender_leaves_while_scanning(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_result result;
    struct scan_job job;
    uint32_t slot;

    appliance_scanners(appliance, &scanners, 2);
    appliance_control(appliance, &control);
    for (unsigned death = 0; death < 2; death++) {
        sender = appliance_mail(appliance, 0, "deliver.example");
        slot = scanning_slot(&job);
        sender_close(sender);
        assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_ABANDONED), death + 1);
        assert_int_equal(appliance_messages_held(appliance), 1); /* it is being read */
        if (death == 0) {
            result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
            peer_answer(&scanners, slot, 0, &result);
            appliance_settle(appliance);
        } else {
            die(appliance, slot);
        }
        assert_int_equal(appliance_messages_held(appliance), 0);
        no_job();
    }
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_JOBS), 0);
}

/* Commands behind a mail are read when it is answered, and may bring the next mail at once: it must
 * not be given to the scanner whose death is being dealt with. */
static void test_pipelined_mail_at_a_death(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_job job;
    const char *heard;

    appliance_scanners(appliance, &scanners, 1);
    sender = appliance_mail(appliance, 0, "reject.example");
    sender_say(sender, appliance_text("reject.example"));
    die(appliance, scanning_slot(&job));
    die(appliance, scanning_slot(&job));
    heard = sender_heard(sender);
    assert_int_equal(strncmp(heard, "554 5.7.1 [", 11), 0);
    assert_non_null(strstr(heard, "\r\n354 "));
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "Second.Mail");
    appliance_expect(sender, "554 5.7.1 [");
    assert_int_equal(appliance_record(appliance)->scan_attempts, 0);
}

/* A mail whose own time ends while it is scanned is answered then. The scanner, which has just
 * begun, is not killed for what the mail has waited before, and goes on. */
static void test_own_end_is_no_fault_of_the_scanner(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *late = appliance_mail(appliance, 0, "deliver.example");
    struct tcp_connection *next;
    struct scan_result result;
    struct scan_job job;
    uint32_t slot;

    appliance_advance(appliance, VERDICT_LIMIT_NS - SCAN_LIMIT_NS / 2);
    appliance_scanners(appliance, &scanners, 1);
    slot = scanning_slot(&job);
    appliance_advance(appliance, SCAN_LIMIT_NS / 2 + INT64_C(100000000));
    appliance_expect(late, "451 4.7.1 [");
    appliance_advance(appliance, SCAN_LIMIT_NS / 4);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_TIMEOUTS), 0);
    assert_int_equal(appliance_messages_held(appliance), 1); /* it is being read */
    result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    peer_answer(&scanners, slot, 0, &result);
    appliance_settle(appliance);
    assert_int_equal(appliance_messages_held(appliance), 0);
    next = appliance_mail(appliance, 0, "deliver.example");
    answer(appliance, VERDICT_INFECTED, UNSCANNABLE_NONE, "Next.Mail");
    appliance_expect(next, "554 5.7.1 [");
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_UNSCANNABLE), 1);
}

/* The same at the other places that answer from within a walk over the lists. */
static void test_pipelined_mails_at_time_outs(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *senders[6];
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 2);
    for (unsigned i = 0; i < 6; i++) {
        senders[i] = appliance_mail(appliance, 0, i % 2 != 0 ? "defer.example" : "reject.example");
        sender_say(senders[i], appliance_text("reject.example"));
    }
    (void)scanning_slot(&job);
    (void)scanning_slot(&job);
    appliance_advance(appliance, INT64_C(100000000));
    appliance_advance(appliance, VERDICT_LIMIT_NS + INT64_C(100000000)); /* all took too long */
    for (unsigned i = 0; i < 6; i++)
        assert_non_null(strstr(sender_heard(senders[i]), "\r\n354 "));
    assert_int_equal(handover_pending(&appliance->workers[0].handover), 8);
    appliance_lose(appliance, &scanners);
    assert_int_equal(handover_pending(&appliance->workers[0].handover), 6);
    appliance_advance(appliance, 2 * VERDICT_LIMIT_NS);
    for (unsigned i = 0; i < 6; i++)
        appliance_expect(senders[i], "554 5.7.1 [");
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_UNSCANNABLE), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCANNING_TEST(test_clean),
        SCANNING_TEST(test_infected),
        SCANNING_TEST(test_unscannable_by_policy),
        SCANNING_TEST(test_policy_by_reason),
        SCANNING_TEST(test_time_limit),
        SCANNING_TEST(test_answer_after_the_kill),
        SCANNING_TEST(test_kill_never_happens),
        SCANNING_TEST(test_no_scanner),
        SCANNING_TEST(test_no_scanner_and_policy_deliver),
        SCANNING_TEST(test_scanner_comes_in_time),
        SCANNING_TEST(test_scanners_busy),
        SCANNING_TEST(test_idle_scanner_first),
        SCANNING_TEST(test_clean_too_late),
        SCANNING_TEST(test_sender_leaves_while_waiting),
        SCANNING_TEST(test_sender_leaves_while_scanning),
        SCANNING_TEST(test_own_end_is_no_fault_of_the_scanner),
        SCANNING_TEST(test_pipelined_mail_at_a_death),
        SCANNING_TEST(test_pipelined_mails_at_time_outs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
