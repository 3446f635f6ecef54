/* Connections from their first reply to their last, however they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

/* Every way to end at every point: nothing leaks, each message ends exactly once. */
static void test_endings(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nA: b\r\n\r\nbody\r\n.\r\nNOOP\r\n";

    (void)state;
    for (size_t at = 0; at <= strlen(text); at++) {
        for (int how = 0; how < 3; how++) {
            bool waiting;

            rig_open(&h, NULL);
            rig_send(&h, text, at, SIZE_MAX);
            waiting = h.submitted == 1;
            if (how == 0 && !waiting) {
                pipe_expire(&h.pipe);
                assert_non_null(
                    strstr(h.pipe.sent, "421 4.4.2 mx.example.com Error: timeout exceeded\r\n"));
                assert_true(h.pipe.closed);
            } else if (how == 1) {
                pipe_finish(&h.pipe);
                assert_int_equal(h.pipe.closed, !waiting);
                if (waiting) {
                    assert_true(rig_finish(&h, &delivered));
                    assert_non_null(strstr(h.pipe.sent, "Ok: queued as 9F"));
                    assert_true(h.pipe.closed);
                }
            }
            pipe_close(&h.pipe, TCP_CLOSED_RESET);
            assert_int_equal(h.abandoned, waiting && how != 1);
            if (h.concluded > 0)
                assert_int_equal(h.outcome, MAIL_CUT_OFF);
            assert_int_equal(h.concluded, !waiting && strstr(h.pipe.sent, RCPT_OK) != NULL);
            rig_close(&h);
            assert_true(rig_store_full(&h));
        }
    }
}

/* A peer that does not acknowledge stops being read; nothing is lost when it does. */
static void test_stalled_replies(void **state)
{
    (void)state;
    rig_open(&h, NULL);
    h.pipe.hold_acks = true;
    for (unsigned i = 0; i < 2000; i++)
        rig_send(&h, "NOOP\r\n", 6, 6);
    assert_true(h.pipe.sent_length < TCP_SEND_BYTES - 6000);
    assert_true(h.pipe.readable > 6000);
    pipe_acknowledge(&h.pipe, h.pipe.sent_length / 2);
    h.pipe.hold_acks = false;
    pipe_acknowledge(&h.pipe, h.pipe.sent_length - h.pipe.acknowledged);
    say("QUIT\r\n");
    assert_int_equal(h.pipe.readable, 0);
    assert_int_equal(h.pipe.sent_length, strlen(BANNER) + 2000 * strlen(OK) + strlen(BYE));
    rig_close(&h);
}

/* Not one block left for replies: what has to be said is said later, in order. */
static void test_no_reply_block(void **state)
{
    char expected[2048];

    (void)state;
    rig_open(&h, NULL);
    h.pipe.send_blocked = true;
    say("EHLO c.example\r\n");
    assert_string_equal(h.pipe.sent, BANNER);
    h.pipe.send_blocked = false;
    pipe_acknowledge(&h.pipe, 0);
    assert_string_equal(h.pipe.sent, BANNER EHLO_REPLY);
    say("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n.\r\nNOOP\r\n");
    h.pipe.send_blocked = true;
    assert_true(rig_finish(&h, &delivered));
    assert_string_equal(h.pipe.sent, BANNER EHLO_REPLY MAIL_OK RCPT_OK GO_AHEAD);
    h.pipe.send_blocked = false;
    pipe_acknowledge(&h.pipe, 0);
    (void)snprintf(expected, sizeof(expected),
                   BANNER EHLO_REPLY MAIL_OK RCPT_OK GO_AHEAD
                   "250 2.0.0 [%s] Ok: queued as 9F\r\n" OK,
                   h.messages[0].id);
    assert_string_equal(h.pipe.sent, expected);
    assert_false(h.pipe.aborted);
    rig_close(&h);
}

