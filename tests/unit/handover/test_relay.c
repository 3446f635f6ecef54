/* Messages at control: its answers, its absence, its death, its lies, and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/message/share.h"
#include "platform/link/message_view.h"
#include "tests/unit/handover/appliance.h"

static struct peer scanners;
static struct peer control;

static int set_up(void **state)
{
    int failed = appliance_set_up(state);

    if (failed == 0) {
        appliance_scanners(*state, &scanners, 1);
        appliance_control(*state, &control);
    }
    return failed;
}

/* What every scanner says of the message it has. */
static void clean(struct appliance *appliance)
{
    struct scan_job job;
    struct scan_result result;

    assert_true(peer_scan(&scanners, 0, 0, &job));
    result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    peer_answer(&scanners, 0, 0, &result);
    appliance_settle(appliance);
}

/* A clean mail that is on its way to control. */
static struct tcp_connection *clean_mail(struct appliance *appliance)
{
    struct tcp_connection *sender = appliance_mail(appliance, 0, "defer.example");

    clean(appliance);
    return sender;
}

static void answer(struct appliance *appliance, const struct relay_job *job,
                   enum relay_outcome outcome, uint32_t code, const char *text)
{
    struct relay_result result = peer_relayed(job, outcome, code, text);

    peer_answer_relay(&control, 0, &result);
    appliance_settle(appliance);
}

/* What control hears next is that nobody waits for `job` any more. */
static void assert_withdrawn(const struct relay_job *job)
{
    struct relay_job withdrawal;

    assert_true(peer_relay(&control, 0, &withdrawal));
    assert_int_equal(withdrawal.kind, JOB_WITHDRAW);
    assert_true(withdrawal.job == job->job);
    assert_int_equal(withdrawal.message, job->message);
    assert_int_equal(withdrawal.generation, job->generation);
}

static void test_the_customers_words(void **state)
{
    struct appliance *appliance = *state;
    static const struct {
        enum relay_outcome outcome;
        uint32_t code;
        const char *text;
        const char *reply;
        enum counter counter;
    } cases[] = {
        {RELAY_ANSWERED, 250, "2.1.5 Ok", "250 2.1.5 [", COUNTER_MESSAGE_DELIVERED},
        {RELAY_ANSWERED, 452, "4.2.2 Mailbox full", "452 4.2.2 [", COUNTER_MESSAGE_RELAY_TEMPORARY},
        {RELAY_ANSWERED, 550, "5.1.1 Unknown", "550 5.1.1 [", COUNTER_MESSAGE_RELAY_PERMANENT},
        {RELAY_UNREACHABLE, 451, "refused", "451 4.4.1 [", COUNTER_MESSAGE_NO_RELAY},
        {RELAY_BROKEN, 451, "broke off", "451 4.4.1 [", COUNTER_MESSAGE_NO_RELAY},
        {RELAY_REFUSED, 451, "shutting down", "451 4.4.1 [", COUNTER_MESSAGE_NO_RELAY},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = appliance_count(appliance, cases[i].counter);
        struct tcp_connection *sender = clean_mail(appliance);
        struct relay_job job;

        assert_true(peer_relay(&control, 0, &job));
        answer(appliance, &job, cases[i].outcome, cases[i].code, cases[i].text);
        appliance_expect(sender, cases[i].reply);
        assert_int_equal(appliance_count(appliance, cases[i].counter), before + 1);
        assert_int_equal(appliance_messages_held(appliance), 0);
    }
}

/* Answers out of order, each to its own sender. */
static void test_many_at_once(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *senders[20];
    struct relay_job jobs[20];

    for (unsigned i = 0; i < 20; i++)
        senders[i] = clean_mail(appliance);
    for (unsigned i = 0; i < 20; i++)
        assert_true(peer_relay(&control, 0, &jobs[i]));
    for (unsigned i = 20; i-- > 0;) {
        char text[32];

        (void)snprintf(text, sizeof(text), "2.0.0 queued as %u.", i);
        answer(appliance, &jobs[i], RELAY_ANSWERED, 250, text);
        appliance_expect(senders[i], "250 2.0.0 [");
        assert_non_null(strstr(senders[i]->sent, text + 6));
    }
}

