/* Commands: what is answered to each, whole and cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

static const struct {
    const char *client;
    const char *server;
} dialogues[] = {
    {"QUIT\r\n", BANNER BYE},
    {"quit  \r\n", BANNER BYE},
    {"HELO c.example\r\nQUIT\r\n", BANNER "250 mx.example.com\r\n" BYE},
    {"EHLO [192.0.2.1]\r\nQUIT\r\n", BANNER EHLO_REPLY BYE},
    {"EHLO [IPv6:2001:db8::1]\r\nQUIT\r\n", BANNER EHLO_REPLY BYE},
    {"EHLO\r\nQUIT\r\n", BANNER "501 Syntax: EHLO hostname\r\n" BYE},
    {"EHLO a b\r\nHELO a(b)\r\nQUIT\r\n", BANNER EHLO_REPLY "250 mx.example.com\r\n" BYE},
    {"NOOP\r\nNOOP what ever\r\nRSET\r\nVRFY bob\r\nQUIT\r\n",
     BANNER OK OK OK "252 2.5.2 Cannot verify; send some mail and see\r\n" BYE},
    {"RSET x\r\nVRFY\r\nQUIT x\r\nQUIT\r\n",
     BANNER "501 5.5.4 Syntax: RSET\r\n501 5.5.4 Syntax: VRFY address\r\n"
            "501 5.5.4 Syntax: QUIT\r\n" BYE},
    {"STARTTLS\r\nAUTH PLAIN\r\nBDAT 3 LAST\r\nHELP\r\nQUIT\r\n",
     BANNER "502 5.5.1 Command not implemented\r\n502 5.5.1 Command not implemented\r\n"
            "502 5.5.1 Command not implemented\r\n502 5.5.1 Command not implemented\r\n" BYE},
    {"FOO\r\nMAILFROM <a@b>\r\n\r\n  \r\nQUIT\r\n", BANNER
     "500 5.5.1 Command unrecognized\r\n500 5.5.1 Command unrecognized\r\n" GARBLED GARBLED BYE},
    {"NO\rOP\r\n\tNOOP\r\n\x16\x03\r\nQUIT\r\n", BANNER GARBLED GARBLED FOREIGN},
    /* Each LF is answered, none ends a command. */
    {"EHLO c\nMAIL FROM:<>\nQUIT\n", BANNER GARBLED GARBLED GARBLED},
    {"NOOP\nQUIT\r\nQUIT\r\n", BANNER GARBLED GARBLED BYE},
    {"NOOP\n\r\n\n\n\r\nQUIT\r\n", BANNER GARBLED GARBLED GARBLED GARBLED GARBLED BYE},
    {"NOOP\nNOOP\r\rQUIT\r\nQUIT\r\n", BANNER GARBLED GARBLED BYE},
    {"A\nA\nA\nA\nA\nA\nA\n", BANNER GARBLED GARBLED GARBLED GARBLED GARBLED
     "421 4.7.0 mx.example.com Error: too many errors\r\n"},
    {"POST / HTTP/1.1\r\nHost: mx\r\nQUIT\r\n", BANNER FOREIGN},
    {"get /\r\nQUIT\r\n", BANNER FOREIGN},
    {"CONNECT mx:25 HTTP/1.1\r\nQUIT\r\n", BANNER FOREIGN},
    {"GETS\r\nPOS\r\nQUIT\r\n", BANNER UNKNOWN UNKNOWN BYE},
    {"Subject: x\r\nQUIT\r\n", BANNER FOREIGN},
    {"\x16\x03\x01\x02", BANNER FOREIGN},
    {"\x16\x04\n", BANNER GARBLED},
    {"EHLO c\r\n\x16\x03\x01\n", BANNER EHLO_REPLY GARBLED},
    {TO_ALICE "GET /\r\nQUIT\r\n", TO_ALICE_REPLY FOREIGN},
    {"MAIL FROM:<a@b.c>\r\nRCPT TO:<alice@example.com>\r\nDATA\r\nQUIT\r\n",
     BANNER "503 5.5.1 Error: send EHLO or HELO first\r\n503 5.5.1 Error: need MAIL command\r\n"
            "503 5.5.1 Error: need MAIL and RCPT commands\r\n" BYE},
    {"EHLO c\r\nMAIL FROM:<a@b.c>\r\nDATA\r\nMAIL FROM:<a@b.c>\r\nQUIT\r\n",
     BANNER EHLO_REPLY MAIL_OK "554 5.5.1 Error: no valid recipients\r\n"
                               "503 5.5.1 Error: nested MAIL command\r\n" BYE},
    {"EHLO c\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM: <a@b.c>  SIZE=10000 body=8bitmime\r\nRSET\r\n"
     "MAIL FROM:<@r.example,@q.example:a@b.c> BODY=7BIT\r\nQUIT\r\n",
     BANNER EHLO_REPLY MAIL_OK OK MAIL_OK OK MAIL_OK BYE},
    {"EHLO c\r\nMAIL FROM:<a@b.c> SIZE=10001\r\nMAIL FROM:<a@b.c> "
     "SIZE=99999999999999999999\r\nQUIT\r\n",
     BANNER EHLO_REPLY TOO_LARGE TOO_LARGE BYE},
    {"EHLO c\r\nMAIL FROM:<a@b.c> SIZE=1 SIZE=1\r\nMAIL FROM:<a@b.c> SIZE=\r\n"
     "MAIL FROM:<a@b.c> SIZE=1x\r\nQUIT\r\n",
     BANNER EHLO_REPLY BAD_SIZE BAD_SIZE BAD_SIZE BYE},
    {"EHLO c\r\nMAIL FROM:<a@b.c> BODY=BINARYMIME\r\nMAIL FROM:<a@b.c> BODY=7BIT BODY=7BIT\r\n"
     "MAIL FROM:<a@b.c> SMTPUTF8\r\nMAIL FROM:<a@b.c>SIZE=1\r\nQUIT\r\n",
     BANNER EHLO_REPLY "501 5.5.4 Syntax: bad or repeated BODY\r\n"
                       "501 5.5.4 Syntax: bad or repeated BODY\r\n"
                       "555 5.5.4 Unsupported parameter\r\n"
                       "501 5.5.4 Syntax: text after the address\r\n" BYE},
    {"EHLO c\r\nMAIL FROM:a@b@c\r\nMAIL FROM:<a@b.c\r\nMAIL FROM:<<a>>\r\nMAIL FROM:<a@>\r\n"
     "MAIL TO:<a@b>\r\nQUIT\r\n",
     BANNER EHLO_REPLY BAD_SENDER BAD_SENDER BAD_SENDER BAD_SENDER
     "501 5.5.4 Syntax: MAIL FROM:<address>\r\n" BYE},
    {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:<alice@>\r\nRCPT TO:alice\r\n"
     "RCPT TO:<a@example.com> RET=HDRS\r\nRCPT TO:<a@example.com> SIZE=1\r\nQUIT\r\n",
     BANNER EHLO_REPLY MAIL_OK BAD_RCPT BAD_RCPT BAD_RCPT
     "555 5.5.4 Unsupported parameter\r\n555 5.5.4 Unsupported parameter\r\n" BYE},
    {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@other.example>\r\nRCPT TO:<a@[192.0.2.1]>\r\n"
     "RCPT TO:<\"a b\"@sub.example.com>\r\nQUIT\r\n",
     BANNER EHLO_REPLY MAIL_OK "554 5.7.1 <a@other.example>: Relay access denied\r\n"
                               "554 5.7.1 <a@[192.0.2.1]>: Relay access denied\r\n"
                               "554 5.7.1 <\"a b\"@sub.example.com>: Relay access denied\r\n" BYE},
    {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a%other.example@example.com>\r\n"
     "RCPT TO:<other.example!a@example.com>\r\nRCPT TO:<\"a@other.example\"@example.com>\r\n"
     "RCPT TO:<@other.example:a@example.com>\r\nQUIT\r\n",
     BANNER EHLO_REPLY MAIL_OK
     "554 5.7.1 <a%other.example@example.com>: Relay access denied\r\n"
     "554 5.7.1 <other.example!a@example.com>: Relay access denied\r\n"
     "554 5.7.1 <\"a@other.example\"@example.com>: Relay access denied\r\n" RCPT_OK BYE},
    {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<mallory@example.org>\r\nRCPT TO:<BOB@Example.ORG>\r\n"
     "RCPT TO:<\"Carol Smith\"@example.org>\r\nRCPT TO:<Postmaster@example.org>\r\nQUIT\r\n",
     BANNER EHLO_REPLY MAIL_OK
     "550 5.1.1 <mallory@example.org>: Recipient address rejected: User unknown\r\n" RCPT_OK RCPT_OK
         RCPT_OK BYE},
    {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nRCPT TO:<bob@example.org>\r\n"
     "RCPT TO:<POSTMASTER>\r\nRCPT TO:<eve@EXAMPLE.NET>\r\nRCPT TO:<x@example.com>\r\nQUIT\r\n",
     BANNER EHLO_REPLY MAIL_OK RCPT_OK "452 4.5.3 <bob@example.org>: Recipients of different "
                                       "customers: send this one separately\r\n" RCPT_OK RCPT_OK
                                       "452 4.5.3 <x@example.com>: Too many recipients\r\n" BYE},
    {TO_ALICE "EHLO c\r\nRCPT TO:<alice@example.com>\r\nDATA x\r\nQUIT\r\n",
     TO_ALICE_REPLY EHLO_REPLY "503 5.5.1 Error: need MAIL command\r\n"
                               "503 5.5.1 Error: need MAIL and RCPT commands\r\n" BYE},
    {TO_ALICE "DATA x\r\nQUIT\r\n", TO_ALICE_REPLY "501 5.5.4 Syntax: DATA\r\n" BYE},
    {"A\r\nA\r\nA\r\nA\r\nA\r\nA\r\nNOOP\r\n", BANNER UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
     "421 4.7.0 mx.example.com Error: too many errors\r\n"},
};

