/* What a body may be under an encoding: each way that some reader goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/content/readings/variants.h"

struct wanted {
    const char *text;
    bool seen;
    unsigned count;
};

static bool look(void *context, const uint8_t *bytes, size_t length)
{
    struct wanted *wanted = context;

    wanted->count++;
    wanted->seen = wanted->seen ||
                   (length == strlen(wanted->text) && memcmp(bytes, wanted->text, length) == 0);
    return true;
}

static bool look_named(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    struct wanted *wanted = context;

    assert_string_equal(name, "cat.txt");
    return look(wanted, bytes, length);
}

typedef bool decode(const uint8_t *body, size_t length, variants_take *take, void *context);

static void expect(decode *undo, const char *body, const char *text)
{
    struct wanted wanted = {.text = text};

    assert_true(undo((const uint8_t *)body, strlen(body), look, &wanted));
    if (!wanted.seen)
        fail_msg("\"%s\" is not \"%s\" to anybody", body, text);
}

static void test_base64(void **state)
{
    struct wanted once = {.text = "hello"};

    (void)state;
    expect(variants_base64, "aGVsbG8=", "hello");
    expect(variants_base64, "aGVs\r\nbG8=\r\n", "hello");
    expect(variants_base64, "aGVsbG8", "hello");   /* cut short */
    expect(variants_base64, "aGVs=bG8=", "hel");   /* ends at padding */
    expect(variants_base64, "aGVs=bG8=", "hello"); /* goes on */
    expect(variants_base64, "aGVsbG8=aGVsbG8=", "hellohello");
    expect(variants_base64, "aGVsbG8=\r\nd29ybGQ=\r\n", "world");        /* each alone */
    expect(variants_base64, "aG!Vs*bG8=", "hello");                      /* passes over rubbish */
    expect(variants_base64, "aGVs!bG8=", "hel");                         /* stops at it */
    expect(variants_base64, "rubbish, a line\r\naGVsbG8=\r\n", "hello"); /* passes over its line */
    expect(variants_base64, "aGVsx\r\nbG8=\r\n", "hello"); /* what a line leaves is dropped */
    expect(variants_base64, "aGVs=\r\nbG8x", "hello1");
    expect(variants_base64, "aG=VsbG8=", "hello");          /* padding that is none (Python) */
    expect(variants_base64, "aGVsaGk", "helhi");            /* what is left over counts */
    expect(variants_base64, "aGVsaGk", "hel");              /* or not (munpack, GMime) */
    expect(variants_base64, "_-_-", "\xff\xef\xfe");        /* letters of URLs (Node) */
    expect(variants_base64, "aGVs\r\n\r\n\r\nbG8=", "hel"); /* two empty lines end it (ripmime) */
    expect(variants_base64, "aGVsb\r\nG8xx", "aGVsbG8xx");  /* Python gives up: text */
    expect(variants_base64, "aG=saGVs", "h,hel");           /* '=' is a letter of a group (GMime) */
    expect(variants_base64, "aG=saGVs", "h`hel");           /* (Thunderbird) */
    assert_true(variants_base64((const uint8_t *)"aGVsbG8=\r\n", 10, look, &once));
    assert_int_equal(once.count, 1); /* what all agree on comes out once */
}

static void test_quoted_printable(void **state)
{
    (void)state;
    expect(variants_quoted_printable, "a=3Db", "a=b");
    expect(variants_quoted_printable, "a=3db", "a=b");
    expect(variants_quoted_printable, "a=\r\nb", "ab");
    expect(variants_quoted_printable, "a= \t\r\nb", "ab"); /* padded */
    expect(variants_quoted_printable, "a=\nb", "ab");
    expect(variants_quoted_printable, "a  \r\nb", "a\r\nb"); /* RFC 2045 6.7 (3) */
    expect(variants_quoted_printable, "a  \r\nb", "a  \r\nb");
    expect(variants_quoted_printable, "a=zzb", "a=zzb");
    expect(variants_quoted_printable, "a=zzb", "azzb");
    expect(variants_quoted_printable, "a=zzb", "ab");
    expect(variants_quoted_printable, "a=", "a");
    expect(variants_quoted_printable, "a=20\r\n", "a \r\n"); /* an encoded blank stays */
    expect(variants_quoted_printable, "a==b", "a=b");        /* of two one goes (Python) */
    expect(variants_quoted_printable, "a=\rb\r\nc", "ac");   /* up to LF (Python) */
    expect(variants_quoted_printable, "a==41", "a==41");     /* three are kept (GMime) */
    expect(variants_quoted_printable, "a==41", "a=A");       /* one is */
    expect(variants_quoted_printable, "a=4=\r\n1", "aA");    /* breaks first (libqp) */
    expect(variants_quoted_printable, "a=4Gb", "aGb");       /* and its digit goes (reformime) */
    expect(variants_quoted_printable, "a=G1b",
           "a\xf1"
           "b");                                                 /* a value (munpack) */
    expect(variants_quoted_printable, "a=0D=0A\r\nb", "a\n\nb"); /* encoded ends, too (munpack) */
    expect(variants_quoted_printable, "a=0D=0A\r\nb", "a\r\n\nb");
}

static void test_text(void **state)
{
    (void)state;
    expect(variants_text, "a\r\nb\r\n", "a\nb");
    expect(variants_text, "a\r\nb\r\n", "a\nb\n");
    expect(variants_text, "a\r\nb\r\n", "a\r\nb");
    expect(variants_text, "a\r\nb\r\n", "a\r\nb\r\n");
    expect(variants_text, "a\nb", "a\r\nb\r\n");
    expect(variants_text, "a", "a\n");
}

static void expect_uu(const char *body, const char *text)
{
    struct wanted wanted = {.text = text};

    assert_true(variants_uuencode((const uint8_t *)body, strlen(body), look_named, &wanted));
    if (!wanted.seen)
        fail_msg("\"%s\" holds no \"%s\"", body, text);
}

static void test_uuencode(void **state)
{
    (void)state;
    expect_uu("begin 644 cat.txt\n#0V%T\n`\nend\n", "Cat");
    expect_uu("words\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nmore\r\n", "Cat");
    expect_uu("begin 600 cat.txt\n#0V%T\n", "Cat"); /* no end */
    expect_uu("begin 644 cat.txt\nbegin 644 cat.txt\n#0V%T\nend\n", "Cat");
    expect_uu("begin 644 cat.txt\nabc\n#0V%T\n`\nend\n", "Cat"); /* odd lines go */
    expect_uu("begin-base64 644 cat.txt\nQ2F0\n====\n", "Cat");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_quoted_printable),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_uuencode),
    };

    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
