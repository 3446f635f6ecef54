/* Verdicts of the real scanner program, with real libclamav. */
#include "tests/unit/scanner/appliance.h"
#include "tests/unit/scanner/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool sanitized(void)
{
    const char *how = getenv("SANITIZED");

    return how != NULL && how[0] != '\0';
}

static void expect(struct appliance *appliance, const char *name, enum verdict_kind verdict,
                   enum unscannable_reason reason, const char *text)
{
    struct scan_result result;

    appliance_scan_file(appliance, sample(name), &result);
    if (result.verdict != (uint32_t)verdict || result.reason != (uint32_t)reason ||
        strcmp(result.name, text) != 0)
        fail_msg("%s: verdict %u (%s) \"%s\", expected %u (%s) \"%s\"", name, result.verdict,
                 unscannable_text(result.reason), result.name, verdict, unscannable_text(reason),
                 text);
    assert_true(result.cpu_ns > 0 || verdict == VERDICT_UNSCANNABLE);
}

static void expect_clean(struct appliance *appliance, const char *name)
{
    expect(appliance, name, VERDICT_CLEAN, UNSCANNABLE_NONE, "");
}

static void expect_infected(struct appliance *appliance, const char *name, const char *virus)
{
    expect(appliance, name, VERDICT_INFECTED, UNSCANNABLE_NONE, virus);
}

