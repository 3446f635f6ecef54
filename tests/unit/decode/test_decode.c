/* A part's lines as libclamav stores them, for each encoding, at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "signatures/content/decode/decode.h"

static const struct mime_part text_alone = {
    .media = MIME_MEDIA_TEXT_PLAIN, .encoding = MIME_ENCODING_8BIT, .type = "text/plain"};
static const struct mime_part no_type_alone = {
    .media = MIME_MEDIA_TEXT_PLAIN, .encoding = MIME_ENCODING_8BIT, .type = ""};
static const struct mime_part text_inside = {.depth = 1,
                                             .media = MIME_MEDIA_TEXT_PLAIN,
                                             .encoding = MIME_ENCODING_8BIT,
                                             .type = "text/plain"};

static struct mime_part with(const struct mime_part *part, enum mime_encoding encoding)
{
    struct mime_part changed = *part;

    changed.encoding = encoding;
    return changed;
}

/* The gate; what was written before it, or all of it, goes to `to`. */
static enum decode_gate decode(const struct mime_part *part, const char *text, size_t first,
                               size_t second, char *to, size_t *length)
{
    static uint8_t room[DECODE_ROOM];
    size_t cuts[] = {0, first, second, strlen(text)};
    struct decoder decoder;
    size_t count;

    *length = 0;
    decode_begin(&decoder, part);
    for (unsigned i = 0; i < 3; i++) {
        size_t piece = cuts[i + 1] - cuts[i];
        uint8_t *from = malloc(piece + 1);

        assert_non_null(from);
        memcpy(from, text + cuts[i], piece);
        count = decode_feed(&decoder, from, piece, room);
        memcpy(to + *length, room, count);
        *length += count;
        free(from);
    }
    count = decode_end(&decoder, room);
    memcpy(to + *length, room, count);
    *length += count;
    to[*length] = '\0';
    return decoder.gate;
}

static void check(const struct mime_part *part, const char *text, enum decode_gate gate,
                  const char *expected)
{
    size_t length = strlen(text);
    char to[4096];
    size_t written;

    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++) {
            assert_int_equal(decode(part, text, first, second, to, &written), gate);
            if (gate != DECODE_GATE_NONE)
                continue;
            assert_int_equal(written, strlen(expected));
            assert_string_equal(to, expected);
        }
    }
}

static void stored(const struct mime_part *part, const char *text, const char *expected)
{
    check(part, text, DECODE_GATE_NONE, expected);
}

static void gated(const struct mime_part *part, const char *text, enum decode_gate gate)
{
    check(part, text, gate, NULL);
}

static void test_lines(void **state)
{
    stored(&text_alone, "", "");
    stored(&text_alone, "one\r\n", "one\n");
    stored(&text_alone, "one", "one\n");
    stored(&text_alone, "one\r\ntwo\r\n", "one\ntwo\n");
    stored(&text_inside, "one", "one\n");
    stored(&text_inside, "one\r\ntwo", "one\ntwo\n");
    (void)state;
}

static void test_empty_lines(void **state)
{
    stored(&text_alone, "\r\n\r\na\r\n\r\n\r\nb\r\n\r\n\r\n", "\n\na\n\n\nb\n\n\n");
    stored(&no_type_alone, "\r\n\r\na\r\n\r\n\r\nb\r\n\r\n\r\n", "\na\n\nb\n\n");
    stored(&text_inside, "\r\n\r\na\r\n\r\n\r\nb\r\n\r\n\r\n", "a\n\nb\n\n");
    stored(&text_inside, "a\r\n", "a\n\n");
    stored(&text_inside, "", "");
    stored(&text_inside, "\r\n\r\n", "");
    (void)state;
}

static void test_white_lines(void **state)
{
    stored(&text_alone, "a\r\n \t \r\nb\r\n", "a\n \nb\n");
    stored(&text_alone, "\v\f\r\n", " \n");
    stored(&text_alone, "  indented\r\n", "  indented\n");
    stored(&text_alone, "  \r\n\t\r\nb\r\n \r\n", " \nb\n \n");
    stored(&text_alone, " \r\n\r\n \r\n\v\r\n \r\n", " \n\n \n \n");
    stored(&text_inside, " \r\n\r\n \r\n\r\nx", " \n\nx\n");
    stored(&text_inside, "x\r\n ", "x\n \n");
    (void)state;
}

