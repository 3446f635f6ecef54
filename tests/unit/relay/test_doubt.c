/* A "no" to the sender is a "no": what was withdrawn, or has no time left, is not delivered; what
 * was said too early is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "tests/unit/relay/rig.h"

#define GREETED "[\"send\", \"220 hello\\r\\n\"], [\"line\", 1], [\"send\", \"250 hello\\r\\n\"], "
#define ENVELOPED                                                          \
    GREETED "[\"line\", 1], [\"send\", \"250 ok\\r\\n\"], [\"line\", 1], " \
            "[\"send\", \"250 ok\\r\\n\"], [\"line\", 1], "
#define ASKED ENVELOPED "[\"send\", \"354 go on\\r\\n\"], "
#define TAKEN ASKED "[\"data\"], "

static const char simple[] = "Subject: hello\r\n\r\nhello\r\n";

/* Lines of 78 bytes. */
static char *large_body(size_t lines)
{
    char *body = malloc(lines * 80);

    assert_non_null(body);
    memset(body, 'a', lines * 80);
    for (size_t i = 0; i < lines; i++) {
        body[i * 80 + 78] = '\r';
        body[i * 80 + 79] = '\n';
    }
    return body;
}

static struct transaction *begin(struct rig *rig, const struct rig_mail *mail,
                                 struct message **message, int64_t time_ns)
{
    struct relay_job job;

    *message = rig_message(rig, mail, &job);
    job.deadline_ns = time_ns == 0 ? 0 : loop_now_ns(&rig->loop) + time_ns;
    rig_submit(rig, &job);
    return rig_transaction(rig, *message);
}

static void run_until(struct rig *rig, enum dialogue_state state)
{
    const struct dialogue *dialogue = NULL;

    for (unsigned i = 0; i < 2000; i++) {
        dialogue = rig->relay->routes->dialogues;
        if (dialogue != NULL && dialogue->state == state)
            return;
        rig_run(rig, 3);
    }
    fail_msg("the dialogue never came to state %d", (int)state);
}

static void assert_nothing_delivered(struct rig *rig)
{
    size_t length;

    rig_run(rig, 100);
    assert_null(rig_file(rig, "message.0", &length));
    assert_int_equal(rig->relay->routes->connection_count, 0);
}

/* Before the end of data: answered at once, the connection gone, nothing delivered. */
static void assert_withdrawn_in(const char *json, enum dialogue_state state, const void *body,
                                size_t length)
{
    struct rig rig;
    struct rig_mail mail = {.body = body, .length = length};
    struct message *message;

    rig_open(&rig);
    rig_serve(&rig, json, 0);
    (void)begin(&rig, &mail, &message, 0);
    run_until(&rig, state);
    relay_withdraw(rig_transaction(&rig, message), loop_now_ns(&rig.loop));
    assert_int_equal(rig.answered, 1);
    assert_int_equal(rig.results[0].outcome, RELAY_REFUSED);
    assert_int_equal(rig.results[0].code, 451);
    message_give(&rig.store, message);
    assert_nothing_delivered(&rig);
    assert_int_equal(rig.relay->routes->counts.in_doubt, 0);
    rig_close(&rig);
}

static void test_withdrawn_before_the_end(void **state)
{
    enum { LINES = 50000 };
    char *body = large_body(LINES);

    (void)state;
    assert_withdrawn_in("[[[\"hang\"]]]", DIALOGUE_GREETING, simple, sizeof(simple) - 1);
    assert_withdrawn_in("[[" GREETED "[\"hang\"]]]", DIALOGUE_ENVELOPE, simple, sizeof(simple) - 1);
    assert_withdrawn_in("[[" ENVELOPED "[\"hang\"]]]", DIALOGUE_DATA, simple, sizeof(simple) - 1);
    assert_withdrawn_in("{\"buffer\": 4096, \"scripts\": [[" ASKED
                        "[\"wait\", 0.5], [\"data\"], [\"send\", \"250 taken\\r\\n\"]]]}",
                        DIALOGUE_BODY, body, LINES * 80);
    free(body);
}

