/* Dialogues, whole and cut at every byte; limits; exhaustion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/smtp/state.h"
#include "harness.h"

static struct harness h;

static const struct mail_result delivered = {
    .outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 Ok: queued as 9F"};

#define SECOND_NS INT64_C(1000000000)
#define BANNER    "220 mx.example.com ESMTP Postern\r\n"
#define EHLO_REPLY                                               \
    "250-mx.example.com\r\n250-PIPELINING\r\n250-SIZE 10000\r\n" \
    "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"                \
    "250 LIMITS RCPTMAX=3 RCPTDOMAINMAX=1\r\n"
#define OK             "250 2.0.0 Ok\r\n"
#define BYE            "221 2.0.0 Bye\r\n"
#define MAIL_OK        "250 2.1.0 Ok\r\n"
#define RCPT_OK        "250 2.1.5 Ok\r\n"
#define GARBLED        "500 5.5.2 Syntax error: no command, or line too long\r\n"
#define UNKNOWN        "500 5.5.1 Command unrecognized\r\n"
#define TOO_LARGE      "552 5.3.4 Message size exceeds fixed limit\r\n"
#define BAD_SIZE       "501 5.5.4 Syntax: bad or repeated SIZE\r\n"
#define BAD_SENDER     "501 5.1.7 Bad sender address syntax\r\n"
#define BAD_RCPT       "501 5.1.3 Bad recipient address syntax\r\n"
#define DRAINED        "421 4.3.2 mx.example.com Service shutting down, try again later\r\n"
#define SHUTTING_DOWN  "421 4.3.2 Service shutting down, try again later\r\n"
#define GO_AHEAD       "354 End data with <CR><LF>.<CR><LF>\r\n"
#define TO_ALICE       "EHLO c.example\r\nMAIL FROM:<s@c.example>\r\nRCPT TO:<alice@example.com>\r\n"
#define TO_ALICE_REPLY BANNER EHLO_REPLY MAIL_OK RCPT_OK

static int set_up(void **state)
{
    (void)state;
    harness_init(&h);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_true(harness_store_full(&h));
    harness_fini(&h);
    return 0;
}

static void say(const char *text)
{
    harness_send(&h, text, strlen(text), SIZE_MAX);
}

/* Sends everything, answers each message as delivered, returns what was said. */
static const char *converse(const char *bytes, size_t length, size_t piece)
{
    harness_send(&h, bytes, length, piece);
    while (harness_finish(&h, &delivered))
        ;
    return h.stream.sent;
}

static void dialogue(const char *client, const char *server)
{
    harness_open(&h, NULL);
    assert_string_equal(converse(client, strlen(client), SIZE_MAX), server);
    harness_close(&h);
    assert_true(harness_store_full(&h));
}

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
    {"EHLO a b\r\nHELO a(b)\r\nQUIT\r\n",
     BANNER "501 Syntax: EHLO hostname\r\n501 Syntax: HELO hostname\r\n" BYE},
    {"NOOP\r\nNOOP what ever\r\nRSET\r\nVRFY bob\r\nQUIT\r\n",
     BANNER OK OK OK "252 2.5.2 Cannot verify; send some mail and see\r\n" BYE},
    {"RSET x\r\nVRFY\r\nQUIT x\r\nQUIT\r\n",
     BANNER "501 5.5.4 Syntax: RSET\r\n501 5.5.4 Syntax: VRFY address\r\n"
            "501 5.5.4 Syntax: QUIT\r\n" BYE},
    {"STARTTLS\r\nAUTH PLAIN\r\nBDAT 3 LAST\r\nHELP\r\nQUIT\r\n",
     BANNER "502 5.5.1 Command not implemented\r\n502 5.5.1 Command not implemented\r\n"
            "502 5.5.1 Command not implemented\r\n502 5.5.1 Command not implemented\r\n" BYE},
    {"FOO\r\nMAILFROM:<a@b>\r\n\r\n  \r\nQUIT\r\n", BANNER
     "500 5.5.1 Command unrecognized\r\n500 5.5.1 Command unrecognized\r\n" GARBLED GARBLED BYE},
    {"NOOP\nQUIT\r\nNO\rOP\r\n\tNOOP\r\nQUIT\r\n", BANNER GARBLED GARBLED GARBLED BYE},
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
    {"EHLO c\r\nMAIL FROM:a@b.c\r\nMAIL FROM:<a@b.c\r\nMAIL FROM:<a>\r\nMAIL FROM:<postmaster>\r\n"
     "MAIL TO:<a@b>\r\nQUIT\r\n",
     BANNER EHLO_REPLY BAD_SENDER BAD_SENDER BAD_SENDER BAD_SENDER
     "501 5.5.4 Syntax: MAIL FROM:<address>\r\n" BYE},
    {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:<alice@>\r\nRCPT TO:alice\r\n"
     "RCPT TO:<a@example.com> NOTIFY=NEVER\r\nRCPT TO:<a@example.com> SIZE=1\r\nQUIT\r\n",
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
                               "501 5.5.4 Syntax: DATA\r\n" BYE},
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
        struct stream_options options = {1 + (uint32_t)i % 3, 16380, TCP_SEND_BYTES};

        harness_open(&h, &options);
        assert_string_equal(converse(dialogues[i].client, strlen(dialogues[i].client), 1 + i % 2),
                            dialogues[i].server);
        harness_close(&h);
        assert_true(harness_store_full(&h));
    }
}

