/* Doubling dots: the same bytes out for every way the bytes come in. */
#include "control/relay/outgoing.h"

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

static const struct source_kind kind = {.lasting = true};
static struct source source = {.kind = &kind, .holders = 1};

static void assert_out(struct evbuffer *out, const struct stuffing *stuffing, const char *expected)
{
    size_t length = evbuffer_get_length(out);
    char got[256] = "";

    assert_true(length + 6 < sizeof(got));
    assert_int_equal(evbuffer_remove(out, got, length), length);
    place(got + length, stuffing_end(stuffing));
    assert_string_equal(got, expected);
}

static void assert_stuffed(const char *in, const char *expected)
{
    size_t length = strlen(in);

    /* Every cut into three pieces, empty ones included. */
    for (size_t a = 0; a <= length; a++) {
        for (size_t b = a; b <= length; b++) {
            struct evbuffer *out = evbuffer_new();
            const uint8_t *bytes = (const uint8_t *)in;
            struct stuffing stuffing = {0};

            assert_int_equal(stuffing_add(&stuffing, out, bytes, a, &source), STATUS_OK);
            assert_int_equal(stuffing_add(&stuffing, out, bytes + a, b - a, &source), STATUS_OK);
            assert_int_equal(stuffing_add(&stuffing, out, bytes + b, length - b, &source),
                             STATUS_OK);
            assert_out(out, &stuffing, expected);
            evbuffer_free(out);
        }
    }
}

static void test_dots(void **state)
{
    (void)state;
    assert_stuffed("", ".\r\n");
    assert_stuffed("a\r\n", "a\r\n.\r\n");
    assert_stuffed(".\r\n", "..\r\n.\r\n");
    assert_stuffed("..\r\n", "...\r\n.\r\n");
    assert_stuffed(".a.\r\n.\r\n\r\n.b\r\n", "..a.\r\n..\r\n\r\n..b\r\n.\r\n");
    assert_stuffed("a.b\r\n \r\n. \r\n", "a.b\r\n \r\n.. \r\n.\r\n");
    assert_stuffed("no end", "no end\r\n.\r\n");
    assert_stuffed("\r\n\r\n.", "\r\n\r\n..\r\n.\r\n");
}

static void test_bare_ends_are_refused(void **state)
{
    static const char *const bad[] = {"a\nb\r\n", "\n.\r\n", "a\rb\r\n", "\r\r\n", "a\r\n\n.\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (size_t cut = 0; cut <= strlen(bad[i]); cut++) {
            struct evbuffer *out = evbuffer_new();
            const uint8_t *bytes = (const uint8_t *)bad[i];
            struct stuffing stuffing = {0};
            enum status first = stuffing_add(&stuffing, out, bytes, cut, &source);

            if (first == STATUS_OK)
                assert_int_equal(
                    stuffing_add(&stuffing, out, bytes + cut, strlen(bad[i]) - cut, &source),
                    STATUS_BAD_FORMAT);
            else
                assert_int_equal(first, STATUS_BAD_FORMAT);
            evbuffer_free(out);
        }
    }
}

static void test_references_are_held_until_they_are_gone(void **state)
{
    uint8_t *bytes = malloc(20000);
    struct evbuffer *out = evbuffer_new();
    struct stuffing stuffing = {0};

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'x', 20000);
    place(bytes + 10000, "\r\n.");
    assert_int_equal(stuffing_add(&stuffing, out, bytes, 20000, &source), STATUS_OK);
    assert_int_equal(evbuffer_get_length(out), 20001);
    assert_int_equal(source.holders, 3); /* two long runs */
    (void)evbuffer_drain(out, 10003);
    assert_int_equal(source.holders, 2);
    evbuffer_free(out);
    assert_int_equal(source.holders, 1);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dots),
        cmocka_unit_test(test_bare_ends_are_refused),
        cmocka_unit_test(test_references_are_held_until_they_are_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