static void test_withdrawn_while_it_waits(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct message *messages[2];
    struct transaction *second;

    (void)state;
    rig_open(&rig);
    rig.customer.route.connections = 1;
    rig_serve(&rig, "[[" GREETED "[\"hang\"]]]", 0);
    (void)begin(&rig, &mail, &messages[0], 0);
    run_until(&rig, DIALOGUE_ENVELOPE);
    second = begin(&rig, &mail, &messages[1], 0);
    assert_int_equal(rig.relay->routes->waiting.count, 1);
    relay_withdraw(second, loop_now_ns(&rig.loop));
    assert_int_equal(rig.answered, 1);
    assert_int_equal(rig.results[0].outcome, RELAY_REFUSED);
    assert_int_equal(rig.relay->routes->waiting.count, 0);
    rig_close(&rig);
}

/* After it the server may have taken the message: its word is waited for. */
static void test_withdrawn_after_the_end(void **state)
{
    struct rig rig;
    struct rig_mail mail = {.body = simple, .length = sizeof(simple) - 1};
    struct message *message;

    (void)state;
    rig_open(&rig);
    rig_serve(&rig, "[[" TAKEN "[\"wait\", 0.3], [\"send\", \"250 taken\\r\\n\"]]]", 0);
    (void)begin(&rig, &mail, &message, 0);
    run_until(&rig, DIALOGUE_ANSWER);
    relay_withdraw(rig_transaction(&rig, message), loop_now_ns(&rig.loop));
    assert_int_equal(rig.answered, 0);
    rig_wait(&rig, 1);
    assert_int_equal(rig.results[0].code, 250);
    rig_assert_message(&rig, 0, simple, sizeof(simple) - 1);
    rig_close(&rig);
}

/* Ours is the first clock to ring: there is an answer before the deadline, and no delivery after.
 * The server stops, or goes slowly, in `state`; the time it has is the test's. */
static void assert_in_time(const char *json, enum dialogue_state state, const void *body,
                           size_t length, unsigned in_doubt)
{
    struct rig rig;
    struct rig_mail mail = {.body = body, .length = length};
    struct message *message;
    int64_t deadline_ns;

    rig_open(&rig);
    rig_serve(&rig, json, 0);
    rig_stop_time(&rig);
    deadline_ns = rig.time_ns + 4 * CLOCK_NS_PER_SECOND;
    (void)begin(&rig, &mail, &message, 4 * CLOCK_NS_PER_SECOND);
    run_until(&rig, state);
    while (rig.answered == 0) {
        rig_pass(&rig, 10 * CLOCK_NS_PER_MS);
        rig_run(&rig, 1);
    }
    assert_true(rig.time_ns < deadline_ns);
    assert_int_equal(rig.results[0].code, 451);
    message_give(&rig.store, message);
    if (in_doubt == 0)
        assert_nothing_delivered(&rig);
    assert_int_equal(rig.relay->routes->counts.in_doubt, in_doubt);
    /* Nothing of it was the server's being away. */
    assert_false(rig.relay->routes->servers[0].down);
    rig_close(&rig);
}

static void test_deadline(void **state)
{
    enum { LINES = 50000 };
    char *body = large_body(LINES);
    const size_t length = sizeof(simple) - 1;

    (void)state;
    assert_in_time("[[[\"hang\"]]]", DIALOGUE_GREETING, simple, length, 0);
    assert_in_time("[[" GREETED "[\"hang\"]]]", DIALOGUE_ENVELOPE, simple, length, 0);
    assert_in_time("[[" ENVELOPED "[\"hang\"]]]", DIALOGUE_DATA, simple, length, 0);
    /* A server that reads 32 KB a second holds 4 MB no longer than the sender waits. */
    assert_in_time("{\"buffer\": 4096, \"scripts\": [[" ASKED "[\"slow\", 32768]]]}", DIALOGUE_BODY,
                   body, LINES * 80, 0);
    assert_in_time("[[" TAKEN "[\"hang\"]]]", DIALOGUE_ANSWER, simple, length, 1);
    free(body);
}