static void test_draining(void **state)
{
    (void)state;
    /* Between messages: told at once. */
    rig_open(&h, NULL);
    say("EHLO c\r\n");
    smtp_server_drain(&h.server, h.pipe.now_ns);
    assert_string_equal(h.pipe.sent, BANNER EHLO_REPLY DRAINED);
    assert_true(h.pipe.closed);
    rig_close(&h);
    /* A message under way is finished and answered first. */
    h.server.draining = false;
    rig_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    smtp_server_drain(&h.server, h.pipe.now_ns);
    assert_false(h.pipe.closed);
    say("x\r\n.\r\n");
    smtp_server_drain(&h.server, h.pipe.now_ns);
    assert_false(h.pipe.closed);
    assert_true(rig_finish(&h, &delivered));
    assert_non_null(strstr(h.pipe.sent, "queued as 9F\r\n" DRAINED));
    assert_true(h.pipe.closed);
    rig_close(&h);
    /* An answer that finds no block is said before the end. */
    h.server.draining = false;
    rig_open(&h, NULL);
    say(TO_ALICE "DATA\r\n.\r\n");
    h.pipe.send_blocked = true;
    assert_true(rig_finish(&h, &delivered));
    smtp_server_drain(&h.server, h.pipe.now_ns);
    assert_false(h.pipe.closed);
    h.pipe.send_blocked = false;
    pipe_acknowledge(&h.pipe, 0);
    smtp_server_drain(&h.server, h.pipe.now_ns);
    assert_non_null(strstr(h.pipe.sent, "queued as 9F\r\n" DRAINED));
    assert_true(h.pipe.closed);
    rig_close(&h);
    /* No new transaction, no new connection. */
    h.server.draining = false;
    rig_open(&h, NULL);
    say(TO_ALICE);
    smtp_server_drain(&h.server, h.pipe.now_ns);
    say("RSET\r\nMAIL FROM:<a@b.c>\r\n");
    assert_string_equal(h.pipe.sent, TO_ALICE_REPLY OK SHUTTING_DOWN);
    assert_true(h.pipe.closed);
    rig_close(&h);
    dialogue("QUIT\r\n", SHUTTING_DOWN);
    assert_string_equal(h.rejected, "CONNECT|||421 4.3.2 Service shutting down, try again later");
    h.server.draining = false;
}

/* A byte every ten seconds never lets data_timeout pass, and is cut off all the same once the
 * average has been below data_rate for too long; a sender at twice the rate is not. */
static void test_slow_data(void **state)
{
    static const char start[] = TO_ALICE "DATA\r\nA: b\r\n\r\n";
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567890\r\n";
    int64_t started_ns;
    unsigned bytes = 0;

    (void)state;
    h.config.limits.data_rate = 10;
    rig_open(&h, NULL);
    rig_send(&h, start, strlen(start), SIZE_MAX);
    started_ns = h.pipe.now_ns;
    while (h.pipe.deadline_ns - h.pipe.now_ns > 10 * SECOND_NS) {
        h.pipe.now_ns += 10 * SECOND_NS;
        rig_send(&h, "x", 1, SIZE_MAX);
        assert_true(++bytes < 100);
    }
    assert_true(h.pipe.deadline_ns - started_ns < 184 * SECOND_NS);
    pipe_expire(&h.pipe);
    assert_non_null(strstr(h.pipe.sent, "421 4.4.2"));
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    rig_close(&h);

    rig_open(&h, NULL);
    rig_send(&h, start, strlen(start), SIZE_MAX);
    for (unsigned i = 0; i < 150; i++) {
        h.pipe.now_ns += 3 * SECOND_NS;
        rig_send(&h, line, strlen(line), SIZE_MAX);
        assert_true(h.pipe.deadline_ns - h.pipe.now_ns > 170 * SECOND_NS);
    }
    rig_send(&h, ".\r\n", 3, SIZE_MAX);
    assert_int_equal(h.submitted, 1);
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
}

/* Sends a byte every ten seconds until time is up; returns how long that took. */
static int64_t trickle(void)
{
    int64_t from_ns = h.pipe.now_ns;

    while (h.pipe.deadline_ns - h.pipe.now_ns > 10 * SECOND_NS) {
        h.pipe.now_ns += 10 * SECOND_NS;
        rig_send(&h, "x", 1, SIZE_MAX);
        assert_true(h.pipe.now_ns - from_ns < 1000 * SECOND_NS);
    }
    return h.pipe.now_ns - from_ns;
}