#define RECEIVED_LINES "Received: a\r\nrECEIVED:b\r\n x\r\nReceived-SPF: no\r\nX-Received: no\r\n"

static const struct {
    const char *raw; /* between 354 and the next command */
    const char *message;
} bodies[] = {
    {".\r\n", ""},
    {"\r\n.\r\n", "\r\n"},
    {"a\r\n.\r\n", "a\r\n"},
    {"..\r\n.\r\n", ".\r\n"},
    {"...\r\n..a\r\n.b\r\n.\r\n", "..\r\n.a\r\nb\r\n"},
    {"a.\r\n.\r\n", "a.\r\n"},
    {"..\r\n..\r\n..\r\n..\r\n.\r\n", ".\r\n.\r\n.\r\n.\r\n"},
    {"x\r\n..\r\ny\r\n..\r\n\r\n.\r\n", "x\r\n.\r\ny\r\n.\r\n\r\n"},
    {"A: b\r\n\r\nbody .\r\n.. \r\n. \r\n.\r\n", "A: b\r\n\r\nbody .\r\n. \r\n \r\n"},
    {"QUIT\r\nDATA\r\n.\r\n", "QUIT\r\nDATA\r\n"},
    {RECEIVED_LINES "Received: c\r\nReceived: d\r\n\r\nReceived: e\r\nReceived: f\r\n.\r\n",
     RECEIVED_LINES "Received: c\r\nReceived: d\r\n\r\nReceived: e\r\nReceived: f\r\n"},
};

/* Two transactions with the same body in one pipelined write, cut at every byte and put into blocks
 * of every small size: always the same replies and the same messages. */
static void test_every_split(void **state)
{
    char text[2048];
    char expected[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        int length = snprintf(text, sizeof(text),
                              TO_ALICE "DATA\r\n%sMAIL FROM:<t@c.example>\r\n"
                                       "RCPT TO:<bob@example.org>\r\nDATA\r\n%sQUIT\r\n",
                              bodies[i].raw, bodies[i].raw);

        for (size_t cut = 1; cut < (size_t)length; cut++) {
            struct stream_options options = {1 + (uint32_t)cut % 61, (uint32_t)cut % 5,
                                             TCP_SEND_BYTES};
            size_t at = 0;

            if (cut % 4 == 0)
                options.block_use = 8192;
            harness_open(&h, &options);
            while (at < (size_t)length) {
                /* In odd rounds two pieces, else many of `cut` bytes. */
                size_t part = (size_t)length - at;

                if (part > cut && (at == 0 || cut % 2 == 0))
                    part = cut;
                harness_send(&h, text + at, part, part);
                (void)harness_finish(&h, &delivered);
                at += part;
            }
            while (harness_finish(&h, &delivered))
                ;
            assert_int_equal(h.submitted, 2);
            (void)snprintf(expected, sizeof(expected),
                           TO_ALICE_REPLY GO_AHEAD
                           "250 2.0.0 [%s] Ok: queued as 9F\r\n" MAIL_OK RCPT_OK GO_AHEAD
                           "250 2.0.0 [%s] Ok: queued as 9F\r\n" BYE,
                           h.messages[0].id, h.messages[1].id);
            assert_string_equal(h.stream.sent, expected);
            for (unsigned j = 0; j < 2; j++) {
                assert_int_equal(h.messages[j].length, strlen(bodies[i].message));
                assert_memory_equal(h.messages[j].bytes, bodies[i].message, h.messages[j].length);
            }
            assert_string_not_equal(h.messages[0].id, h.messages[1].id);
            harness_close(&h);
            assert_true(harness_store_full(&h));
        }
    }
}

