/* What a body may be under an encoding: each way that some reader goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/content/readings/variants.h"

struct wanted {
    const char *text;
    const char *name;
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

    assert_string_equal(name, wanted->name);
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

static void expect_uu_named(const char *body, const char *name, const char *text)
{
    struct wanted wanted = {.text = text, .name = name};

    assert_true(variants_uuencode((const uint8_t *)body, strlen(body), look_named, &wanted));
    if (!wanted.seen)
        fail_msg("\"%s\" holds no \"%s\"", body, text);
}

static void expect_uu(const char *body, const char *text)
{
    expect_uu_named(body, "cat.txt", text);
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
    expect_uu_named("begin`644`cat.txt\n#0V%T\n`\nend\n", "", "Cat"); /* not for all a begin */
    expect_uu_named("begin\r\n#0V%T\r\nend\r\n", "", "Cat");
    expect_uu("begin with words\nbegin 644 cat.txt\n#0V%T\n`\nend\n", "Cat");
}

struct files {
    unsigned count;
    char name[8][32];
    char text[8][128];
    size_t length[8];
};

static bool keep(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    struct files *files = context;

    assert_true(files->count < 8 && length < sizeof(files->text[0]));
    (void)snprintf(files->name[files->count], sizeof(files->name[0]), "%s", name);
    memcpy(files->text[files->count], bytes, length);
    files->length[files->count++] = length;
    return true;
}

static void expect_file(const struct files *files, unsigned number, const char *name,
                        const char *text, size_t length)
{
    assert_true(number < files->count);
    assert_string_equal(files->name[number], name);
    assert_int_equal(files->length[number], length);
    assert_memory_equal(files->text[number], text, length);
}

/* Checked with uudeview 0.5.20. */
static void test_yenc(void **state)
{
    static const char one[] = "words\r\n=ybegin line=128 size=5 name=cat dog.bin \r\n"
                              "m\x8b\x9e=}=n\r\n=yend size=5\r\nmore\r\n";
    static const char two[] = "=ybegin part=1 line=3 size=6 name=cat\n=ypart begin=1 end=3\n"
                              "m\x8b\x9e\n=yend size=3 part=1\n"
                              "=ybegin part=2 line=3 size=6 name=cat\n=ypart begin=4 end=6\n"
                              "n\x99\x91\n=yend size=3 part=2\n";
    struct files files = {0};

    (void)state;
    assert_true(variants_yenc((const uint8_t *)one, strlen(one), keep, &files));
    assert_int_equal(files.count, 1);
    expect_file(&files, 0, "cat dog.bin", "Cat\x13\x04", 5);
    files.count = 0;
    assert_true(variants_yenc((const uint8_t *)two, strlen(two), keep, &files));
    assert_int_equal(files.count, 3);
    expect_file(&files, 0, "cat", "Cat", 3);
    expect_file(&files, 1, "cat", "Dog", 3);
    expect_file(&files, 2, "cat", "CatDog", 6);
    files.count = 0;
    assert_true(variants_yenc((const uint8_t *)"=ybegin name=a\nm", 16, keep, &files));
    expect_file(&files, 0, "a", "C", 1); /* no end */
}

/* Written by Convert::BinHex 1.125, read by hexbin of macutils 2.0b3. */
static const char binhex[] = "(This file must be converted with BinHex 4.0)\r\n"
                             ":\"f0KG#jdH(3!9%9B9(4dH(3!!!!!!#`!!!!0NUK$BA3JB@jN)'4[Cbk3!*!!)'&\r\n"
                             "KB@&KB@&KB@&KB@&KB@&KB@&KB@&KB5\"PEQ3+PIjbCA0[GA*MC5\"QEh*VELS!:\r\n";

static void test_binhex(void **state)
{
    static const char data[] = "Cat and dog.\x90\x90 aaaaaaaaaaaaaaaaaaaaaaaa end\n";
    struct files files = {0};

    (void)state;
    assert_true(variants_binhex((const uint8_t *)binhex, strlen(binhex), keep, &files));
    assert_int_equal(files.count, 2);
    expect_file(&files, 0, "cat.txt", data, 44);
    expect_file(&files, 1, "cat.txt", "resource fork", 13);
    files.count = 0;
    assert_true(variants_binhex((const uint8_t *)binhex, 150, keep, &files)); /* cut short */
    assert_int_equal(files.count, 1);
    assert_memory_equal(files.text[0], data, files.length[0]);
    files.count = 0;
    assert_true(variants_binhex((const uint8_t *)":words: and more\n:\n", 19, keep, &files));
    assert_int_equal(files.count, 0);
}

/* Runs that would give more than there may be end it. */
static void test_runs(void **state)
{
    const size_t groups = (VARIANTS_RUNS_MAX / 254 * 2) / 3 + 4096;
    uint8_t *text = malloc(groups * 4 + 1);
    struct files files = {0};

    (void)state;
    assert_non_null(text);
    text[0] = ':';
    for (size_t i = 0; i < groups; i++) { /* 90 ff 90, ff 90 ff: each second byte says 255 */
        for (unsigned k = 0; k < 4; k++)
            text[1 + i * 4 + k] = (uint8_t)(i % 2 == 0 ? "N2q3" : "rj$r")[k];
    }
    assert_false(variants_binhex(text, groups * 4 + 1, keep, &files));
    assert_int_equal(files.count, 0);
    free(text);
}

static void test_look(void **state)
{
    (void)state;
    assert_true(variants_look_embedded((const uint8_t *)"a\nbegin 644 a\n", 14));
    assert_true(variants_look_embedded((const uint8_t *)"=ybegin a\n", 10));
    assert_true(variants_look_embedded((const uint8_t *)binhex, strlen(binhex)));
    assert_false(variants_look_embedded((const uint8_t *)"we begin 644 a\n", 15));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64), cmocka_unit_test(test_quoted_printable),
        cmocka_unit_test(test_text),   cmocka_unit_test(test_uuencode),
        cmocka_unit_test(test_yenc),   cmocka_unit_test(test_binhex),
        cmocka_unit_test(test_runs),   cmocka_unit_test(test_look),
    };

    (void)argc;
    (void)argv;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