static void test_semicolons(void **state)
{
    stored(&text_alone, ";\r\n;;\r\n ; \r\nx\r\n; ;\r\n", ";\nx\n; ;\n");
    stored(&text_alone, ";x\r\n;y\r\n", ";x\n;y\n");
    stored(&text_alone, " \r\n;\r\n", " \n");
    stored(&text_alone, ";\v\r\n;\v\r\n", ";\v\n;\v\n");
    stored(&text_alone, ";\r\n\r\n;", ";\n\n");
    (void)state;
}

static void test_quoted_printable(void **state)
{
    struct mime_part alone = with(&text_alone, MIME_ENCODING_QUOTED_PRINTABLE);
    struct mime_part inside = with(&text_inside, MIME_ENCODING_QUOTED_PRINTABLE);

    stored(&alone, "a=3D=\r\nb\r\n\r\n\r\n=20\r\n", "a=b\n\n\n \n");
    stored(&inside, "a=3D=\r\nb\r\n\r\n\r\n=20=\r\n", "a=b\n\n \n");
    stored(&inside, "end=", "end");
    stored(&inside, "=0D=0A\r\n \t\r\n", "\r\n\n \n\n");
    gated(&alone, "=G0\r\n", DECODE_GATE_QUOTED_PRINTABLE);
    gated(&alone, "text=0\r\n", DECODE_GATE_QUOTED_PRINTABLE);
    stored(&alone, "text=", "text");
    (void)state;
}

static void test_base64(void **state)
{
    struct mime_part alone = with(&text_alone, MIME_ENCODING_BASE64);
    struct mime_part inside = with(&text_inside, MIME_ENCODING_BASE64);

    stored(&alone, "DQoNCkFC\r\nQ0Q=\r\n", "\r\n\r\nABCD");
    stored(&inside, "IA0KIA0K\r\n\r\nOw==", " \r\n \r\n;");
    gated(&inside, "QUJD=", DECODE_GATE_BASE64);
    gated(&inside, "QQ==QQ==", DECODE_GATE_BASE64);
    gated(&inside, "QUJD\r\n-- \r\n", DECODE_GATE_BASE64);
    /* What readers agree on; unless something follows that they do not. */
    gated(&inside, "QUJ", DECODE_GATE_BASE64_LOOSE);
    gated(&inside, "QUJD \r\nQUJD", DECODE_GATE_BASE64_LOOSE);
    gated(&inside, "QUI=\r\n\t\r\n", DECODE_GATE_BASE64_LOOSE);
    gated(&inside, "QUK=\r\n", DECODE_GATE_BASE64_LOOSE);
    gated(&inside, "QU JD\r\nQQ==QQ", DECODE_GATE_BASE64);
    gated(&inside, "QUK=\r\nQUJD", DECODE_GATE_BASE64);
    (void)state;
}

static void test_bounce(void **state)
{
    struct mime_part part = with(&text_alone, MIME_ENCODING_QUOTED_PRINTABLE);

    gated(&part, "=43ontent-type: x\r\n", DECODE_GATE_BOUNCE);
    gated(&part, "say: CONTENT-TYP=45:", DECODE_GATE_BOUNCE);
    stored(&part, "content-typ: content_type:\r\n", "content-typ: content_type:\n");
    part = with(&text_alone, MIME_ENCODING_BASE64);
    gated(&part, "Q29udGVudC1UeXBlOiB4", DECODE_GATE_BOUNCE);
    part.media = MIME_MEDIA_TEXT_HTML;
    stored(&part, "Q29udGVudC1UeXBlOiB4", "Content-Type: x");
    stored(&text_alone, "Content-Type: x", "Content-Type: x\n");
    (void)state;
}

static void test_related(void **state)
{
    struct mime_part part = text_inside;

    part.related = true;
    part.media = MIME_MEDIA_TEXT_HTML;
    stored(&part, "a\r\n", "a\n\n");
    part.encoding = MIME_ENCODING_QUOTED_PRINTABLE;
    gated(&part, "a\r\n", DECODE_GATE_RELATED);
    part.media = MIME_MEDIA_IMAGE;
    part.encoding = MIME_ENCODING_BASE64;
    stored(&part, "QUJD", "ABC");
    (void)state;
}