static void test_dialogues(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++)
        dialogue(dialogues[i].client, dialogues[i].server);
}

/* Each dialogue byte by byte, and each byte in a block of its own. */
static void test_dialogues_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        struct pipe_options options = {1 + (uint32_t)i % 3, 16380, TCP_SEND_BYTES};

        rig_open(&h, &options);
        assert_string_equal(converse(dialogues[i].client, strlen(dialogues[i].client), 1 + i % 2),
                            dialogues[i].server);
        rig_close(&h);
        assert_true(rig_store_full(&h));
    }
}

#define NOT_GREETED  "503 5.5.1 Error: send EHLO or HELO first\r\n"
#define NESTED       "503 5.5.1 Error: nested MAIL command\r\n"
#define NO_SENDER    "503 5.5.1 Error: need MAIL command\r\n"
#define NO_ENVELOPE  "503 5.5.1 Error: need MAIL and RCPT commands\r\n"
#define NO_RECIPIENT "554 5.5.1 Error: no valid recipients\r\n"
#define NOT_DONE     "502 5.5.1 Command not implemented\r\n"
#define CANNOT_SAY   "252 2.5.2 Cannot verify; send some mail and see\r\n"
#define HELO_REPLY   "250 mx.example.com\r\n"

/* How to get into each state in which commands are read, and what is said on the way. */
static const struct {
    enum smtp_state state;
    const char *client;
    const char *server;
} ways[] = {
    {SMTP_CONNECTED, "", BANNER},
    {SMTP_GREETED, "EHLO c.example\r\n", BANNER EHLO_REPLY},
    {SMTP_MAIL, "EHLO c.example\r\nMAIL FROM:<s@c.example>\r\n", BANNER EHLO_REPLY MAIL_OK},
    {SMTP_RECIPIENT, TO_ALICE, TO_ALICE_REPLY},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))
