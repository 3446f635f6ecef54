/* Containers: made here, read, cut short and spoilt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "tests/unit/read/collect.h"

#define CONTAINER_MAX 65536u

struct made {
    uint8_t bytes[CONTAINER_MAX];
    size_t length;
};

static void make_header(struct made *made)
{
    memset(made->bytes, ' ', 512);
    (void)snprintf((char *)made->bytes, 512, "ClamAV-VDB:21 Nov 2026 21-00 -0500:1:3:90:x:y:z:1");
    made->length = 512;
}

static void make_member(struct made *made, const char *name, char type, const char *content)
{
    uint8_t *block = made->bytes + made->length;
    size_t length = strlen(content);

    memset(block, 0, 512);
    (void)snprintf((char *)block, 100, "%s", name);
    (void)snprintf((char *)block + 124, 12, "%011o", (unsigned)length);
    block[156] = (uint8_t)type;
    memset(block + 512, 0, (length + 511) / 512 * 512);
    memcpy(block + 512, content, length + 1);
    made->length += 512 + (length + 511) / 512 * 512;
}

/* Compresses what follows the header. */
static void make_compressed(struct made *made)
{
    static uint8_t plain[CONTAINER_MAX];
    size_t length = made->length - 512;
    z_stream stream = {.next_in = plain};

    memcpy(plain, made->bytes + 512, length);
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.avail_in = (unsigned)length;
    stream.next_out = made->bytes + 512;
    stream.avail_out = CONTAINER_MAX - 512;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    made->length = CONTAINER_MAX - stream.avail_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
}

static void make_members(struct made *made)
{
    char many[4096] = "";

    for (unsigned i = 0; i < 100; i++)
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "N%u:0:*:6162%02x\n", i,
                       i);
    make_header(made);
    make_member(made, "COPYING", '0', "Free.\n");
    make_member(made, "test.info", '0', "ClamAV-VDB:x\n");
    make_member(made, "test.ndb", '\0', many);
    make_member(made, "test.ldb", '0', "L;Engine:51-255,Target:3;0&1;6162;6364\n");
    make_member(made, "test.hdb", '0', "44d88612fea8a8f36de82e1278abb02f:68:H\n");
}

static void expect_members(const struct made *made, const char *name)
{
    struct collection *collection = collect_bytes(name, made->bytes, made->length);

    assert_string_equal(collection->why.text, "");
    assert_int_equal(collection->status, STATUS_OK);
    assert_int_equal(collection->signature_count, 101);
    assert_string_equal(collection->signatures[99].formula, "\"abc\"");
    assert_string_equal(collection->signatures[99].file, "test.ndb");
    assert_int_equal(collection->signatures[99].line, 100);
    assert_string_equal(collection->signatures[100].formula, "&(\"ab\" \"cd\")");
    assert_int_equal(collection->hash_count, 1);
    assert_string_equal(collection->text, "counted test.info checksums of the container 1\n");
    free(collection);
}

static void test_members(void **state)
{
    static struct made made;

    (void)state;
    make_members(&made);
    expect_members(&made, "test.cld");
    memset(made.bytes + made.length, 0, 1024);
    made.length += 1024;
    expect_members(&made, "test.cud");
    make_compressed(&made);
    expect_members(&made, "test.CVD");
}

static bool mentions(const char *path, const char *word)
{
    bool mentioned = false;
    struct why why;

    assert_int_equal(source_mentions(path, word, &mentioned, &why), STATUS_OK);
    return mentioned;
}

/* In a member of a container, in none of it, and across the pieces a file is read in. */
static void test_mentions(void **state)
{
    static const char word[] = "fuzzy_img#";
    static char text[3 * 65536];
    static struct made made;
    char path[] = "/tmp/postern-mention-XXXXXX.cvd";
    int fd = mkstemps(path, 4);
    FILE *file = fdopen(fd, "r+");
    bool mentioned = false;
    struct why why;

    (void)state;
    assert_non_null(file);
    make_members(&made);
    make_compressed(&made);
    assert_int_equal(fwrite(made.bytes, 1, made.length, file), made.length);
    assert_int_equal(fflush(file), 0);
    assert_true(mentions(path, "Engine:51-255"));
    assert_true(mentions(path, "68:H"));
    assert_false(mentions(path, "Free.")); /* nothing libclamav loads */
    assert_false(mentions(path, word));
    assert_int_equal(ftruncate(fd, (off_t)made.length / 2), 0);
    assert_int_not_equal(source_mentions(path, word, &mentioned, &why), STATUS_OK);
    (void)fclose(file);
    assert_int_equal(unlink(path), 0);
    memcpy(path, "/tmp/postern-mention-XXXXXX.ldb", sizeof(path));
    fd = mkstemps(path, 4);
    for (size_t before = 65536 - sizeof(word); before <= 65536 + 1; before++) {
        memset(text, 'x', sizeof(text));
        memcpy(text + before, word, sizeof(word) - 1);
        assert_int_equal(pwrite(fd, text, sizeof(text), 0), sizeof(text));
        assert_true(mentions(path, word));
        text[before] = 'X';
        assert_int_equal(pwrite(fd, text, sizeof(text), 0), sizeof(text));
        assert_false(mentions(path, word));
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
}

static void expect_bad(const struct made *made, size_t length)
{
    struct collection *collection = collect_bytes("test.cvd", made->bytes, length);

    if (collection->status != STATUS_BAD_FORMAT)
        print_error("%zu\n", length);
    assert_int_equal(collection->status, STATUS_BAD_FORMAT);
    assert_non_null(strstr(collection->why.text, "test.cvd: "));
    free(collection);
}

static void test_cut(void **state)
{
    static struct made made;

    (void)state;
    make_members(&made);
    for (size_t length = 0; length < made.length; length += 97)
        /* A plain archive may end behind any file. */
        if (length < 512 || (length % 512 != 0))
            expect_bad(&made, length);
    make_compressed(&made);
    for (size_t length = 0; length < made.length; length++)
        expect_bad(&made, length > 512 ? length : 0);
}

static void test_spoilt(void **state)
{
    static struct made made;

    (void)state;
    make_header(&made);
    made.bytes[0] = 'c';
    make_member(&made, "a.ndb", '0', "");
    expect_bad(&made, made.length);
    make_header(&made);
    make_member(&made, "a/b.ndb", '0', "");
    expect_bad(&made, made.length);
    make_header(&made);
    make_member(&made, "b.ndb", '5', "");
    expect_bad(&made, made.length);
    make_header(&made);
    make_member(&made, "b.cvd", '0', "ClamAV-VDB:");
    expect_bad(&made, made.length);
    make_header(&made);
    make_member(&made, "b.ndb", '0', "");
    memcpy(made.bytes + 512 + 124, "77777777777", 11);
    expect_bad(&made, made.length);
    memcpy(made.bytes + 512 + 124, "00000000009", 11);
    expect_bad(&made, made.length);
    make_members(&made);
    make_compressed(&made);
    made.bytes[made.length - 5] ^= 1;
    expect_bad(&made, made.length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_mentions),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_spoilt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