/* What other servers took for the end of data, or for the end of a line. One 550, after the real
 * end of data and not before; nothing of it is a command or a message. */
static void test_smuggling(void **state)
{
    static const char *const variants[] = {
        "\n.\n",     "\r\n.\n",   "\n.\r\n",      "\r.\r",       "\r\n.\r",       "\r.\r\n",
        "\n\n.\r\n", "\r\r\n.\n", "\r\n.\r\r\n",  "\r\n.\n\r\n", "\r\n\r.\n",     "\n",
        "\r",        "\r\n\n",    "\r\n.\r.\r\n", "\r\n..\n",    "\r\n..\r.\r\n",
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        int length = snprintf(text, sizeof(text),
                              TO_ALICE "DATA\r\nA: b\r\n\r\nx%sMAIL FROM:<evil@c.example>\r\n"
                                       "RCPT TO:<victim@example.com>\r\nDATA\r\n\r\n.\r\nQUIT\r\n",
                              variants[i]);

        for (size_t piece = 1; piece <= (size_t)length; piece++) {
            struct stream_options options = {1 + (uint32_t)piece % 7, 3, TCP_SEND_BYTES};

            harness_open(&h, &options);
            harness_send(&h, text, (size_t)length, piece);
            assert_string_equal(
                h.stream.sent, TO_ALICE_REPLY GO_AHEAD
                "550 5.5.2 Bare CR or LF in message data: lines end with CRLF\r\n" BYE);
            assert_int_equal(h.submitted, 0);
            assert_int_equal(h.concluded, 1);
            assert_int_equal(h.outcome, MAIL_MALFORMED);
            harness_close(&h);
            assert_true(harness_store_full(&h));
        }
    }
}

/* However a body is cut, it is the same message: in single bytes nothing is read by the piece. */
static void test_pieces(void **state)
{
    static const char *const words[] = {
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n..",
        "\r\n.x",
        ".",
        "abc",
        "\r\n\r\n",
        "a longer line, so that sixty-four bytes on end have neither CR nor LF in them"};
    uint32_t random = 1;

    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        char text[2048] = TO_ALICE "DATA\r\nA: b\r\n\r\n";
        size_t body = strlen(text);
        size_t length = body;
        size_t whole_length = 0;
        char *whole = NULL;

        for (unsigned i = 0; i < 40; i++) {
            size_t word;

            random = random * 1664525 + 1013904223;
            word = (random >> 16) % (sizeof(words) / sizeof(words[0]));
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s", words[word]);
        }
        /* In every other round a bare CR or LF somewhere. */
        if (round % 2 == 1)
            text[body + (random >> 8) % (length - body)] = (round & 2) != 0 ? '\r' : '\n';
        length += (size_t)snprintf(text + length, sizeof(text) - length, "x\r\n.\r\n");
        for (unsigned pass = 0; pass < 2; pass++) {
            harness_open(&h, NULL);
            harness_send(&h, text, length, pass == 0 ? SIZE_MAX : 1);
            assert_int_equal(h.submitted + h.concluded, 1);
            if (pass == 0 && h.submitted > 0) {
                whole_length = h.messages[0].length;
                whole = malloc(whole_length + 1);
                assert_non_null(whole);
                memcpy(whole, h.messages[0].bytes, whole_length);
            } else if (pass == 1) {
                assert_int_equal(h.submitted, whole != NULL);
                if (whole != NULL) {
                    assert_int_equal(h.messages[0].length, whole_length);
                    assert_memory_equal(h.messages[0].bytes, whole, whole_length);
                }
            }
            if (h.submitted > 0)
                assert_true(harness_finish(&h, &delivered));
            harness_close(&h);
        }
        free(whole);
    }
}

/* One bare CR or LF at every place of a long line, read by the piece and by the byte. */
static void test_bare_anywhere(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 2 * 140; at++) {
        char text[512] = TO_ALICE "DATA\r\nA: b\r\n\r\n";
        size_t length = strlen(text);

        memset(text + length, 'a', 200);
        text[length + at / 2] = at % 2 == 0 ? '\r' : '\n';
        (void)snprintf(text + length + 200, sizeof(text) - length - 200, "\r\n.\r\n");
        harness_open(&h, NULL);
        say(text);
        assert_int_equal(h.submitted, 0);
        assert_int_equal(h.outcome, MAIL_MALFORMED);
        harness_close(&h);
    }
}