_Static_assert(WAYS == SMTP_COMMAND_STATES, "every state in which commands are read");

/* clang-format off */
#define EVERYWHERE(reply, state) {{reply, state}, {reply, state}, {reply, state}, {reply, state}}
/* clang-format on */
#define STAYS SMTP_STATES

/* Every command in every state: its reply, and the state after it. */
static const struct {
    const char *line;
    struct {
        const char *reply;
        enum smtp_state after;
    } expected[WAYS];
} table[] = {
    {"EHLO d\r\n", EVERYWHERE(EHLO_REPLY, SMTP_GREETED)},
    {"HELO d\r\n", EVERYWHERE(HELO_REPLY, SMTP_GREETED)},
    {"EHLO\r\n", EVERYWHERE("501 Syntax: EHLO hostname\r\n", STAYS)},
    {"MAIL FROM:<a@b.c>\r\n",
     {{NOT_GREETED, STAYS}, {MAIL_OK, SMTP_MAIL}, {NESTED, STAYS}, {NESTED, STAYS}}},
    {"MAIL FROM:<a\r\n",
     {{NOT_GREETED, STAYS}, {BAD_SENDER, STAYS}, {NESTED, STAYS}, {NESTED, STAYS}}},
    {"RCPT TO:<bob@example.com>\r\n",
     {{NO_SENDER, STAYS}, {NO_SENDER, STAYS}, {RCPT_OK, SMTP_RECIPIENT}, {RCPT_OK, STAYS}}},
    {"RCPT TO:<>\r\n",
     {{NO_SENDER, STAYS}, {NO_SENDER, STAYS}, {BAD_RCPT, STAYS}, {BAD_RCPT, STAYS}}},
    {"DATA\r\n",
     {{NO_ENVELOPE, STAYS}, {NO_ENVELOPE, STAYS}, {NO_RECIPIENT, STAYS}, {GO_AHEAD, SMTP_DATA}}},
    {"RSET\r\n", {{OK, STAYS}, {OK, STAYS}, {OK, SMTP_GREETED}, {OK, SMTP_GREETED}}},
    {"NOOP x\r\n", EVERYWHERE(OK, STAYS)},
    {"VRFY a\r\n", EVERYWHERE(CANNOT_SAY, STAYS)},
    {"STARTTLS\r\n", EVERYWHERE(NOT_DONE, STAYS)},
    {"AUTH PLAIN\r\n", EVERYWHERE(NOT_DONE, STAYS)},
    {"BDAT 3\r\n", EVERYWHERE(NOT_DONE, STAYS)},
    {"EXPN a\r\n", EVERYWHERE(NOT_DONE, STAYS)},
    {"HELP\r\n", EVERYWHERE(NOT_DONE, STAYS)},
    {"ETRN a\r\n", EVERYWHERE(NOT_DONE, STAYS)},
    {"FOO\r\n", EVERYWHERE(UNKNOWN, STAYS)},
    {"\r\n", EVERYWHERE(GARBLED, STAYS)},
    {"QUIT\r\n", EVERYWHERE(BYE, SMTP_CLOSING)},
};

