/* Message data: where it ends, what is kept of it, what refuses it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialogue.h"

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
            struct pipe_options options = {1 + (uint32_t)cut % 61, (uint32_t)cut % 5,
                                           TCP_SEND_BYTES};
            size_t at = 0;

            if (cut % 4 == 0)
                options.block_use = 8192;
            rig_open(&h, &options);
            while (at < (size_t)length) {
                /* In odd rounds two pieces, else many of `cut` bytes. */
                size_t part = (size_t)length - at;

                if (part > cut && (at == 0 || cut % 2 == 0))
                    part = cut;
                rig_send(&h, text + at, part, part);
                (void)rig_finish(&h, &delivered);
                at += part;
            }
            while (rig_finish(&h, &delivered))
                ;
            assert_int_equal(h.submitted, 2);
            (void)snprintf(expected, sizeof(expected),
                           TO_ALICE_REPLY GO_AHEAD
                           "250 2.0.0 [%s] Ok: queued as 9F\r\n" MAIL_OK RCPT_OK GO_AHEAD
                           "250 2.0.0 [%s] Ok: queued as 9F\r\n" BYE,
                           h.messages[0].id, h.messages[1].id);
            assert_string_equal(h.pipe.sent, expected);
            for (unsigned j = 0; j < 2; j++) {
                assert_int_equal(h.messages[j].length, strlen(bodies[i].message));
                assert_memory_equal(h.messages[j].bytes, bodies[i].message, h.messages[j].length);
            }
            assert_string_not_equal(h.messages[0].id, h.messages[1].id);
            rig_close(&h);
            assert_true(rig_store_full(&h));
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
            struct pipe_options options = {1 + (uint32_t)piece % 7, 3, TCP_SEND_BYTES};

            rig_open(&h, &options);
            rig_send(&h, text, (size_t)length, piece);
            assert_string_equal(
                h.pipe.sent, TO_ALICE_REPLY GO_AHEAD
                "550 5.5.2 Bare CR or LF in message data: lines end with CRLF\r\n" BYE);
            assert_int_equal(h.submitted, 0);
            assert_int_equal(h.concluded, 1);
            assert_int_equal(h.outcome, MAIL_MALFORMED);
            rig_close(&h);
            assert_true(rig_store_full(&h));
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
            rig_open(&h, NULL);
            rig_send(&h, text, length, pass == 0 ? SIZE_MAX : 1);
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
                assert_true(rig_finish(&h, &delivered));
            rig_close(&h);
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
        rig_open(&h, NULL);
        say(text);
        assert_int_equal(h.submitted, 0);
        assert_int_equal(h.outcome, MAIL_MALFORMED);
        rig_close(&h);
    }
}

#define NUL_REFUSED "550 5.5.2 NUL in message data\r\n"

/* A server behind that drops NULs would see an end of data here. At every place of a message, read
 * by the piece and by the byte. */
static void test_nul_anywhere(void **state)
{
    static const char head[] = TO_ALICE "DATA\r\n";
    static const char data[] = "A: b\r\n\r\n0123456789012345678901234567890123456789012345678901"
                               "23456789012345678901234567890123456789\r\n..x\r\ny\r\n";

    (void)state;
    for (size_t at = 0; at < sizeof(data); at++) {
        char text[512];
        size_t length = 0;

        memcpy(text, head, strlen(head));
        length = strlen(head);
        memcpy(text + length, data, at);
        text[length + at] = '\0';
        memcpy(text + length + at + 1, data + at, strlen(data) - at);
        length += strlen(data) + 1;
        memcpy(text + length, "\r\n.\r\n", 5);
        length += 5;
        for (unsigned pass = 0; pass < 2; pass++) {
            rig_open(&h, NULL);
            rig_send(&h, text, length, pass == 0 ? SIZE_MAX : 1);
            assert_int_equal(h.submitted, 0);
            assert_int_equal(h.outcome, MAIL_MALFORMED);
            /* Between CR and LF it makes a bare CR. */
            assert_non_null(strstr(h.pipe.sent, at > 0 && data[at - 1] == '\r'
                                                    ? "550 5.5.2 Bare CR or LF"
                                                    : NUL_REFUSED));
            rig_close(&h);
        }
    }
}

static void test_nul_smuggles_nothing(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nA: b\r\n\r\nx\r\n\0.\r\nMAIL FROM:<evil@c>\r\n"
                                        ".\r\nQUIT\r\n";

    (void)state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        rig_open(&h, NULL);
        rig_send(&h, text, sizeof(text) - 1, piece);
        assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD NUL_REFUSED BYE);
        assert_int_equal(h.concluded, 1);
        rig_close(&h);
    }
}

/* A first line that begins with a blank must not become a part of the field before it, which is
 * ours: our header ends first. The sender's bytes, their size and the limit stay as they are. */
