/* The public signature sets (see ../shared/data/README.md), if they are there: how many signatures
 * are read, how many require nothing, and that a hostile amount of time is not needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "platform/why.h"
#include "signatures/read/source.h"

struct set_count {
    unsigned signatures;
    unsigned required_nothing;
    unsigned doubtful; /* those included */
    unsigned never;
    unsigned hashes;
    uint64_t counted;
};

static const char *set_data;

static void count_signature(void *context, const struct source_signature *signature)
{
    struct set_count *count = context;

    count->signatures++;
    count->doubtful += signature->doubt != NULL ? 1 : 0;
    count->never += signature->container_never ? 1 : 0;
    if (!expression_is_true(signature->necessary))
        return;
    count->required_nothing++;
    print_message("requires nothing: %s %s:%u: %s\n", signature->name, signature->file,
                  signature->line, signature->doubt);
}

static void count_hash(void *context, const struct source_hash *hash)
{
    struct set_count *count = context;

    count->hashes++;
    assert_true(hash->digest_bytes == 16 || hash->digest_bytes == 20 || hash->digest_bytes == 32);
}

static void count_counted(void *context, const char *file, const char *kind, uint64_t counted)
{
    struct set_count *count = context;

    count->counted += counted;
    print_message("counted: %s: %s %llu\n", file, kind, (unsigned long long)counted);
}

static struct set_count count_path(const char *path)
{
    struct set_count count = {.signatures = 0};
    struct source_sink sink = {.context = &count,
                               .signature = count_signature,
                               .hash = count_hash,
                               .counted = count_counted};
    struct why why;
    enum status status = source_read(path, &sink, &why);

    assert_string_equal(why.text, "");
    assert_int_equal(status, STATUS_OK);
    return count;
}

/* Reads a set; a compressed one is unpacked beside the test first. */
static struct set_count count_set(const char *name)
{
    char packed[512];
    char plain[] = "/tmp/postern-set-XXXXXX";
    char path[600];
    static char buffer[65536];
    struct set_count count;
    gzFile in;
    FILE *out;
    int length;

    (void)snprintf(path, sizeof(path), "%s/%s", set_data, name);
    if (access(path, R_OK) == 0)
        return count_path(path);
    (void)snprintf(packed, sizeof(packed), "%s/%s.gz", set_data, name);
    in = gzopen(packed, "rb");
    assert_non_null(in);
    assert_non_null(mkdtemp(plain));
    (void)snprintf(path, sizeof(path), "%s/%s", plain, name);
    out = fopen(path, "wb");
    assert_non_null(out);
    while ((length = gzread(in, buffer, sizeof(buffer))) > 0)
        assert_int_equal(fwrite(buffer, 1, (size_t)length, out), length);
    assert_int_equal(length, 0);
    assert_int_equal(gzclose(in), Z_OK);
    assert_int_equal(fclose(out), 0);
    count = count_path(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(plain), 0);
    return count;
}

static void expect_set(const char *name, unsigned signatures, unsigned required_nothing,
                       unsigned doubtful, unsigned never, unsigned hashes, uint64_t counted)
{
    struct set_count count = count_set(name);

    print_message("%s: %u signatures, %u require nothing, %u doubtful, %u never in mail, "
                  "%u hashes, %llu counted\n",
                  name, count.signatures, count.required_nothing, count.doubtful, count.never,
                  count.hashes, (unsigned long long)count.counted);
    assert_int_equal(count.signatures, signatures);
    assert_int_equal(count.required_nothing, required_nothing);
    assert_int_equal(count.doubtful, doubtful);
    assert_int_equal(count.never, never);
    assert_int_equal(count.hashes, hashes);
    assert_int_equal(count.counted, counted);
}

static void test_official(void **state)
{
    (void)state;
    expect_set("official-main-even.ldb", 19445, 0, 6, 74, 0, 0);
    expect_set("official-main.hdb", 0, 0, 0, 0, 82211, 0);
    expect_set("official-daily.hsb", 0, 0, 0, 0, 146348, 0);
    expect_set("official-main.fp", 0, 0, 0, 0, 0, 513);
}

static void test_others(void **state)
{
    (void)state;
    expect_set("rfxn.ndb", 1869, 0, 0, 0, 0, 0);
    expect_set("rfxn.hdb", 0, 0, 0, 0, 9366, 0);
    expect_set("ditekshen", 175, 0, 1, 5, 0, 0);
    expect_set("mandiant", 23, 0, 0, 0, 0, 0);
}

static void test_clamav_unit(void **state)
{
    (void)state;
    expect_set("clamav-unit", 0, 0, 0, 0, 1, 0);
    expect_set("clamav-unit/bytecode_sigs", 9, 0, 0, 0, 2, 23);
    expect_set("clamav-unit/freshclam_testfiles", 6, 0, 0, 0, 20, 118);
    expect_set("clamav-unit/embedded_testfiles/signatures", 2, 0, 0, 0, 4, 0);
    expect_set("clamav-unit/other_sigs", 1, 0, 0, 0, 16, 232);
    expect_set("clamav-unit/pe_allmatch/alert-sigs", 30, 0, 0, 0, 6, 48);
    expect_set("clamav-unit/pe_allmatch/broken-sigs", 2, 0, 0, 0, 0, 0);
    expect_set("clamav-unit/pe_allmatch/weak-sigs", 0, 0, 0, 0, 0, 4);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_official),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_clamav_unit),
    };
    static char path[512];
    const char *data = getenv("POSTERN_DATA");

    (void)snprintf(path, sizeof(path), "%s/signatures",
                   data != NULL ? data
                   : argc > 1   ? argv[1]
                                : "../shared/data");
    set_data = path;
    if (access(path, R_OK) != 0) {
        (void)fprintf(stderr, "SKIPPED: no signature sets in %s\n", path);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