static void test_every_command_in_every_state(void **state)
{
    char expected[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (size_t way = 0; way < WAYS; way++) {
            const struct smtp_session *session;
            enum smtp_state after = table[i].expected[way].after;

            rig_open(&h, NULL);
            say(ways[way].client);
            session = stream_session(tcp_session(&h.pipe));
            assert_int_equal(session->state, ways[way].state);
            say(table[i].line);
            (void)snprintf(expected, sizeof(expected), "%s%s", ways[way].server,
                           table[i].expected[way].reply);
            assert_string_equal(h.pipe.sent, expected);
            assert_int_equal(session->state, after == STAYS ? ways[way].state : after);
            assert_int_equal(session->message != NULL,
                             session->state == SMTP_RECIPIENT || session->state == SMTP_DATA);
            rig_close(&h);
            assert_true(rig_store_full(&h));
        }
    }
}

/* Where no command is read, none is answered: in DATA and DISCARD it is text, in WAITING it waits,
 * in CLOSING nobody listens. */
static void test_no_command_elsewhere(void **state)
{
    const struct smtp_session *session;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        rig_open(&h, NULL);
        session = stream_session(tcp_session(&h.pipe));
        say(TO_ALICE "DATA\r\n");
        say(table[i].line);
        assert_int_equal(session->state, SMTP_DATA);
        assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD);
        say("\n");
        assert_int_equal(session->state, SMTP_DISCARD);
        say(table[i].line);
        assert_int_equal(session->state, SMTP_DISCARD);
        assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD);
        rig_close(&h);

        rig_open(&h, NULL);
        session = stream_session(tcp_session(&h.pipe));
        say(TO_ALICE "DATA\r\n.\r\n");
        say(table[i].line);
        assert_int_equal(session->state, SMTP_WAITING);
        assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD);
        assert_true(rig_finish(&h, &delivered));
        assert_non_null(strstr(h.pipe.sent, table[i].expected[SMTP_GREETED].reply));
        rig_close(&h);

        rig_open(&h, NULL);
        session = stream_session(tcp_session(&h.pipe));
        say("QUIT\r\n");
        say(table[i].line);
        assert_int_equal(session->state, SMTP_CLOSING);
        assert_string_equal(h.pipe.sent, BANNER BYE);
        rig_close(&h);
    }
}