static void test_no_early_answer(void **state)
{
    (void)state;
    harness_open(&h, NULL);
    say(TO_ALICE "DATA\r\nx\ny\r\n");
    assert_string_equal(h.stream.sent, TO_ALICE_REPLY GO_AHEAD);
    assert_int_equal(h.concluded, 1); /* the blocks are back already ... */
    assert_int_equal(h.store.free_slot_count, HARNESS_SLOTS);
    say("NOOP\r\n.\r\n"); /* ... the answer waits for the end */
    assert_string_equal(h.stream.sent, TO_ALICE_REPLY GO_AHEAD
                        "550 5.5.2 Bare CR or LF in message data: lines end with CRLF\r\n");
    harness_close(&h);
}

static void test_too_large(void **state)
{
    char line[1002];

    (void)state;
    memset(line, 'x', 1000);
    memcpy(line + 998, "\r\n", 3);
    for (unsigned lines = 9; lines <= 12; lines++) {
        harness_open(&h, NULL);
        say(TO_ALICE "DATA\r\n");
        for (unsigned i = 0; i < lines; i++)
            say(line);
        assert_int_equal(h.concluded, lines > 10);
        say(".\r\nNOOP\r\n");
        if (lines <= 10) {
            assert_int_equal(h.messages[0].length, lines * 1000);
            assert_true(harness_finish(&h, &delivered));
        } else {
            assert_int_equal(h.outcome, MAIL_TOO_LARGE);
            assert_string_equal(h.stream.sent, TO_ALICE_REPLY GO_AHEAD TOO_LARGE OK);
        }
        harness_close(&h);
        assert_true(harness_store_full(&h));
    }
    /* Who goes on past twice the limit is not listened to any more. */
    harness_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    for (unsigned i = 0; i < 22; i++)
        say(line);
    assert_string_equal(h.stream.sent, TO_ALICE_REPLY GO_AHEAD
                        "421 4.7.0 mx.example.com Error: too much data\r\n");
    assert_true(h.stream.closed);
    harness_close(&h);
}

static void test_loop(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nReceived: 1\r\nreceived: 2\r\nReceived: 3\r\n"
                                        "Received: 4\r\n..Received: no\r\nReceived: 5\r\n\r\n.\r\n";

    (void)state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        harness_open(&h, NULL);
        harness_send(&h, text, strlen(text), piece);
        assert_string_equal(h.stream.sent, TO_ALICE_REPLY GO_AHEAD "554 5.4.6 Too many hops\r\n");
        assert_int_equal(h.outcome, MAIL_MALFORMED);
        harness_close(&h);
    }
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
    /* Memory stays bounded however long it gets, and its inner CRs and LFs end nothing. */
    memset(text, 'x', sizeof(text));
    harness_open(&h, NULL);
    for (unsigned i = 0; i < 100; i++) {
        text[i * 7] = '\r';
        text[i * 11 + 1] = '\n';
        text[i * 7 + 1] = 'y';
        harness_send(&h, text, sizeof(text), 1000 + i);
        assert_true(h.stream.readable < SMTP_COMMAND_BYTES);
    }
    say("\r\nQUIT\r\n");
    assert_string_equal(h.stream.sent, BANNER GARBLED BYE);
    harness_close(&h);
}

static void test_envelope(void **state)
{
    static const char text[] = "EHLO c.example\r\nMAIL FROM:<s@c.example> BODY=8BITMIME\r\n"
                               "RCPT TO:<@r.example:Alice@Example.com>\r\nRCPT TO:<postmaster>\r\n"
                               "DATA\r\n.\r\n";
    static const struct {
        enum envelope_field field;
        unsigned nth;
        const char *value;
    } fields[] = {
        {ENVELOPE_CLIENT, 0, "198.18.0.7"},  {ENVELOPE_HELO, 0, "c.example"},
        {ENVELOPE_SENDER, 0, "s@c.example"}, {ENVELOPE_RECIPIENT, 0, "Alice@Example.com"},
        {ENVELOPE_CUSTOMER, 0, "first"},     {ENVELOPE_RECIPIENT, 1, "postmaster@example.com"},
        {ENVELOPE_PROTOCOL, 0, "ESMTP"},
    };
    const struct message *message;
    const char *value;
    size_t length;

    (void)state;
    harness_open(&h, NULL);
    say(text);
    assert_int_equal(h.submitted, 1);
    message = h.messages[0].message;
    assert_int_equal(message->shared->flags, MESSAGE_FLAG_8BITMIME);
    assert_string_equal(message->recipient, "Alice@Example.com");
    assert_string_equal(message->sender, "s@c.example");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        value = harness_field(&h, message, fields[i].field, fields[i].nth, &length);
        assert_non_null(value);
        assert_int_equal(length, strlen(fields[i].value));
        assert_memory_equal(value, fields[i].value, length);
    }
    value = harness_field(&h, message, ENVELOPE_ID, 0, &length);
    assert_memory_equal(value, h.messages[0].id, length);
    assert_null(harness_field(&h, message, ENVELOPE_RECIPIENT, 2, &length));
    assert_null(strstr(h.messages[0].trace, "for <"));
    assert_true(harness_finish(&h, &delivered));
    harness_close(&h);
}