/* The server says 250 while most of the message is still in our kernel. It cannot mean it. */
static void test_premature_acceptance(void **state)
{
    enum { LINES = 4000 };
    char *body = large_body(LINES);
    struct rig rig;
    struct rig_mail mail = {.body = body, .length = LINES * 80};

    (void)state;
    rig_open(&rig);
    rig_serve(&rig,
              "{\"buffer\": 4096, \"scripts\": [[" ASKED
              "[\"wait\", 0.3], [\"send\", \"250 early\\r\\n\"], [\"wait\", 1], [\"data\"], "
              "[\"send\", \"250 late\\r\\n\"], [\"hang\"]], "
              "[" TAKEN "[\"send\", \"250 second\\r\\n\"]]]}",
              0);
    assert_int_equal(rig_send(&rig, &mail)->outcome, RELAY_BROKEN);
    assert_non_null(strstr(rig.results[0].text, "before it had the whole message"));
    assert_int_equal(rig.relay->routes->counts.in_doubt, 1);
    mail = (struct rig_mail){.body = simple, .length = sizeof(simple) - 1};
    assert_string_equal(rig_send(&rig, &mail)->text, "second");
    assert_int_equal(rig_connections(&rig), 2);
    rig_close(&rig);
    free(body);
}

/* A refusal stands, whenever it comes; the connection does not. */
static void test_premature_refusal(void **state)
{
    enum { LINES = 4000 };
    char *body = large_body(LINES);
    struct rig rig;
    struct rig_mail mail = {.body = body, .length = LINES * 80};

    (void)state;
    rig_open(&rig);
    rig_serve(
        &rig,
        "{\"buffer\": 4096, \"scripts\": [[" ASKED
        "[\"wait\", 0.3], [\"send\", \"552 5.3.4 Too much\\r\\n\"], [\"wait\", 1], [\"hang\"]]]}",
        0);
    assert_int_equal(rig_send(&rig, &mail)->code, 552);
    rig_run(&rig, 20);
    assert_int_equal(rig.relay->routes->connection_count, 0);
    rig_close(&rig);
    free(body);
}

/* -- answers in each window (belief.h) --------------------------------------------------------- */

static const struct rig_mail small = {.body = simple, .length = sizeof(simple) - 1};

static void assert_next_is_served(struct rig *rig, unsigned n)
{
    const struct relay_result *result = rig_send(rig, &small);

    assert_string_equal(result->text, "second");
    assert_int_equal(result->code, 250);
    assert_int_equal(rig_connections(rig), 2);
    rig_assert_message(rig, n, simple, sizeof(simple) - 1);
}

/* The first connection follows `script` for one message; the second takes all that come. */
static const struct relay_result *answer_by(struct rig *rig, const char *script)
{
    char json[1024];

    rig_open(rig);
    (void)snprintf(json, sizeof(json), "[[%s], [" TAKEN "[\"send\", \"250 second\\r\\n\"]]]",
                   script);
    rig_serve(rig, json, 0);
    return rig_send(rig, &small);
}

/* With the 354, and while the end of data is not said yet: it is not said, and there is no doubt.
 */
static void test_answer_before_the_end(void **state)
{
    struct rig rig;
    size_t length;

    (void)state;
    assert_int_equal(
        answer_by(&rig, ENVELOPED "[\"send\", \"354 go on\\r\\n250 early\\r\\n\"], [\"data\"]")
            ->outcome,
        RELAY_BROKEN);
    assert_non_null(strstr(rig.results[0].text, "out of turn"));
    assert_int_equal(rig.relay->routes->counts.in_doubt, 0);
    assert_null(rig_file(&rig, "message.0", &length));
    assert_next_is_served(&rig, 0);
    rig_close(&rig);
}

/* All of the message has left, the end of data has not, and the answer is there: the last look
 * before the end sees it, whichever of the two the loop hears of first. */
static void test_answer_at_the_last_look(void **state)
{
    struct rig rig;
    struct message *message;
    size_t length;

    (void)state;
    rig_open(&rig);
    rig_serve(&rig,
              "[[" ASKED "[\"wait\", 0.8], [\"send\", \"250 early\\r\\n\"], [\"data\"]], [" TAKEN
              "[\"send\", \"250 second\\r\\n\"]]]",
              0);
    (void)begin(&rig, &small, &message, 0);
    while (rig.relay->routes->dialogues == NULL ||
           rig.relay->routes->dialogues->state != DIALOGUE_BODY)
        (void)event_base_loop(rig.loop.base, EVLOOP_ONCE);
    while (connection_silent(&rig.relay->routes->dialogues->connection))
        (void)usleep(1000); /* the loop stands still */
    rig_wait(&rig, 1);
    assert_int_equal(rig.results[0].outcome, RELAY_BROKEN);
    assert_int_equal(rig.relay->routes->counts.in_doubt, 0);
    message_give(&rig.store, message);
    assert_null(rig_file(&rig, "message.0", &length));
    assert_next_is_served(&rig, 0);
    rig_close(&rig);
}