/* A whole mail leaves its moves in the trace, in order. */
static void test_trace(void **state)
{
    static const enum smtp_state moves[] = {SMTP_CONNECTED, SMTP_GREETED,   SMTP_MAIL,
                                            SMTP_RECIPIENT, SMTP_ADMITTING, SMTP_DATA,
                                            SMTP_WAITING,   SMTP_GREETED,   SMTP_CLOSING};
    size_t count = sizeof(moves) / sizeof(moves[0]) - 1;
    uint64_t before = h.server.moves;

    (void)state;
    rig_open(&h, NULL);
    (void)converse(TO_ALICE "DATA\r\n.\r\n", strlen(TO_ALICE "DATA\r\n.\r\n"), SIZE_MAX);
    say("QUIT\r\n");
    assert_int_equal(h.server.moves - before, count);
    for (size_t i = 0; i < count; i++) {
        const struct smtp_trace *move = &h.server.trace[(before + i) % SMTP_TRACE_MOVES];

        assert_int_equal(move->from, moves[i]);
        assert_int_equal(move->to, moves[i + 1]);
        assert_int_equal(move->connection.generation, h.pipe.generation);
        assert_int_equal(move->now_ns, h.pipe.now_ns);
    }
    rig_close(&h);
}

static void test_long_line(void **state)
{
    char text[4096];

    (void)state;
    for (size_t length = SMTP_COMMAND_BYTES - 8; length < SMTP_COMMAND_BYTES + 8; length++) {
        (void)snprintf(text, sizeof(text), "NOOP %2000s", " ");
        text[length / 2] = 'x';
        memcpy(text + length - 2, "\r\nQUIT\r\n", 9);
        dialogue(text, length <= SMTP_COMMAND_BYTES ? BANNER OK BYE : BANNER GARBLED BYE);
    }
    /* Memory stays bounded however long it gets, and its inner CRs end nothing. */
    memset(text, 'x', sizeof(text));
    rig_open(&h, NULL);
    for (unsigned i = 0; i < 100; i++) {
        text[i * 7] = '\r';
        text[i * 7 + 1] = 'y';
        rig_send(&h, text, sizeof(text), 1000 + i);
        assert_true(h.pipe.readable < SMTP_COMMAND_BYTES);
    }
    say("\r\nQUIT\r\n");
    assert_string_equal(h.pipe.sent, BANNER GARBLED BYE);
    rig_close(&h);
}

static void test_rejections(void **state)
{
    static const struct {
        const char *client;
        const char *rejected;
    } cases[] = {
        {"EHLO c\r\nMAIL FROM:<s@c> SIZE=99999\r\n",
         "MAIL|s@c||552 5.3.4 Message size exceeds fixed limit"},
        {"EHLO c\r\nMAIL FROM:<s@c>\r\nRCPT TO:<a@other.example>\r\n",
         "RCPT|s@c|a@other.example|554 5.7.1 <a@other.example>: Relay access denied"},
        {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<x@example.org>\r\n",
         "RCPT||x@example.org|550 5.1.1 <x@example.org>: Recipient address rejected: User unknown"},
        {"EHLO c\r\nMAIL FROM:<s@c>\r\nDATA\r\n", "DATA|s@c||554 5.5.1 Error: no valid recipients"},
        {"GET / HTTP/1.1\r\nHost: mx\r\n",
         "UNKNOWN|||421 4.7.0 Not SMTP: a request, or a header field"},
        {"\x16\x03\x01", "UNKNOWN|||421 4.7.0 Not SMTP: TLS"},
    };
    unsigned foreign = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_open(&h, NULL);
        say(cases[i].client);
        assert_int_equal(h.rejections, 1);
        assert_string_equal(h.rejected, cases[i].rejected);
        assert_int_equal(h.server.counters->value[COUNTER_SMTP_FOREIGN_CLOSED],
                         strncmp(cases[i].rejected, "UNKNOWN", 7) == 0 ? ++foreign : foreign);
        rig_close(&h);
    }
}

static void test_counters(void **state)
{
    (void)state;
    rig_open(&h, NULL);
    say("EHLO c\r\nFOO\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"
        "QUIT\r\n");
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_COMMANDS], 6);
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_BAD_COMMANDS], 2);
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_REPLIES_5XX], 2);
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_REPLIES_4XX], 0);
    assert_int_equal(h.server.counters->value[COUNTER_MESSAGE_STARTED], 1);
    rig_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(test_dialogues),
        DIALOGUE_TEST(test_dialogues_cut),
        DIALOGUE_TEST(test_every_command_in_every_state),
        DIALOGUE_TEST(test_no_command_elsewhere),
        DIALOGUE_TEST(test_trace),
        DIALOGUE_TEST(test_long_line),
        DIALOGUE_TEST(test_rejections),
        DIALOGUE_TEST(test_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
