#include "control/relay/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Without the zero. */
static void place(void *to, const char *text)
{
    for (char *at = to; *text != '\0'; at++, text++)
        *at = *text;
}

/* Feeds `bytes` in pieces of `piece`; returns how it ended, *used over all. */
static enum reply_progress feed(struct reply *reply, const char *bytes, size_t length, size_t piece,
                                size_t *used)
{
    enum reply_progress progress = REPLY_MORE;

    reply_start(reply);
    *used = 0;
    while (*used < length && progress == REPLY_MORE) {
        size_t part = length - *used < piece ? length - *used : piece;
        size_t taken;

        progress = reply_feed(reply, bytes + *used, part, &taken);
        *used += taken;
    }
    return progress;
}

static void assert_reply(const char *bytes, unsigned code, const char *text, size_t rest)
{
    struct reply reply;
    size_t used;

    for (size_t piece = 1; piece <= strlen(bytes); piece++) {
        assert_int_equal(feed(&reply, bytes, strlen(bytes), piece, &used), REPLY_DONE);
        assert_int_equal(reply.code, code);
        assert_string_equal(reply.text, text);
        assert_int_equal(used, strlen(bytes) - rest);
    }
}

static void assert_bad(const char *bytes, size_t length)
{
    struct reply reply;
    size_t used;

    for (size_t piece = 1; piece <= length; piece = piece * 2 + 1)
        assert_int_equal(feed(&reply, bytes, length, piece, &used), REPLY_BAD);
}

static void test_replies(void **state)
{
    (void)state;
    assert_reply("250 OK\r\n", 250, "OK", 0);
    assert_reply("250\r\n", 250, "", 0);
    assert_reply("250 \r\n", 250, "", 0);
    assert_reply("250 bare\n", 250, "bare", 0);
    assert_reply("550-5.1.1 no\r\n550-\r\n550 5.1.1 such user\r\n", 550,
                 "5.1.1 no\n\n5.1.1 such user", 0);
    assert_reply("250 one\r\n354 two\r\n", 250, "one", 9);
    assert_reply("554 caf\xc3\xa9\x01\ttab\r\n", 554, "caf??? tab", 0);
}

static void test_zero_bytes_are_shown(void **state)
{
    struct reply reply;
    size_t used;

    (void)state;
    assert_int_equal(feed(&reply, "250 a\0b\r\n", 9, 9, &used), REPLY_DONE);
    assert_string_equal(reply.text, "a?b");
}

static void test_what_is_not_smtp(void **state)
{
    static const char *const bad[] = {
        "\r\n",           "25\r\n",    "150 early\r\n",      "650 late\r\n",
        "2x0 letter\r\n", "hello\r\n", "250x\r\n",           "250-a\r\n550 b\r\n",
        " 250 a\r\n",     "-50 a\r\n", "HTTP/1.1 200 OK\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_bad(bad[i], strlen(bad[i]));
}

static void test_limits(void **state)
{
    size_t length = REPLY_BYTES_MAX + 1;
    char *bytes = malloc(length + 16);
    struct reply reply;
    size_t used;

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'a', length);
    place(bytes, "250 ");
    assert_bad(bytes, length);
    /* As long as may be, text cut. */
    place(bytes + REPLY_BYTES_MAX - 2, "\r\n");
    assert_int_equal(feed(&reply, bytes, REPLY_BYTES_MAX, 4096, &used), REPLY_DONE);
    assert_int_equal(strlen(reply.text), RELAY_TEXT_BYTES - 1);
    for (size_t i = 0; i < REPLY_LINES_MAX + 1; i++)
        place(bytes + i * 6, "250-\r\n");
    assert_bad(bytes, (REPLY_LINES_MAX + 1) * 6);
    place(bytes + (REPLY_LINES_MAX - 1) * 6, "250 \r\n");
    assert_int_equal(feed(&reply, bytes, REPLY_LINES_MAX * 6, 7, &used), REPLY_DONE);
    free(bytes);
}

static void test_offers(void **state)
{
    static const char all[] = "250-PIPELINING\r\n250-pipelining\r\n250-Size 1000\r\n"
                              "250-8bitmime\r\n250 ENHANCEDSTATUSCODES\r\n";
    static const char none[] = "250-x\r\n250-SIZEABLE\r\n250-PIPE\r\n250-8BITMIMEX\r\n250 X\r\n";
    struct reply reply;
    size_t used;

    (void)state;
    /* The first line is the server's name, whatever that is. */
    assert_int_equal(feed(&reply, "250 PIPELINING\r\n", 16, 16, &used), REPLY_DONE);
    assert_false(reply.offers.pipelining);
    assert_int_equal(feed(&reply, all, sizeof(all) - 1, 3, &used), REPLY_DONE);
    assert_true(reply.offers.pipelining && reply.offers.size && reply.offers.eight_bit);
    assert_int_equal(feed(&reply, none, sizeof(none) - 1, 3, &used), REPLY_DONE);
    assert_false(reply.offers.pipelining || reply.offers.size || reply.offers.eight_bit);
}

static void test_enhanced_codes(void **state)
{
    (void)state;
    assert_int_equal(reply_enhanced_code(550, "5.1.1 no"), 5);
    assert_int_equal(reply_enhanced_code(450, "4.7.100"), 7);
    assert_int_equal(reply_enhanced_code(550, "4.1.1 no"), 0);
    assert_int_equal(reply_enhanced_code(550, "5.1 no"), 0);
    assert_int_equal(reply_enhanced_code(550, "5.1.1x"), 0);
    assert_int_equal(reply_enhanced_code(550, "5.1.1234 x"), 0);
    assert_int_equal(reply_enhanced_code(550, ""), 0);
    assert_int_equal(reply_enhanced_code(550, "5"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),          cmocka_unit_test(test_zero_bytes_are_shown),
        cmocka_unit_test(test_what_is_not_smtp), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_offers),           cmocka_unit_test(test_enhanced_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