static void test_first_line_begins_with_blank(void **state)
{
    static const char *const firsts[][2] = {
        {" x: y\r\n.\r\n", " x: y\r\n"},
        {"\tx\r\n\r\nz\r\n.\r\n", "\tx\r\n\r\nz\r\n"},
        {". x\r\n.\r\n", " x\r\n"},
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        int length = snprintf(text, sizeof(text), TO_ALICE "DATA\r\n%s", firsts[i][0]);

        for (size_t piece = 1; piece <= (size_t)length; piece++) {
            rig_open(&h, NULL);
            rig_send(&h, text, (size_t)length, piece);
            assert_int_equal(h.submitted, 1);
            assert_memory_equal(h.messages[0].bytes, "\r\n", 2);
            assert_string_equal(h.messages[0].bytes + 2, firsts[i][1]);
            assert_int_equal(message_size(h.messages[0].message), strlen(firsts[i][1]));
            assert_true(rig_finish(&h, &delivered));
            rig_close(&h);
        }
    }
    for (unsigned over = 0; over < 2; over++) {
        char line[1001];

        memset(line, 'x', 1000);
        memcpy(line + 998, "\r\n", 3);
        rig_open(&h, NULL);
        say(TO_ALICE "DATA\r\n ");
        for (unsigned i = 0; i < 9; i++)
            say(line);
        say(line + 1 - over);
        assert_int_equal(h.concluded, over);
        say(".\r\n");
        assert_int_equal(rig_finish(&h, &delivered), over == 0);
        rig_close(&h);
    }
}

static void test_no_early_answer(void **state)
{
    (void)state;
    rig_open(&h, NULL);
    say(TO_ALICE "DATA\r\nx\ny\r\n");
    assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD);
    assert_int_equal(h.concluded, 1); /* the blocks are back already ... */
    assert_int_equal(h.store.free_slot_count, RIG_SLOTS);
    say("NOOP\r\n.\r\n"); /* ... the answer waits for the end */
    assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD
                        "550 5.5.2 Bare CR or LF in message data: lines end with CRLF\r\n");
    rig_close(&h);
}

static void test_too_large(void **state)
{
    char line[1002];

    (void)state;
    memset(line, 'x', 1000);
    memcpy(line + 998, "\r\n", 3);
    for (unsigned lines = 9; lines <= 12; lines++) {
        rig_open(&h, NULL);
        say(TO_ALICE "DATA\r\n");
        for (unsigned i = 0; i < lines; i++)
            say(line);
        assert_int_equal(h.concluded, lines > 10);
        say(".\r\nNOOP\r\n");
        if (lines <= 10) {
            assert_int_equal(h.messages[0].length, lines * 1000);
            assert_true(rig_finish(&h, &delivered));
        } else {
            assert_int_equal(h.outcome, MAIL_TOO_LARGE);
            assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD TOO_LARGE OK);
        }
        rig_close(&h);
        assert_true(rig_store_full(&h));
    }
    /* Who goes on past twice the limit is not listened to any more. */
    rig_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    for (unsigned i = 0; i < 22; i++)
        say(line);
    assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD
                        "421 4.7.0 mx.example.com Error: too much data\r\n");
    assert_true(h.pipe.closed);
    rig_close(&h);
}

static void test_loop(void **state)
{
    static const char text[] = TO_ALICE "DATA\r\nReceived: 1\r\nreceived: 2\r\nReceived: 3\r\n"
                                        "Received: 4\r\n..Received: no\r\nReceived: 5\r\n\r\n.\r\n";

    (void)state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        rig_open(&h, NULL);
        rig_send(&h, text, strlen(text), piece);
        assert_string_equal(h.pipe.sent, TO_ALICE_REPLY GO_AHEAD "554 5.4.6 Too many hops\r\n");
        assert_int_equal(h.outcome, MAIL_MALFORMED);
        rig_close(&h);
    }
}

/* Segments of a few bytes with a stuffed dot in each must not use up the extents. */
static void test_dots_in_small_segments(void **state)
{
    (void)state;
    rig_open(&h, NULL);
    say(TO_ALICE "DATA\r\n");
    for (unsigned i = 0; i < 3000; i++)
        rig_send(&h, "..\r\n", 4, 4);
    say(".\r\n");
    assert_int_equal(h.messages[0].length, 9000);
    assert_int_equal(h.messages[0].message->shared->extent_count, 2); /* trace and one block */
    for (size_t i = 0; i < 9000; i++)
        assert_int_equal(h.messages[0].bytes[i], ".\r\n"[i % 3]);
    assert_true(rig_finish(&h, &delivered));
    rig_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIALOGUE_TEST(test_every_split),
        DIALOGUE_TEST(test_smuggling),
        DIALOGUE_TEST(test_pieces),
        DIALOGUE_TEST(test_bare_anywhere),
        DIALOGUE_TEST(test_nul_anywhere),
        DIALOGUE_TEST(test_nul_smuggles_nothing),
        DIALOGUE_TEST(test_first_line_begins_with_blank),
        DIALOGUE_TEST(test_no_early_answer),
        DIALOGUE_TEST(test_too_large),
        DIALOGUE_TEST(test_loop),
        DIALOGUE_TEST(test_dots_in_small_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