static void test_no_control(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;

    appliance_lose(appliance, &control);
    sender = clean_mail(appliance);
    appliance_expect(sender, "451 4.4.1 [");
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_NO_RELAY), 1);
    appliance_control(appliance, &control); /* it comes back, all is well */
    sender_say(sender, appliance_text("defer.example"));
    appliance_settle(appliance);
    (void)sender_heard(sender);
    clean(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_JOBS), 1);
}

/* -- control that lies ------------------------------------------------------------------------- */

static void test_hostile_codes(void **state)
{
    struct appliance *appliance = *state;
    static const struct {
        uint32_t outcome;
        uint32_t code;
    } cases[] = {
        {RELAY_ANSWERED, 700},        {RELAY_ANSWERED, 354},
        {RELAY_ANSWERED, 0},          {RELAY_ANSWERED, 199},
        {RELAY_ANSWERED, 300},        {RELAY_ANSWERED, 399},
        {RELAY_ANSWERED, 600},        {RELAY_ANSWERED, 25000},
        {RELAY_ANSWERED, UINT32_MAX}, {0, 250},
        {RELAY_REFUSED + 1, 250},     {UINT32_MAX, 250},
        {RELAY_UNREACHABLE, 250},     {RELAY_BROKEN, 250},
        {RELAY_REFUSED, 299},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tcp_connection *sender = clean_mail(appliance);
        struct relay_job job;

        assert_true(peer_relay(&control, 0, &job));
        answer(appliance, &job, (enum relay_outcome)cases[i].outcome, cases[i].code, "2.0.0 Ok");
        appliance_expect(sender, "451 4.4.1 [");
    }
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_NO_RELAY),
                     sizeof(cases) / sizeof(cases[0]));
}

/* 421 and 521 would mean something else in our dialogue. */
static void test_codes_that_close(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct relay_job job;

    assert_true(peer_relay(&control, 0, &job));
    answer(appliance, &job, RELAY_ANSWERED, 421, "4.3.2 bye");
    appliance_expect(sender, "451 4.3.2 [");
    sender = clean_mail(appliance);
    assert_true(peer_relay(&control, 0, &job));
    answer(appliance, &job, RELAY_ANSWERED, 521, "5.3.2 never");
    appliance_expect(sender, "554 5.3.2 [");
}

static void test_hostile_text(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct relay_result result;
    struct relay_job job;
    const char *heard;

    assert_true(peer_relay(&control, 0, &job));
    result = peer_relayed(&job, RELAY_ANSWERED, 550, "");
    memset(result.text, 'x', sizeof(result.text)); /* without an end */
    memset(result.relay, 'y', sizeof(result.relay));
    peer_answer_relay(&control, 0, &result);
    appliance_settle(appliance);
    appliance_expect(sender, "550 5.0.0 [");
    assert_int_equal(strlen(appliance_record(appliance)->relay), RELAY_NAME_BYTES - 1);

    sender = clean_mail(appliance);
    assert_true(peer_relay(&control, 0, &job));
    answer(appliance, &job, RELAY_ANSWERED, 550,
           "5.7.1 no\r\n250 2.0.0 yes\n\x1b[31m\x80\xff\x01 tail");
    heard = sender_heard(sender);
    for (const char *line = heard; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_int_equal(strncmp(line, "550", 3), 0); /* whatever it says, it says no */
    for (const char *c = heard; *c != '\0'; c++)
        assert_true((*c >= ' ' && *c <= '~') || *c == '\r' || *c == '\n');
}

/* Answers that name what is not theirs are counted and change nothing. */
static void test_answers_for_others(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *scanning;
    struct tcp_connection *relaying = clean_mail(appliance);
    struct relay_result wrong;
    struct relay_job job;
    struct message_view view;

    assert_true(peer_relay(&control, 0, &job));
    scanning = appliance_mail(appliance, 0, "defer.example"); /* at the scanner */
    for (unsigned n = 0; n < 6; n++) {
        wrong = peer_relayed(&job, RELAY_ANSWERED, 250, "2.0.0 Ok");
        switch (n) {
        case 0: /* the message at the scanner, with the number its scan job has */
            wrong.message = job.message == 0 ? 1 : 0;
            wrong.job = job.job + 1;
            break;
        case 1:
            wrong.message = job.message + 1;
            break;
        case 2:
            wrong.message = UINT32_MAX;
            break;
        case 3:
            wrong.generation++;
            break;
        case 4:
            wrong.job--;
            break;
        default:
            wrong.job = 0;
            break;
        }
        peer_answer_relay(&control, 0, &wrong);
        appliance_settle(appliance);
        assert_int_equal(appliance_count(appliance, COUNTER_HAND_OVER_STALE), n + 1);
    }
    appliance_silent(relaying);
    appliance_silent(scanning);
    assert_int_equal(
        message_view_open(&view, &control.region, job.message, job.generation, job.length),
        STATUS_OK);
    answer(appliance, &job, RELAY_ANSWERED, 250, "2.0.0 Ok");
    appliance_expect(relaying, "250 2.0.0 [");
    answer(appliance, &job, RELAY_ANSWERED, 250, "2.0.0 Ok"); /* twice */
    appliance_silent(relaying);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 1);
    message_view_close(&view);
}

