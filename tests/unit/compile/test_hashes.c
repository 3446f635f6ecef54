/* The set of hashes, as it is built and as it is looked up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/why.h"
#include "signatures/draft/draft.h"

static char path[] = "/tmp/test_hashes.XXXXXX";

static void digest_of(uint64_t number, uint8_t *digest)
{
    memset(digest, 0, 32);
    for (unsigned i = 0; i < 8; i++)
        digest[i] = (uint8_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> (8 * i));
}

static void open_draft(struct draft *draft, struct prefilter *prefilter)
{
    struct draft_identity identity = {.library = "1.4.6"};
    struct why why;

    assert_int_equal(draft_compile(draft, &why), STATUS_OK);
    assert_int_equal(draft_write(draft, &identity, path, &why), STATUS_OK);
    assert_int_equal(prefilter_open(prefilter, path, &why), STATUS_OK);
    draft_free(draft);
}

static void test_many(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;
    uint8_t digest[32];
    unsigned wrong = 0;

    (void)state;
    for (unsigned i = 1; i <= 100000; i++) {
        digest_of(i, digest);
        assert_int_equal(draft_add_hash(&draft, PREFILTER_SHA256, digest, false, i % 5000),
                         STATUS_OK);
    }
    digest_of(7, digest); /* twice is once */
    assert_int_equal(draft_add_hash(&draft, PREFILTER_SHA256, digest, false, 7), STATUS_OK);
    open_draft(&draft, &prefilter);
    assert_int_equal(prefilter.header->hashes[PREFILTER_SHA256].count, 100000);
    assert_int_equal(prefilter.header->hashes[PREFILTER_SHA256].slot_count, 131072);
    for (unsigned i = 1; i <= 200000; i++) {
        digest_of(i, digest);
        wrong += prefilter_hash_listed(&prefilter, PREFILTER_SHA256, digest) != (i <= 100000);
    }
    assert_int_equal(wrong, 0);
    assert_false(prefilter_hash_listed(&prefilter, PREFILTER_MD5, digest));
    assert_false(prefilter_size_listed(&prefilter, PREFILTER_MD5, 7));
    assert_true(prefilter_size_listed(&prefilter, PREFILTER_SHA256, 0));
    assert_true(prefilter_size_listed(&prefilter, PREFILTER_SHA256, 4999));
    assert_false(prefilter_size_listed(&prefilter, PREFILTER_SHA256, 5000));
    prefilter_close(&prefilter);
}

/* Never more than four fifths are taken, and a power of two. */
static void test_load(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 3000; count += 1 + count / 8) {
        struct hash_set set = {0};
        uint64_t *slots, slot_count, stored, taken = 0;
        uint8_t digest[32];

        for (unsigned i = 1; i <= count; i++) {
            digest_of(i, digest);
            assert_int_equal(hash_set_add(&set, digest, true, 0), STATUS_OK);
        }
        assert_int_equal(hash_set_slots(&set, &slots, &slot_count, &stored), STATUS_OK);
        assert_int_equal(stored, count);
        for (uint64_t i = 0; i < slot_count; i++)
            taken += slots[i] != 0;
        assert_int_equal(taken, count);
        assert_true(count == 0 || count * 5 <= slot_count * 4);
        assert_int_equal(slot_count & (slot_count - 1), 0);
        free(slots);
        hash_set_free(&set);
    }
}

/* A digest of zeros has a fingerprint, too; equal low bits probe on. */
static void test_odd_digests(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;
    uint8_t digest[32] = {0};

    (void)state;
    assert_int_equal(draft_add_hash(&draft, PREFILTER_SHA1, digest, false, 1), STATUS_OK);
    for (unsigned i = 1; i < 10; i++) {
        digest[7] = (uint8_t)i; /* all begin in the same slot, at the end of the table */
        memset(digest, 0xff, 7);
        assert_int_equal(draft_add_hash(&draft, PREFILTER_SHA1, digest, false, 1), STATUS_OK);
    }
    open_draft(&draft, &prefilter);
    for (unsigned i = 1; i < 12; i++) {
        digest[7] = (uint8_t)i;
        assert_int_equal(prefilter_hash_listed(&prefilter, PREFILTER_SHA1, digest), i < 10);
    }
    memset(digest, 0, sizeof(digest));
    assert_true(prefilter_hash_listed(&prefilter, PREFILTER_SHA1, digest));
    prefilter_close(&prefilter);
}

/* Exact below a megabyte, in steps above, everything from 2^42 on; a size without a listing never
 * hides one that is listed. */
static void test_sizes(void **state)
{
    static const uint64_t sizes[] = {1,          1048575,       1048576,    3000000,
                                     123456789,  5000000000ull, 1ull << 41, (1ull << 42) - 1,
                                     1ull << 42, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct draft draft = {0};
        struct prefilter prefilter;
        uint8_t digest[32];

        digest_of(i + 1, digest);
        assert_int_equal(draft_add_hash(&draft, PREFILTER_MD5, digest, false, sizes[i]), STATUS_OK);
        open_draft(&draft, &prefilter);
        assert_true(prefilter_size_listed(&prefilter, PREFILTER_MD5, sizes[i]));
        assert_false(prefilter_size_listed(&prefilter, PREFILTER_MD5, 77));
        assert_false(prefilter_size_listed(&prefilter, PREFILTER_MD5, 77777777));
        assert_true(prefilter_size_listed(&prefilter, PREFILTER_MD5, UINT64_C(1) << 43));
        prefilter_close(&prefilter);
    }
}

static void test_any_size(void **state)
{
    struct draft draft = {0};
    struct prefilter prefilter;
    uint8_t digest[32] = {9};

    (void)state;
    assert_int_equal(draft_add_hash(&draft, PREFILTER_MD5, digest, true, 0), STATUS_OK);
    open_draft(&draft, &prefilter);
    assert_true(prefilter_size_listed(&prefilter, PREFILTER_MD5, 77));
    assert_false(prefilter_size_listed(&prefilter, PREFILTER_SHA1, 77));
    prefilter_close(&prefilter);
}

static int setup(void **state)
{
    int descriptor = mkstemp(path);

    (void)state;
    return descriptor < 0 || close(descriptor) != 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),        cmocka_unit_test(test_load),
        cmocka_unit_test(test_odd_digests), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_any_size),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