static void clean_and_infected(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    assert_memory_equal(appliance.slot[0].text, "ClamAV 1.", 9);
    assert_non_null(strchr(appliance.slot[0].text, '/'));
    expect_clean(&appliance, "clean.eml");
    expect_clean(&appliance, "clean-4k.eml");
    expect_clean(&appliance, "clean-zip.eml");
    expect_clean(&appliance, "clean-1m.eml");
    expect_infected(&appliance, "pattern.eml", "Test.Pattern.UNOFFICIAL");
    expect_infected(&appliance, "eicar-text.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "eicar-attached.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "eicar-zip.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "eicar-zip-zip.eml", "Test.Eicar.UNOFFICIAL");
    expect_clean(&appliance, "clean.eml");
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* Hashes of pictures are computed where a signature asks for them. */
static void pictures_are_compared(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("picture.ldb"), 1, NULL);
    expect_infected(&appliance, "picture.eml", "Test.Picture.UNOFFICIAL");
    expect_clean(&appliance, "clean.eml");
    assert_int_equal(appliance_stop(&appliance), 0);
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    expect_clean(&appliance, "picture.eml");
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void encrypted_is_unscannable_unless_infected(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    expect(&appliance, "encrypted-zip.eml", VERDICT_UNSCANNABLE, UNSCANNABLE_ENCRYPTED,
           "Heuristics.Encrypted.Zip");
    expect_infected(&appliance, "encrypted-and-eicar.eml", "Test.Eicar.UNOFFICIAL");
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* Whatever a limit hits, the message must not come out clean. */
static void expect_limit(struct appliance *appliance, const char *name, const char *text)
{
    expect(appliance, name, VERDICT_UNSCANNABLE, UNSCANNABLE_LIMIT, text);
}

static void over_the_scan_size_is_not_clean(void **state)
{
    static const char *const arguments[] = {"--scan-bytes", "8388608", NULL};
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, arguments);
    expect_limit(&appliance, "bomb.eml", "Heuristics.Limits.Exceeded.MaxScanSize");
    expect_limit(&appliance, "bomb-of-bombs.eml", "Heuristics.Limits.Exceeded.MaxScanSize");
    expect_limit(&appliance, "big.eml", "message is larger than the scan size");
    expect_limit(&appliance, "html-9m.eml", "message is larger than the scan size");
    expect_clean(&appliance, "clean-1m.eml");
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void under_the_scan_size_all_of_it_is_scanned(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    expect_clean(&appliance, "bomb.eml");
    expect_clean(&appliance, "big.eml");
    expect_infected(&appliance, "bomb-eicar.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "big-eicar.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "html-9m-pattern.eml", "Test.Pattern.UNOFFICIAL");
    expect_infected(&appliance, "many-files.eml", "Test.Eicar.UNOFFICIAL");
    expect_infected(&appliance, "many-parts.eml", "Test.Eicar.UNOFFICIAL");
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void too_deep_is_not_clean(void **state)
{
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    expect_limit(&appliance, "deep-zip.eml", "Heuristics.Limits.Exceeded.MaxRecursion");
    expect_limit(&appliance, "deep-multipart.eml", "Heuristics.Limits.Exceeded.MaxRecursion");
    expect_limit(&appliance, "deep-message.eml", "Heuristics.Limits.Exceeded.MaxRecursion");
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void too_many_files_is_not_clean(void **state)
{
    static const char *const arguments[] = {"--files", "100", NULL};
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, arguments);
    expect_limit(&appliance, "many-files.eml", "Heuristics.Limits.Exceeded.MaxFiles");
    expect_limit(&appliance, "many-parts.eml", "Heuristics.Limits.Exceeded.MaxFiles");
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void over_the_time_limit_is_not_clean(void **state)
{
    static const char *const arguments[] = {"--time-limit-ms", "20", NULL};
    static const char *const names[] = {"slow.eml", "big.eml", "bomb.eml"};
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, arguments);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct scan_result result;

        appliance_scan_file(&appliance, sample(names[i]), &result);
        assert_int_equal(result.verdict, VERDICT_UNSCANNABLE);
        assert_int_equal(result.reason, UNSCANNABLE_TIME);
    }
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* libclamav itself calls some of these clean when it runs out of memory on the way. */
static void out_of_memory_is_not_clean(void **state)
{
    static const char *const limits[] = {"2000000", "4000000"};
    struct appliance appliance;

    (void)state;
    if (sanitized())
        skip();
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const char *const arguments[] = {"--memory-bytes", limits[i], NULL};
        struct message *message;
        struct scan_result result;

        appliance_start(&appliance, sample("test.ndb"), 1, arguments);
        message = appliance_put_file(&appliance, sample("big-eicar.eml"));
        appliance_hand_over(&appliance, 0, 0, message);
        if (appliance_result(&appliance, 0, 0, &result))
            assert_int_not_equal(result.verdict, VERDICT_CLEAN);
        assert_int_equal(appliance_stop(&appliance), 0);
    }
}

static void testfiles_are_infected(void **state)
{
    /* One of them (clam_cache_emax.tgz) nests exactly to the default of 17; the mail adds one. */
    static const char *const arguments[] = {"--recursion", "18", NULL};
    struct appliance appliance;
    char database[512];
    struct dirent *entry;
    unsigned count = 0;
    DIR *directory;

    (void)state;
    (void)snprintf(database, sizeof(database), "%s/clamav-unit/clamav.hdb", getenv("SIGNATURES"));
    if (access(database, R_OK) != 0 || access(TESTFILES, R_OK) != 0) {
        print_error("SKIPPED: %s or %s is not there\n", database, TESTFILES);
        skip();
    }
    directory = opendir(sample(""));
    assert_non_null(directory);
    appliance_start(&appliance, database, 1, arguments);
    while ((entry = readdir(directory)) != NULL) {
        struct scan_result result;

        if (strncmp(entry->d_name, "testfile-", 9) != 0)
            continue;
        appliance_scan_file(&appliance, sample(entry->d_name), &result);
        if (result.verdict != VERDICT_INFECTED)
            fail_msg("%s: verdict %u (%s) %s", entry->d_name, result.verdict,
                     unscannable_text(result.reason), result.name);
        count++;
    }
    (void)closedir(directory);
    assert_true(count > 0);
    print_message("%u of clamav's test files, all infected\n", count);
    assert_int_equal(appliance_stop(&appliance), 0);
}

static void ordinary_user_can_scan(void **state)
{
    struct appliance appliance;

    (void)state;
    if (geteuid() == 0) {
        const struct passwd *nobody = getpwnam("nobody");

        assert_non_null(nobody);
        appliance_run_as(nobody->pw_uid);
    }
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    expect_clean(&appliance, "clean-zip.eml");
    expect_infected(&appliance, "eicar-zip.eml", "Test.Eicar.UNOFFICIAL");
    assert_int_equal(appliance_stop(&appliance), 0);
    appliance_run_as(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_and_infected),
        cmocka_unit_test(pictures_are_compared),
        cmocka_unit_test(encrypted_is_unscannable_unless_infected),
        cmocka_unit_test(over_the_scan_size_is_not_clean),
        cmocka_unit_test(under_the_scan_size_all_of_it_is_scanned),
        cmocka_unit_test(too_deep_is_not_clean),
        cmocka_unit_test(too_many_files_is_not_clean),
        cmocka_unit_test(over_the_time_limit_is_not_clean),
        cmocka_unit_test(out_of_memory_is_not_clean),
        cmocka_unit_test(testfiles_are_infected),
        cmocka_unit_test(ordinary_user_can_scan),
    };

    return cmocka_run_group_tests(tests, samples_make, samples_remove);
}