/* The job says what is to be done, by when, and whose verdict it carries; an answer of another kind
 * is refused, counted and delivers nothing. */
static void test_kinds(void **state)
{
    static const uint32_t kinds[] = {0, JOB_SCAN, 3, UINT32_MAX};
    struct appliance *appliance = *state;

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct tcp_connection *sender = clean_mail(appliance);
        struct relay_result result;
        struct relay_job job;

        assert_true(peer_relay(&control, 0, &job));
        assert_int_equal(job.kind, JOB_RELAY);
        assert_int_equal(job.deadline_ns, appliance->now_ns + VERDICT_LIMIT_NS);
        assert_true(job.signatures == link_signatures(&scanners.identity));
        result = peer_relayed(&job, RELAY_ANSWERED, 250, "2.0.0 Ok");
        result.kind = kinds[i];
        peer_answer_relay(&control, 0, &result);
        appliance_settle(appliance);
        appliance_expect(sender, "451 4.4.1 [");
        assert_int_equal(appliance_count(appliance, COUNTER_RELAY_BROKEN), i + 1);
    }
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 0);
}

/* A ring that makes no sense ends the link: senders are answered, control may begin anew. */
static void test_garbled_rings(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct ring *results = &control.slots[0].channel[0].results;

    atomic_store(&results->shared->produced, RELAY_JOBS_PER_RING + 1);
    appliance_settle(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_BROKEN), 1);
    assert_true(control.ended);
    appliance_expect(sender, "451 4.4.1 [");
    assert_int_equal(appliance_messages_held(appliance), 0);
    appliance_lose(appliance, &control);
    appliance_control(appliance, &control);
    assert_true(control.welcomed);
    assert_int_equal(control.slots[0].epoch, 2);
    sender = clean_mail(appliance);
    appliance_silent(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_JOBS), 2);
}

/* -- bounds ------------------------------------------------------------------------------------ */

static void test_ring_full(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct relay_job job;

    share_configure(&appliance->workers[0].store, 1); /* all of it is for one */
    for (unsigned i = 0; i < RELAY_JOBS_PER_RING; i++)
        appliance_silent(clean_mail(appliance));
    sender = clean_mail(appliance);
    appliance_expect(sender, "451 4.4.1 [");
    assert_non_null(strstr(sender->sent, "relay busy"));
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_JOBS), RELAY_JOBS_PER_RING);
    assert_true(peer_relay(&control, 0, &job)); /* one place more */
    appliance_silent(clean_mail(appliance));
    assert_false(control.ended);
    /* A whole ring of answers at once: a poll takes a bounded number of them. */
    for (unsigned i = 0; i < RELAY_JOBS_PER_RING; i++) {
        struct relay_result result = peer_relayed(&job, RELAY_ANSWERED, 250, "ok");

        peer_answer_relay(&control, 0, &result);
        assert_true(peer_relay(&control, 0, &job));
    }
    (void)handover_poll(&appliance->workers[0].handover, appliance->now_ns);
    assert_in_range(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 1, 64);
    for (unsigned i = 0; i < 8; i++)
        appliance_settle(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), RELAY_JOBS_PER_RING);
}

