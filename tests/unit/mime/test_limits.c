/* Hostile shapes: what is beyond a limit is gated, and time grows with the bytes alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/mime/rig.h"

#define RECEIVED "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"

static struct {
    char *bytes;
    size_t length;
    size_t size;
} text;

static void put(const char *string)
{
    size_t length = strlen(string);

    if (text.length + length >= text.size) {
        text.size = 2 * (text.length + length) + 64;
        text.bytes = realloc(text.bytes, text.size);
        assert_non_null(text.bytes);
    }
    memcpy(text.bytes + text.length, string, length + 1);
    text.length += length;
}

static void begin(const char *string)
{
    text.length = 0;
    put(RECEIVED);
    put(string);
}

static void repeat(const char *string, unsigned count)
{
    while (count-- > 0)
        put(string);
}

static void check(enum mime_gate gate)
{
    struct rig_result result;
    struct rig_result other;

    rig_run(&result, text.bytes, text.length, text.length);
    assert_string_equal(mime_gate_text(result.gate), mime_gate_text(gate));
    for (uint32_t seed = 1; seed < 4; seed++) {
        rig_run_random(&other, text.bytes, text.length, 3000, seed);
        assert_int_equal(other.gate, result.gate);
        if (gate == MIME_GATE_NONE) {
            assert_int_equal(other.length, result.length);
            assert_memory_equal(other.text, result.text, result.length);
        }
        rig_free(&other);
    }
    rig_free(&result);
}

/* `count` multiparts in each other. */
static void nest(unsigned count)
{
    char line[128];

    begin("");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0) {
            (void)snprintf(line, sizeof(line), "\r\n--%u\r\n", i - 1);
            put(line);
        }
        (void)snprintf(line, sizeof(line), "Content-Type: multipart/mixed; boundary=%u\r\n", i);
        put(line);
    }
    (void)snprintf(line, sizeof(line), "\r\n--%u\r\nA: b\r\n\r\nx\r\n", count - 1);
    put(line);
}

static void test_depth(void **state)
{
    (void)state;
    nest(MIME_DEPTH_MAX);
    check(MIME_GATE_NONE);
    nest(MIME_DEPTH_MAX + 1);
    check(MIME_GATE_MULTIPART_DEPTH);
    nest(MIME_DEPTH_ROOM);
    check(MIME_GATE_MULTIPART_DEPTH);
    nest(MIME_DEPTH_ROOM + 1);
    check(MIME_GATE_MULTIPART_DEEP);
    nest(100000);
    check(MIME_GATE_MULTIPART_DEEP);
}