/* The longest name and the longest address: both are taken, and only where they do not fit beside
 * each other is the name cut; the next message has it no longer, either. */
static void test_longest_names(void **state)
{
    char helo[256];
    char sender[255];
    char text[1024];

    (void)state;
    memset(helo, 'h', 255);
    helo[255] = '\0';
    memset(sender, 's', 254);
    sender[254] = '\0';
    sender[20] = '@';
    for (size_t i = 84; i < 254; i += 64)
        sender[i] = '.';
    for (size_t length = 30; length <= 254; length++) {
        size_t fits = 255 + 1 + length + 1 <= 320 ? 255 : 63;

        (void)snprintf(text, sizeof(text),
                       "EHLO %s\r\nMAIL FROM:<%.*s>\r\nRCPT TO:<alice@example.com>\r\n"
                       "DATA\r\n.\r\n",
                       helo, (int)length, sender);
        if (sender[length - 1] == '.')
            continue; /* no address */
        harness_open(&h, NULL);
        say(text);
        assert_int_equal(h.submitted, 1);
        assert_int_equal(strlen(h.messages[0].message->helo), fits);
        assert_int_equal(strlen(h.messages[0].message->sender), length);
        assert_memory_equal(h.messages[0].message->sender, sender, length);
        assert_true(harness_finish(&h, &delivered));
        harness_close(&h);
    }
    /* A full name with no address that long beside it stays whole. */
    (void)snprintf(text, sizeof(text),
                   "EHLO %s\r\nMAIL FROM:<>\r\n"
                   "RCPT TO:<alice@example.com>\r\nDATA\r\n.\r\n",
                   helo);
    harness_open(&h, NULL);
    say(text);
    assert_int_equal(h.submitted, 1);
    assert_string_equal(h.messages[0].message->helo, helo);
    assert_string_equal(h.messages[0].message->sender, "");
    assert_true(harness_finish(&h, &delivered));
    harness_close(&h);
}

/* Every way to end at every point: nothing leaks, each message ends exactly once. */
static void test_endings(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nA: b\r\n\r\nbody\r\n.\r\nNOOP\r\n";

    (void)state;
    for (size_t at = 0; at <= strlen(text); at++) {
        for (int how = 0; how < 3; how++) {
            bool waiting;

            harness_open(&h, NULL);
            harness_send(&h, text, at, SIZE_MAX);
            waiting = h.submitted == 1;
            if (how == 0 && !waiting) {
                stream_expire(&h.stream);
                assert_non_null(
                    strstr(h.stream.sent, "421 4.4.2 mx.example.com Error: timeout exceeded\r\n"));
                assert_true(h.stream.closed);
            } else if (how == 1) {
                stream_finish(&h.stream);
                assert_int_equal(h.stream.closed, !waiting);
                if (waiting) {
                    assert_true(harness_finish(&h, &delivered));
                    assert_non_null(strstr(h.stream.sent, "Ok: queued as 9F"));
                    assert_true(h.stream.closed);
                }
            }
            stream_close(&h.stream, TCP_CLOSED_RESET);
            assert_int_equal(h.abandoned, waiting && how != 1);
            if (h.concluded > 0)
                assert_int_equal(h.outcome, MAIL_CUT_OFF);
            assert_int_equal(h.concluded, !waiting && strstr(h.stream.sent, RCPT_OK) != NULL);
            harness_close(&h);
            assert_true(harness_store_full(&h));
        }
    }
}

