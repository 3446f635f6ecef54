/* Whether a prefilter may speak for a scanner: everything known and equal, and limits wide enough.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/prefilter/identity.h"

static const struct link_identity scanner = {
    .database = {1, [31] = 2},
    .library = "1.4.6",
    .profile = PREFILTER_PROFILE,
    .recursion_max = 18,
    .files_max = 10000,
    .scan_bytes = UINT64_C(400) << 20,
};

static const struct prefilter_header prefilter = {
    .database = {1, [31] = 2},
    .library = "1.4.6",
    .profile = PREFILTER_PROFILE,
};

static void test_equal(void **state)
{
    (void)state;
    assert_true(scanner_identity_matches(&scanner, &prefilter));
}

static void test_each_difference(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LINK_DIGEST_BYTES; i++) {
        struct link_identity other = scanner;

        other.database[i] ^= 1;
        assert_false(scanner_identity_matches(&other, &prefilter));
    }
    for (unsigned i = 0; i < 6; i++) {
        struct link_identity other = scanner;

        other.library[i] ^= 1;
        assert_false(scanner_identity_matches(&other, &prefilter));
    }
    for (unsigned i = 0; i < 32; i++) {
        struct link_identity other = scanner;

        other.profile ^= UINT32_C(1) << i;
        assert_false(scanner_identity_matches(&other, &prefilter));
    }
}

/* What is not known is not the same, not even as something else that is not known. */
static void test_unknown(void **state)
{
    struct prefilter_header header = prefilter;
    struct link_identity other = scanner;

    (void)state;
    memset(header.database, 0, sizeof(header.database));
    memset(other.database, 0, sizeof(other.database));
    assert_false(scanner_identity_matches(&other, &header));
    header = prefilter;
    other = scanner;
    memset(header.library, 0, sizeof(header.library));
    memset(other.library, 0, sizeof(other.library));
    assert_false(scanner_identity_matches(&other, &header));
}

static void test_limits(void **state)
{
    struct link_identity other = scanner;

    (void)state;
    assert_true(scanner_identity_suffices(&scanner, UINT64_C(50) << 20, 1000));
    assert_false(scanner_identity_suffices(&scanner, (UINT64_C(50) << 20) + 1, 1000));
    assert_true(scanner_identity_suffices(&scanner, 1000, 1249));
    assert_false(scanner_identity_suffices(&scanner, 1000, 1250));
    assert_false(scanner_identity_suffices(&scanner, UINT64_MAX, 1));
    assert_false(scanner_identity_suffices(&scanner, 1, UINT32_MAX));
    other.recursion_max = IDENTITY_RECURSION_MIN - 1;
    assert_false(scanner_identity_suffices(&other, 1, 1));
    assert_false(scanner_identity_suffices(&(struct link_identity){0}, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_each_difference),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