/* However full the sender made it: what control needs to know has its room. */
static void test_envelope_full(void **state)
{
    struct appliance *appliance = *state;
    struct store *store = &appliance->workers[0].store;
    struct tcp_connection *sender = appliance_mail(appliance, 0, "defer.example");
    char filler[MESSAGE_ENVELOPE_FIELD_BYTES] = {0};
    struct scan_result result;
    struct relay_job relay;
    struct scan_job job;
    size_t length = sizeof(filler);

    assert_true(peer_scan(&scanners, 0, 0, &job));
    while (length > 0) {
        struct message *message = message_find(store, job.message, job.generation);

        if (message_envelope_put(store, message, ENVELOPE_HELO, filler, length) != STATUS_OK)
            length /= 2;
    }
    result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
    peer_answer(&scanners, 0, 0, &result);
    appliance_settle(appliance);
    assert_true(peer_relay(&control, 0, &relay));
    answer(appliance, &relay, RELAY_ANSWERED, 250, "2.0.0 Ok");
    appliance_expect(sender, "250 2.0.0 [");
    assert_int_equal(appliance_messages_held(appliance), 0);
}

static void test_no_answer_in_time(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct message_view view;
    struct relay_job job;

    assert_true(peer_relay(&control, 0, &job));
    assert_int_equal(
        message_view_open(&view, &control.region, job.message, job.generation, job.length),
        STATUS_OK);
    appliance_advance(appliance, VERDICT_LIMIT_NS - INT64_C(100000000));
    appliance_silent(sender);
    appliance_advance(appliance, INT64_C(200000000));
    appliance_expect(sender, "451 4.4.1 [");
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_NO_RELAY), 1);
    sender_close(sender);
    appliance_advance(appliance, 10 * VERDICT_LIMIT_NS);
    assert_int_equal(appliance_messages_held(appliance), 1); /* control may still be reading */
    assert_true(message_view_current(&view));
    assert_withdrawn(&job);
    answer(appliance, &job, RELAY_ANSWERED, 250, "2.0.0 too late");
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_UNHEARD), 1);
    assert_int_equal(appliance_messages_held(appliance), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_HAND_OVER_STALE), 0);
    message_view_close(&view);
}

/* The same connection goes on meanwhile; the late answer is not taken for its next mail's. */
static void test_late_answer_and_next_mail(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct relay_job first;
    struct relay_job second;

    assert_true(peer_relay(&control, 0, &first));
    appliance_advance(appliance, VERDICT_LIMIT_NS + INT64_C(100000000));
    appliance_expect(sender, "451 4.4.1 [");
    sender_say(sender, appliance_text("defer.example"));
    (void)sender_heard(sender);
    appliance_settle(appliance);
    clean(appliance);
    assert_withdrawn(&first);
    assert_true(peer_relay(&control, 0, &second));
    answer(appliance, &first, RELAY_ANSWERED, 550, "5.0.0 for the first");
    appliance_silent(sender);
    answer(appliance, &second, RELAY_ANSWERED, 250, "2.0.0 for the second");
    appliance_expect(sender, "250 2.0.0 [");
}

/* Control is told, and stops it in time. */
static void test_sender_leaves_and_it_is_stopped(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct relay_job job;

    assert_true(peer_relay(&control, 0, &job));
    sender_close(sender);
    assert_withdrawn(&job);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_WITHDRAWN), 1);
    assert_int_equal(appliance_messages_held(appliance), 1); /* until control says it is done */
    answer(appliance, &job, RELAY_REFUSED, 451, "4.3.0 withdrawn");
    assert_int_equal(appliance_messages_held(appliance), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_ABANDONED), 1);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_NO_RELAY), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_UNHEARD), 0);
}