/* What was sent fast buys no time for trickling afterwards. */
static void test_fast_then_slow(void **state)
{
    static char lines[9000];

    (void)state;
    h.config.limits.data_rate = 10; /* at which these 9000 bytes were 15 minutes */
    for (size_t i = 0; i < sizeof(lines); i++)
        lines[i] = "0123456789012345678901234567890123456789012345678901234567890\r\n"[i % 63];
    rig_open(&h, NULL);
    rig_send(&h, TO_ALICE "DATA\r\n", strlen(TO_ALICE "DATA\r\n"), SIZE_MAX);
    rig_send(&h, lines, 63 * 140, 1000);
    assert_true(trickle() < 184 * SECOND_NS);
    pipe_expire(&h.pipe);
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    rig_close(&h);
}

#define UNKNOWN_USER "RCPT TO:<mallory@example.org>\r\n"
#define USER_REFUSED "550 5.1.1 <mallory@example.org>: Recipient address rejected: User unknown\r\n"
#define NO_MORE      "421 4.7.0 mx.example.com Error: too many unknown recipients\r\n"

/* Recipients that are refused for good are bad commands. */
static void test_harvest_in_a_connection(void **state)
{
    (void)state;
    rig_open(&h, NULL);
    say("EHLO c\r\nMAIL FROM:<>\r\n" UNKNOWN_USER UNKNOWN_USER UNKNOWN_USER UNKNOWN_USER
            UNKNOWN_USER UNKNOWN_USER UNKNOWN_USER);
    assert_string_equal(h.pipe.sent, BANNER EHLO_REPLY MAIL_OK USER_REFUSED USER_REFUSED
                                         USER_REFUSED USER_REFUSED USER_REFUSED NO_MORE);
    assert_int_equal(h.rejections, 5);
    assert_true(h.pipe.closed);
    rig_close(&h);
}

/* What a client asked for in vain is remembered over its connections. Past the bound nothing tells
 * recipients that exist from those that do not. */
static void test_harvest_over_connections(void **state)
{
    (void)state;
    h.config.limits.invalid_recipients = 4;
    for (unsigned round = 0; round < 2; round++) {
        rig_open(&h, NULL);
        say("EHLO c\r\nMAIL FROM:<>\r\n" UNKNOWN_USER "RCPT TO:<x@elsewhere.example>\r\n");
        assert_int_equal(h.rejections, 2);
        assert_false(h.pipe.closed);
        rig_close(&h);
    }
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_INVALID_RECIPIENTS], 4);
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_HARVESTS_CLOSED], 0);
    for (unsigned round = 1; round <= 2; round++) {
        rig_open(&h, NULL);
        say(round == 1 ? TO_ALICE : "EHLO c.example\r\nMAIL FROM:<>\r\n" UNKNOWN_USER);
        assert_string_equal(h.pipe.sent, BANNER EHLO_REPLY MAIL_OK NO_MORE);
        assert_true(h.pipe.closed);
        assert_int_equal(h.rejections, 1);
        assert_non_null(strstr(h.rejected, round == 1 ? "|alice@example.com|421 4.7.0 "
                                                      : "|mallory@example.org|421 4.7.0 "));
        rig_close(&h);
        assert_int_equal(h.server.counters->value[COUNTER_SMTP_HARVESTS_CLOSED], round);
    }
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_INVALID_RECIPIENTS], 4);
}

/* The one too many may come behind recipients that were taken: their message ends with it. */
static void test_harvest_behind_a_recipient(void **state)
{
    (void)state;
    h.config.limits.invalid_recipients = 1;
    rig_open(&h, NULL);
    say("EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n" UNKNOWN_USER
            UNKNOWN_USER);
    assert_string_equal(h.pipe.sent, BANNER EHLO_REPLY MAIL_OK RCPT_OK USER_REFUSED NO_MORE);
    assert_int_equal(h.concluded, 1);
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    assert_string_equal(h.status, "421 4.7.0 Too many unknown recipients");
    rig_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(test_harvest_in_a_connection),
        DIALOGUE_TEST(test_harvest_over_connections),
        DIALOGUE_TEST(test_harvest_behind_a_recipient),
        DIALOGUE_TEST(test_endings),
        DIALOGUE_TEST(test_stalled_replies),
        DIALOGUE_TEST(test_no_reply_block),
        DIALOGUE_TEST(test_draining),
        DIALOGUE_TEST(test_slow_data),
        DIALOGUE_TEST(test_fast_then_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