/* No block, no slot, no window: at each point a temporary refusal, and it all comes back. */
static void test_exhaustion(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nA: b\r\n\r\nbody\r\n.\r\nRSET\r\nQUIT\r\n";
    uint32_t taken[HARNESS_BLOCKS];
    bool seen_refused = false;
    bool seen_delivered = false;

    (void)state;
    for (uint32_t left = HARNESS_BLOCKS / 16; left < HARNESS_BLOCKS / 8 + 12; left++) {
        uint32_t count = 0;

        while (h.store.free_count > left)
            taken[count++] = block_take(&h.store, BLOCK_FOR_REPLY);
        harness_open(&h, NULL);
        (void)converse(text, strlen(text), 11);
        if (strstr(h.stream.sent, "452 4.3.1 Insufficient system storage\r\n") != NULL) {
            seen_refused = true;
            assert_null(strstr(h.stream.sent, "queued"));
        } else if (strstr(h.stream.sent, "queued") != NULL) {
            seen_delivered = true;
        }
        harness_close(&h);
        assert_int_equal(h.store.free_count, left);
        assert_int_equal(h.store.free_slot_count, HARNESS_SLOTS);
        while (count > 0)
            block_give(&h.store, taken[--count]);
    }
    assert_true(seen_refused);
    assert_true(seen_delivered);
    harness_open(&h, NULL);
    h.stream.data_refused = true;
    say(TO_ALICE "DATA\r\n");
    assert_string_equal(h.stream.sent, TO_ALICE_REPLY "452 4.3.1 Insufficient system storage\r\n");
    assert_int_equal(h.outcome, MAIL_NO_ROOM);
    harness_close(&h);
}

static void test_no_slot(void **state)
{
    struct message *messages[HARNESS_SLOTS];

    (void)state;
    for (unsigned i = 0; i < HARNESS_SLOTS; i++)
        assert_non_null(messages[i] = message_take(&h.store));
    harness_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    assert_string_equal(h.stream.sent,
                        BANNER EHLO_REPLY MAIL_OK "452 4.3.1 Insufficient system storage\r\n"
                                                  "554 5.5.1 Error: no valid recipients\r\n");
    assert_int_equal(h.rejections, 2);
    for (unsigned i = 0; i < HARNESS_SLOTS; i++)
        message_give(&h.store, messages[i]);
    say("RCPT TO:<alice@example.com>\r\nDATA\r\n.\r\n");
    assert_true(harness_finish(&h, &delivered));
    harness_close(&h);
}

/* A client with many connections does not get the last slots; one with few does. */
static void test_crowding(void **state)
{
    struct message *messages[HARNESS_SLOTS - 1];

    (void)state;
    for (unsigned i = 0; i < HARNESS_SLOTS - 1; i++)
        assert_non_null(messages[i] = message_take(&h.store));
    harness_open(&h, NULL);
    h.stream.peers = 2;
    say(TO_ALICE);
    assert_string_equal(h.stream.sent,
                        BANNER EHLO_REPLY MAIL_OK "452 4.3.1 Insufficient system storage\r\n");
    h.stream.peers = 1;
    say("RCPT TO:<alice@example.com>\r\nRSET\r\n");
    assert_int_equal(h.concluded, 1);
    /* With more room the number does not matter. */
    message_give(&h.store, messages[0]);
    h.stream.peers = 2;
    say("MAIL FROM:<>\r\nRCPT TO:<alice@example.com>\r\nRSET\r\n");
    assert_int_equal(h.concluded, 2);
    harness_close(&h);
    for (unsigned i = 1; i < HARNESS_SLOTS - 1; i++)
        message_give(&h.store, messages[i]);
}

/* Segments of a few bytes with a stuffed dot in each must not use up the extents. */
static void test_dots_in_small_segments(void **state)
{
    (void)state;
    harness_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    for (unsigned i = 0; i < 3000; i++)
        harness_send(&h, "..\r\n", 4, 4);
    say(".\r\n");
    assert_int_equal(h.messages[0].length, 9000);
    assert_int_equal(h.messages[0].message->shared->extent_count, 2); /* trace and one block */
    for (size_t i = 0; i < 9000; i++)
        assert_int_equal(h.messages[0].bytes[i], ".\r\n"[i % 3]);
    assert_true(harness_finish(&h, &delivered));
    harness_close(&h);
}

/* A peer that does not acknowledge stops being read; nothing is lost when it does. */
static void test_stalled_replies(void **state)
{
    (void)state;
    harness_open(&h, NULL);
    h.stream.hold_acks = true;
    for (unsigned i = 0; i < 2000; i++)
        harness_send(&h, "NOOP\r\n", 6, 6);
    assert_true(h.stream.sent_length < TCP_SEND_BYTES - 6000);
    assert_true(h.stream.readable > 6000);
    stream_acknowledge(&h.stream, h.stream.sent_length / 2);
    h.stream.hold_acks = false;
    stream_acknowledge(&h.stream, h.stream.sent_length - h.stream.acknowledged);
    say("QUIT\r\n");
    assert_int_equal(h.stream.readable, 0);
    assert_int_equal(h.stream.sent_length, strlen(BANNER) + 2000 * strlen(OK) + strlen(BYE));
    harness_close(&h);
}