/* No room in the ring to say so: it is said as soon as there is. */
static void test_withdrawing_waits_for_room(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = NULL;
    struct relay_job job;
    unsigned withdrawn = 0;

    share_configure(&appliance->workers[0].store, 1); /* all of it is for one */
    for (unsigned i = 0; i < RELAY_JOBS_PER_RING; i++)
        sender = clean_mail(appliance);
    sender_close(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_WITHDRAWN), 0);
    for (unsigned i = 0; i < RELAY_JOBS_PER_RING; i++) {
        assert_true(peer_relay(&control, 0, &job));
        assert_int_equal(job.kind, JOB_RELAY);
    }
    appliance_advance(appliance, INT64_C(200000000));
    while (peer_relay(&control, 0, &job))
        withdrawn += job.kind == JOB_WITHDRAW;
    assert_int_equal(withdrawn, 1);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_WITHDRAWN), 1);
}

/* It is on its way: what becomes of it is counted as what it is. */
static void test_sender_leaves_while_relaying(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender = clean_mail(appliance);
    struct relay_job job;

    sender_close(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_ABANDONED), 0);
    assert_int_equal(appliance_messages_held(appliance), 1);
    assert_true(peer_relay(&control, 0, &job));
    sender = sender_open(&appliance->workers[0].endpoint); /* in the same place */
    answer(appliance, &job, RELAY_ANSWERED, 250, "ok");
    appliance_silent(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_DELIVERED), 1);
    assert_int_equal(appliance_count(appliance, COUNTER_RELAY_UNHEARD), 1);
}

/* What control says of a customer's servers decides at RCPT, for that customer alone, until control
 * says otherwise or is no more. */
static void say_route(struct appliance *appliance, const char *customer, bool down)
{
    struct relay_result news = {.kind = JOB_ROUTE, .code = down};

    (void)snprintf(news.text, sizeof(news.text), "%s", customer);
    peer_answer_relay(&control, 0, &news);
    appliance_settle(appliance);
}

static void test_route_is_down(void **state)
{
    struct appliance *appliance = *state;
    const char *customer = appliance->config.customers[0].name;
    struct tcp_connection *sender = sender_open(&appliance->workers[0].endpoint);
    char rcpt[CONFIG_NAME_BYTES + 32];

    (void)snprintf(rcpt, sizeof(rcpt), "RCPT TO:<a@%s>\r\n",
                   appliance->config.customers[0].domains[0]);
    say_route(appliance, customer, true);
    say_route(appliance, "somebody else", true);
    sender_say(sender, "EHLO x\r\nMAIL FROM:<a@b.example>\r\n");
    (void)sender_heard(sender);
    sender_say(sender, rcpt);
    appliance_expect(sender, "451 4.4.1 <");
    assert_int_equal(appliance_count(appliance, COUNTER_SMTP_ROUTE_DOWN), 1);
    assert_int_equal(appliance_count(appliance, COUNTER_MESSAGE_STARTED), 0);
    say_route(appliance, customer, false);
    sender_say(sender, rcpt);
    appliance_expect(sender, "250 2.1.5");
    say_route(appliance, customer, true);
    appliance_lose(appliance, &control);
    sender_say(sender, rcpt);
    appliance_expect(sender, "250 2.1.5");
    assert_int_equal(appliance_count(appliance, COUNTER_HAND_OVER_STALE), 0);
}

#define HANDOVER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, appliance_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANDOVER_TEST(test_the_customers_words),
        HANDOVER_TEST(test_many_at_once),
        HANDOVER_TEST(test_no_control),
        HANDOVER_TEST(test_hostile_codes),
        HANDOVER_TEST(test_codes_that_close),
        HANDOVER_TEST(test_hostile_text),
        HANDOVER_TEST(test_answers_for_others),
        HANDOVER_TEST(test_kinds),
        HANDOVER_TEST(test_garbled_rings),
        HANDOVER_TEST(test_ring_full),
        HANDOVER_TEST(test_envelope_full),
        HANDOVER_TEST(test_no_answer_in_time),
        HANDOVER_TEST(test_late_answer_and_next_mail),
        HANDOVER_TEST(test_sender_leaves_and_it_is_stopped),
        HANDOVER_TEST(test_withdrawing_waits_for_room),
        HANDOVER_TEST(test_sender_leaves_while_relaying),
        HANDOVER_TEST(test_route_is_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