static void test_parts(void **state)
{
    static const char part[] = "--b\r\nA: b\r\n\r\n";

    (void)state;
    begin("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    repeat(part, MIME_PARTS_MAX);
    check(MIME_GATE_NONE);
    put(part);
    check(MIME_GATE_PARTS);
    repeat(part, 100000);
    check(MIME_GATE_PARTS);
    /* The epilogue is one more. */
    begin("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    repeat(part, MIME_PARTS_MAX);
    put("--b--\r\nx\r\n");
    check(MIME_GATE_PARTS);
}

static void test_header(void **state)
{
    (void)state;
    begin("");
    repeat("X-A: b\r\n", MIME_HEADER_MAX / 8 - 16);
    put("\r\n");
    check(MIME_GATE_NONE);
    begin("");
    repeat("X-A: b\r\n", MIME_HEADER_MAX / 8);
    check(MIME_GATE_HEADER_SIZE);
    begin("X-A: b\r\n");
    repeat(" c\r\n", 1000000);
    check(MIME_GATE_HEADER_SIZE);
    begin("Content-Type: text/plain; charset=x");
    repeat(";\r\n a=01234567890123456789", MIME_FIELD_MAX / 25 - 2);
    put("\r\n\r\n");
    check(MIME_GATE_NONE);
    begin("Content-Type: text/plain; charset=x");
    repeat(";\r\n a=01234567890123456789", MIME_FIELD_MAX / 25 + 50);
    put("\r\n\r\n");
    check(MIME_GATE_HEADER_SIZE);
}

/* With 256 parameters a message is over a limit of libclamav's. */
static void test_parameters(void **state)
{
    (void)state;
    begin("Content-Type: text/plain");
    repeat(";\r\n a=b", MIME_PARAMETERS_MAX);
    put("\r\n\r\n");
    check(MIME_GATE_NONE);
    begin("Content-Type: text/plain");
    repeat("; a=b", MIME_PARAMETERS_MAX + 1);
    put("\r\n\r\n");
    check(MIME_GATE_PARAMETERS);
    begin("Content-Type: text/plain");
    repeat(";\r\n\ta=b", 256);
    put("\r\n\r\n");
    check(MIME_GATE_PARAMETERS);
}

static void test_name(void **state)
{
    (void)state;
    begin("Content-Disposition: inline; filename=\"");
    repeat("0123456789", 25);
    put("abcde\"\r\n\r\n");
    check(MIME_GATE_NONE);
    begin("Content-Disposition: inline; filename=\"");
    repeat("0123456789", 25);
    put("abcdef\"\r\n\r\n");
    check(MIME_GATE_PARAMETER);
}

static void test_folds(void **state)
{
    (void)state;
    begin("\r\n");
    repeat(" x\r\n\r\n", 190000);
    check(MIME_GATE_NONE);
    repeat("\tx\r\n", 1);
    check(MIME_GATE_FOLDS);
}

static void test_cut_lines(void **state)
{
    struct rig_result result;

    (void)state;
    /* The library's lines: 999 bytes, 999 bytes, the rest. */
    for (unsigned length = 996; length < 1003; length++) {
        begin("\r\n");
        repeat("a", length);
        put("\r\nb\r\n");
        check(MIME_GATE_NONE);
        rig_run(&result, text.bytes, text.length, text.length);
        assert_int_equal(result.length - strlen("0 (plain) none depth=0\n$\n"),
                         length + 5 + (length > 998 ? 2 : 0));
        if (length > 998)
            assert_memory_equal(result.text + strlen("0 (plain) none depth=0\n") + 999, "\r\n", 2);
        rig_free(&result);
    }
    begin("\r\n");
    repeat("a", 1000000);
    put("\r\n");
    check(MIME_GATE_NONE);
}

/* What the parser takes for the text, at best of five, in seconds. */
static double seconds(void)
{
    double best = 1e9;

    for (unsigned i = 0; i < 5; i++) {
        struct rig_result result;
        struct timespec before;
        struct timespec after;
        double time;

        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        rig_run(&result, text.bytes, text.length, text.length);
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        rig_free(&result);
        time =
            (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
        if (time < best)
            best = time;
    }
    return best;
}

/* Eight times the lines may take sixteen times as long, on a busy machine; were a step not linear,
 * it would be 64 times. */
static void check_linear(const char *start, const char *line)
{
    double one;
    double eight;

    begin(start);
    repeat(line, 10000);
    one = seconds();
    repeat(line, 7u * 10000);
    eight = seconds();
    if (eight > 16 * one + 0.01)
        fail_msg("%f s and %f s for \"%s\"", one, eight, line);
}

static void test_linear(void **state)
{
    static const char nested[] =
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n"
        "Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\n"
        "Content-Type: multipart/mixed; boundary=e\r\n\r\n--e\r\n"
        "Content-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\nA: b\r\n\r\n";

    (void)state;
    check_linear(nested, "--x(\\\"y\r\n");
    check_linear(nested, "-\r\n");
    check_linear(nested, "(((((((((((\r\n");
    check_linear("\r\n", "\r\n");
    check_linear("\r\n", " ;x\r\n");
    check_linear("\r\n", "BinHexBinHexBinHexBinHexBinHexBinHe BinHeX\r\n");
    check_linear("\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    check_linear("X-A: b\r\n", "X-C: d\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_parts),
        cmocka_unit_test(test_header),    cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_name),      cmocka_unit_test(test_folds),
        cmocka_unit_test(test_cut_lines), cmocka_unit_test(test_linear),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(text.bytes);
    return failed;
}