/* Two answers to one end of data: neither is known to be the one. */
static void test_two_answers(void **state)
{
    struct rig rig;

    (void)state;
    assert_int_equal(
        answer_by(&rig, TAKEN "[\"send\", \"250 one\\r\\n250 two\\r\\n\"], [\"hang\"]")->outcome,
        RELAY_BROKEN);
    assert_int_equal(rig.relay->routes->counts.in_doubt, 1);
    assert_next_is_served(&rig, 1);
    rig_close(&rig);
    assert_int_equal(
        answer_by(&rig, TAKEN "[\"send\", \"550 no\\r\\n250 yes\\r\\n\"], [\"hang\"]")->code, 550);
    assert_int_equal(rig.relay->routes->counts.in_doubt, 0);
    assert_next_is_served(&rig, 1);
    rig_close(&rig);
    /* The second says goodbye. */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            answer_by(&rig, i == 0 ? TAKEN "[\"send\", \"250 one\\r\\n421 bye\\r\\n\"], [\"hang\"]"
                                   : TAKEN "[\"send\", \"250 one\\r\\n221 bye\\r\\n\"], [\"hang\"]")
                ->code,
            250);
        assert_int_equal(rig.relay->routes->counts.in_doubt, 0);
        assert_next_is_served(&rig, 1);
        rig_close(&rig);
    }
}

/* The server's TCP has all, its program has read nothing, and says 250: that is believed, and what
 * it says later answers for no other message, however the next one finds it. */
#define UNREAD ASKED "[\"wait\", 0.8], [\"send\", \"250 early\\r\\n\"], [\"data\"], "

static void assert_left_over(const char *script, unsigned pause_ms)
{
    struct rig rig;

    assert_string_equal(answer_by(&rig, script)->text, "early");
    rig_run(&rig, pause_ms);
    assert_next_is_served(&rig, 1);
    assert_int_equal(rig.relay->routes->counts.delivered, 2);
    rig_close(&rig);
}

static void test_left_over(void **state)
{
    (void)state;
    /* While the connection rests. */
    assert_left_over(UNREAD "[\"send\", \"550 late\\r\\n\"], [\"hang\"]", 300);
    /* In place of the answer to MAIL. */
    assert_left_over(UNREAD "[\"line\", 1], [\"send\", \"550 late\\r\\n\"], [\"hang\"]", 0);
    assert_left_over(UNREAD "[\"line\", 1], [\"send\", \"421 late\\r\\n\"], [\"hang\"]", 0);
    /* The same, and every later answer moves one on: DATA gets RCPT's. */
    assert_left_over(
        UNREAD "[\"line\", 1], [\"send\", \"250 late\\r\\n\"], [\"line\", 1], [\"send\", "
               "\"250 mail\\r\\n\"], [\"line\", 1], [\"send\", \"250 rcpt\\r\\n\"], [\"hang\"]",
        0);
    /* Or they come together. */
    assert_left_over(UNREAD
                     "[\"line\", 1], [\"send\", \"250 late\\r\\n\"], [\"line\", 1], [\"send\", "
                     "\"250 mail\\r\\n250 rcpt\\r\\n\"], [\"hang\"]",
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_withdrawn_before_the_end),
        cmocka_unit_test(test_withdrawn_while_it_waits),
        cmocka_unit_test(test_withdrawn_after_the_end),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_premature_acceptance),
        cmocka_unit_test(test_premature_refusal),
        cmocka_unit_test(test_answer_before_the_end),
        cmocka_unit_test(test_answer_at_the_last_look),
        cmocka_unit_test(test_two_answers),
        cmocka_unit_test(test_left_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