/* The second file of a multipart/related's text, at every cut. */
static void stored_twice(enum mime_encoding encoding, const char *text, const char *expected)
{
    struct mime_part part = with(&text_inside, encoding);
    static uint8_t room[DECODE_ROOM];
    size_t length = strlen(text);

    part.related = true;
    part.media = MIME_MEDIA_TEXT_HTML;
    assert_true(decode_twice(&part));
    for (size_t cut = 0; cut <= length; cut++) {
        struct decoder first;
        struct decoder again;
        char to[4096];
        size_t written = 0;
        const size_t lengths[] = {cut, length - cut};

        decode_begin_twice(&first, &again, &part);
        for (unsigned i = 0; i < 2; i++) {
            size_t count = decode_feed(&again, (const uint8_t *)text + i * cut, lengths[i], room);

            memcpy(to + written, room, count);
            written += count;
        }
        written += decode_end(&again, (uint8_t *)to + written);
        assert_int_equal(again.gate, DECODE_GATE_NONE);
        assert_int_equal(first.gate, DECODE_GATE_NONE);
        assert_int_equal(written, strlen(expected));
        assert_memory_equal(to, expected, written);
    }
}

static void test_twice(void **state)
{
    stored_twice(MIME_ENCODING_QUOTED_PRINTABLE, "one\r\n\r\n\r\ntwo", "one\n\ntwo\n");
    stored_twice(MIME_ENCODING_QUOTED_PRINTABLE, "a=3Db\r\nc=\r\nd=20=\r\n=\r\nx",
                 "a=b\n\nc\nd \n\nx\n");
    stored_twice(MIME_ENCODING_QUOTED_PRINTABLE, "=0Alost\r\nkept=0A", "\nkept\n\n\n");
    stored_twice(MIME_ENCODING_BASE64, "QUJD\r\n\r\nREVG\r\n", "ABC\nDEF\n");
    stored_twice(MIME_ENCODING_BASE64, "QUJ\r\nDRE\r\nVG", "\nABC\nDEF\n");
    stored_twice(MIME_ENCODING_BASE64, "CkFC\r\nQQBB\r\nQUI=\r\n", "\nA\n\nAB\n");
    stored_twice(MIME_ENCODING_BASE64, "a\r\nQ\r\nl\r\ni", "\n\n\ni\n");
    (void)state;
}

static void test_media(void **state)
{
    struct mime_part part = text_alone;

    part.media = MIME_MEDIA_OTHER;
    gated(&part, "a\r\n", DECODE_GATE_MEDIA);
    part.depth = 1;
    stored(&part, "a", "a\n");
    (void)state;
}

static void test_long_white_line(void **state)
{
    static char text[2 * DECODE_HELD_MAX + 16];
    static char to[sizeof(text) + 1];
    size_t written;

    memset(text, ' ', DECODE_HELD_MAX);
    memcpy(text + DECODE_HELD_MAX, "x\r\n", 4);
    assert_int_equal(decode(&text_alone, text, 10, 1001, to, &written), DECODE_GATE_NONE);
    assert_int_equal(written, DECODE_HELD_MAX + 2);
    memset(text, ' ', DECODE_HELD_MAX + 1);
    assert_int_equal(decode(&text_alone, text, 10, 900, to, &written), DECODE_GATE_LONG_LINE);
    (void)state;
}

static void test_forced(void **state)
{
    struct mime_part part = with(&text_inside, MIME_ENCODING_NONE);

    assert_false(decode_forced(&part));
    part.name_length = 5;
    assert_true(decode_forced(&part));
    part.attachment = true;
    assert_false(decode_forced(&part));
    part.attachment = false;
    part.media = MIME_MEDIA_TEXT_HTML;
    assert_true(decode_forced(&part));
    part.media = MIME_MEDIA_IMAGE;
    assert_true(decode_forced(&part));
    part.depth = 0;
    assert_true(decode_forced(&part));
    part.encoding = MIME_ENCODING_8BIT;
    assert_false(decode_forced(&part));
    part.encoding = MIME_ENCODING_7BIT;
    assert_true(decode_forced(&part));
    part.unnamed = true;
    part.media = MIME_MEDIA_TEXT_PLAIN;
    assert_false(decode_forced(&part));
    part.media = MIME_MEDIA_APPLICATION;
    assert_false(decode_forced(&part));
    part.media = MIME_MEDIA_TEXT_HTML;
    assert_true(decode_forced(&part));
    (void)state;
}

static void test_texts(void **state)
{
    for (unsigned gate = 0; gate < DECODE_GATE_COUNT; gate++) {
        assert_non_null(decode_gate_text((enum decode_gate)gate));
        assert_true(decode_gate_class((enum decode_gate)gate) <= GATE_READERS);
    }
    assert_int_equal(decode_gate_class(DECODE_GATE_BASE64), GATE_READERS);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_empty_lines),
        cmocka_unit_test(test_white_lines),
        cmocka_unit_test(test_semicolons),
        cmocka_unit_test(test_quoted_printable),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_bounce),
        cmocka_unit_test(test_related),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_media),
        cmocka_unit_test(test_long_white_line),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