/* Not one block left for replies: what has to be said is said later, in order. */
static void test_no_reply_block(void **state)
{
    char expected[2048];

    (void)state;
    harness_open(&h, NULL);
    h.stream.send_blocked = true;
    say("EHLO c.example\r\n");
    assert_string_equal(h.stream.sent, BANNER);
    h.stream.send_blocked = false;
    stream_acknowledge(&h.stream, 0);
    assert_string_equal(h.stream.sent, BANNER EHLO_REPLY);
    say("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n.\r\nNOOP\r\n");
    h.stream.send_blocked = true;
    assert_true(harness_finish(&h, &delivered));
    assert_string_equal(h.stream.sent, BANNER EHLO_REPLY MAIL_OK RCPT_OK GO_AHEAD);
    h.stream.send_blocked = false;
    stream_acknowledge(&h.stream, 0);
    (void)snprintf(expected, sizeof(expected),
                   BANNER EHLO_REPLY MAIL_OK RCPT_OK GO_AHEAD
                   "250 2.0.0 [%s] Ok: queued as 9F\r\n" OK,
                   h.messages[0].id);
    assert_string_equal(h.stream.sent, expected);
    assert_false(h.stream.aborted);
    harness_close(&h);
}

static void test_draining(void **state)
{
    (void)state;
    /* Between messages: told at once. */
    harness_open(&h, NULL);
    say("EHLO c\r\n");
    smtp_server_drain(&h.server, h.stream.now_ns);
    assert_string_equal(h.stream.sent, BANNER EHLO_REPLY DRAINED);
    assert_true(h.stream.closed);
    harness_close(&h);
    /* A message under way is finished and answered first. */
    h.server.draining = false;
    harness_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    smtp_server_drain(&h.server, h.stream.now_ns);
    assert_false(h.stream.closed);
    say("x\r\n.\r\n");
    smtp_server_drain(&h.server, h.stream.now_ns);
    assert_false(h.stream.closed);
    assert_true(harness_finish(&h, &delivered));
    assert_non_null(strstr(h.stream.sent, "queued as 9F\r\n" DRAINED));
    assert_true(h.stream.closed);
    harness_close(&h);
    /* An answer that finds no block is said before the end. */
    h.server.draining = false;
    harness_open(&h, NULL);
    say(TO_ALICE "DATA\r\n.\r\n");
    h.stream.send_blocked = true;
    assert_true(harness_finish(&h, &delivered));
    smtp_server_drain(&h.server, h.stream.now_ns);
    assert_false(h.stream.closed);
    h.stream.send_blocked = false;
    stream_acknowledge(&h.stream, 0);
    smtp_server_drain(&h.server, h.stream.now_ns);
    assert_non_null(strstr(h.stream.sent, "queued as 9F\r\n" DRAINED));
    assert_true(h.stream.closed);
    harness_close(&h);
    /* No new transaction, no new connection. */
    h.server.draining = false;
    harness_open(&h, NULL);
    say(TO_ALICE);
    smtp_server_drain(&h.server, h.stream.now_ns);
    say("RSET\r\nMAIL FROM:<a@b.c>\r\n");
    assert_string_equal(h.stream.sent, TO_ALICE_REPLY OK SHUTTING_DOWN);
    assert_true(h.stream.closed);
    harness_close(&h);
    dialogue("QUIT\r\n", SHUTTING_DOWN);
    assert_string_equal(h.rejected, "CONNECT|||421 4.3.2 Service shutting down, try again later");
    h.server.draining = false;
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
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        harness_open(&h, NULL);
        say(cases[i].client);
        assert_int_equal(h.rejections, 1);
        assert_string_equal(h.rejected, cases[i].rejected);
        harness_close(&h);
    }
}

static void test_counters(void **state)
{
    (void)state;
    harness_open(&h, NULL);
    say("EHLO c\r\nFOO\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"
        "QUIT\r\n");
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_COMMANDS], 6);
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_BAD_COMMANDS], 1);
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_REPLIES_5XX], 2);
    assert_int_equal(h.server.counters->value[COUNTER_SMTP_REPLIES_4XX], 0);
    assert_int_equal(h.server.counters->value[COUNTER_MESSAGE_STARTED], 1);
    harness_close(&h);
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
    harness_open(&h, NULL);
    harness_send(&h, start, strlen(start), SIZE_MAX);
    started_ns = h.stream.now_ns;
    while (h.stream.deadline_ns - h.stream.now_ns > 10 * SECOND_NS) {
        h.stream.now_ns += 10 * SECOND_NS;
        harness_send(&h, "x", 1, SIZE_MAX);
        assert_true(++bytes < 100);
    }
    assert_true(h.stream.deadline_ns - started_ns < 184 * SECOND_NS);
    stream_expire(&h.stream);
    assert_non_null(strstr(h.stream.sent, "421 4.4.2"));
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    harness_close(&h);

    harness_open(&h, NULL);
    harness_send(&h, start, strlen(start), SIZE_MAX);
    for (unsigned i = 0; i < 150; i++) {
        h.stream.now_ns += 3 * SECOND_NS;
        harness_send(&h, line, strlen(line), SIZE_MAX);
        assert_true(h.stream.deadline_ns - h.stream.now_ns > 170 * SECOND_NS);
    }
    harness_send(&h, ".\r\n", 3, SIZE_MAX);
    assert_int_equal(h.submitted, 1);
    assert_true(harness_finish(&h, &delivered));
    harness_close(&h);
}

/* Sends a byte every ten seconds until time is up; returns how long that took. */
static int64_t trickle(void)
{
    int64_t from_ns = h.stream.now_ns;

    while (h.stream.deadline_ns - h.stream.now_ns > 10 * SECOND_NS) {
        h.stream.now_ns += 10 * SECOND_NS;
        harness_send(&h, "x", 1, SIZE_MAX);
        assert_true(h.stream.now_ns - from_ns < 1000 * SECOND_NS);
    }
    return h.stream.now_ns - from_ns;
}

/* What was sent fast buys no time for trickling afterwards. */
static void test_fast_then_slow(void **state)
{
    static char lines[9000];

    (void)state;
    h.config.limits.data_rate = 10; /* at which these 9000 bytes were 15 minutes */
    for (size_t i = 0; i < sizeof(lines); i++)
        lines[i] = "0123456789012345678901234567890123456789012345678901234567890\r\n"[i % 63];
    harness_open(&h, NULL);
    harness_send(&h, TO_ALICE "DATA\r\n", strlen(TO_ALICE "DATA\r\n"), SIZE_MAX);
    harness_send(&h, lines, 63 * 140, 1000);
    assert_true(trickle() < 184 * SECOND_NS);
    stream_expire(&h.stream);
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    harness_close(&h);
}

/* While memory is short the same rate does not do. */
static void test_slow_data_in_shortage(void **state)
{
    static uint32_t held[HARNESS_BLOCKS];
    unsigned count = 0;
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567890\r\n";
    int64_t started_ns;

    (void)state;
    h.config.limits.data_rate = 10;
    harness_open(&h, NULL);
    harness_send(&h, TO_ALICE "DATA\r\n", strlen(TO_ALICE "DATA\r\n"), SIZE_MAX);
    started_ns = h.stream.now_ns;
    while (block_available(&h.store, BLOCK_FOR_DATA) > HARNESS_BLOCKS / 16)
        held[count++] = block_take(&h.store, BLOCK_FOR_DATA);
    while (h.stream.deadline_ns - h.stream.now_ns > 3 * SECOND_NS) {
        h.stream.now_ns += 3 * SECOND_NS;
        harness_send(&h, line, strlen(line), SIZE_MAX);
        assert_true(h.stream.now_ns - started_ns < 1000 * SECOND_NS);
    }
    assert_true(h.stream.now_ns - started_ns < 200 * SECOND_NS);
    stream_expire(&h.stream);
    assert_int_equal(h.outcome, MAIL_CUT_OFF);
    harness_close(&h);
    while (count > 0)
        block_give(&h.store, held[--count]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_dialogues),
        TEST(test_dialogues_cut),
        TEST(test_every_split),
        TEST(test_smuggling),
        TEST(test_pieces),
        TEST(test_bare_anywhere),
        TEST(test_no_early_answer),
        TEST(test_too_large),
        TEST(test_loop),
        TEST(test_long_line),
        TEST(test_envelope),
        TEST(test_longest_names),
        TEST(test_endings),
        TEST(test_slow_data),
        TEST(test_fast_then_slow),
        TEST(test_slow_data_in_shortage),
        TEST(test_exhaustion),
        TEST(test_no_slot),
        TEST(test_crowding),
        TEST(test_dots_in_small_segments),
        TEST(test_stalled_replies),
        TEST(test_no_reply_block),
        TEST(test_draining),
        TEST(test_rejections),
        TEST(test_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
