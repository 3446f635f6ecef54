/* The real scanner program where mail programs may differ: every reading is scanned. */
#include "tests/unit/scanner/appliance.h"
#include "tests/unit/scanner/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void scan(struct appliance *appliance, const char *path, uint32_t flags,
                 struct scan_result *result)
{
    appliance->flags = flags;
    appliance_scan_file(appliance, path, result);
    assert_int_equal(result->flags, flags);
    assert_true(result->reading <= result->readings);
}

static const char *malformed(void)
{
    const char *folder = getenv("MALFORMED");

    return folder != NULL ? folder : "";
}

static void scan_malformed(struct appliance *appliance, const char *name, uint32_t flags,
                           struct scan_result *result)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", malformed(), name);
    scan(appliance, path, flags, result);
}

/* What all readers take for the same has no other readings, and is scanned once. */
static void clear_mail_has_none(void **state)
{
    static const char *const names[] = {"clean.eml", "clean-4k.eml", "clean-zip.eml",
                                        "clean-1m.eml"};
    struct appliance appliance;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct scan_result result;

        scan(&appliance, sample(names[i]), SCAN_READINGS, &result);
        assert_int_equal(result.verdict, VERDICT_CLEAN);
        assert_int_equal(result.readings, 0);
        assert_string_equal(result.doubt, "");
    }
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* Each mail that hides the test file from libclamav; and it does hide it. */
static void hidden_is_found(void **state)
{
    struct appliance appliance;
    struct scan_result result;
    struct dirent *entry;
    unsigned count = 0;
    DIR *folder = opendir(malformed());

    (void)state;
    assert_non_null(folder);
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    while ((entry = readdir(folder)) != NULL) {
        if (strstr(entry->d_name, ".eml") == NULL)
            continue;
        count++;
        scan_malformed(&appliance, entry->d_name, SCAN_READINGS, &result);
        if (result.verdict != VERDICT_INFECTED || result.reading == 0 || result.doubt[0] == '\0')
            fail_msg("%s: verdict %u, reading %u, \"%s\"", entry->d_name, result.verdict,
                     result.reading, result.doubt);
        assert_string_equal(result.name, "Test.Eicar.UNOFFICIAL");
        scan_malformed(&appliance, entry->d_name, 0, &result);
        assert_int_equal(result.readings, 0);
    }
    (void)closedir(folder);
    assert_true(count > 20);
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* Found as it came: nothing else is looked at. */
static void found_as_it_came(void **state)
{
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    scan(&appliance, sample("eicar-attached.eml"), SCAN_READINGS, &result);
    assert_int_equal(result.verdict, VERDICT_INFECTED);
    assert_int_equal(result.readings, 0);
    assert_int_equal(result.reading, 0);
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* What libclamav calls clean without having opened it is opened, or has a name, asked or not. */
static void closed_is_opened(void **state)
{
    static const char closed[] = "content that the engine does not open";
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    for (uint32_t flags = 0; flags <= SCAN_READINGS; flags += SCAN_READINGS) {
        scan(&appliance, sample("signed.eml"), flags, &result);
        assert_int_equal(result.verdict, VERDICT_INFECTED);
        assert_string_equal(result.name, "Test.Eicar.UNOFFICIAL");
        assert_true(result.reading > 0);
        assert_string_equal(result.doubt, closed);
        scan(&appliance, sample("enveloped.eml"), flags, &result);
        assert_int_equal(result.verdict, VERDICT_UNSCANNABLE);
        assert_int_equal(result.reason, UNSCANNABLE_ENCRYPTED_MAIL);
        assert_string_equal(result.doubt, closed);
    }
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* Encrypted mail may be delivered: what may not is the reason, in either order. */
static void encrypted_mail_hides_nothing(void **state)
{
    static const struct {
        const char *name;
        enum unscannable_reason reason;
    } cases[] = {
        {"enveloped.eml", UNSCANNABLE_ENCRYPTED_MAIL},
        {"enveloped-and-ace.eml", UNSCANNABLE_UNSUPPORTED},
        {"ace-and-enveloped.eml", UNSCANNABLE_UNSUPPORTED},
        {"enveloped-and-zip.eml", UNSCANNABLE_ENCRYPTED},
        {"zip-and-enveloped.eml", UNSCANNABLE_ENCRYPTED},
    };
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint32_t flags = 0; flags <= SCAN_READINGS; flags += SCAN_READINGS) {
            scan(&appliance, sample(cases[i].name), flags, &result);
            assert_int_equal(result.verdict, VERDICT_UNSCANNABLE);
            assert_int_equal(result.reason, cases[i].reason);
        }
    }
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* A mail that is attached, encoded, is read in every way, too. */
static void attached_mail_is_read(void **state)
{
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("test.ndb"), 1, NULL);
    scan(&appliance, sample("mail-attached.eml"), 0, &result);
    assert_int_equal(result.verdict, VERDICT_CLEAN);
    assert_string_equal(result.doubt, "message inside the message");
    assert_true(result.readings > 1);
    assert_int_equal(appliance_stop(&appliance), 0);
}

/* A limit that all readings are over together, and none alone: no limit of the message's. */
static void limits_are_of_each(void **state)
{
    static const char *const arguments[] = {"--files", "12", NULL};
    struct appliance appliance;
    struct scan_result result;

    (void)state;
    appliance_start(&appliance, sample("picture.ldb"), 1, arguments);
    scan_malformed(&appliance, "type-twice.eml", SCAN_READINGS, &result);
    assert_true(result.readings > 12);
    assert_int_equal(result.verdict, VERDICT_CLEAN);
    assert_int_equal(appliance_stop(&appliance), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_mail_has_none),
        cmocka_unit_test(hidden_is_found),
        cmocka_unit_test(found_as_it_came),
        cmocka_unit_test(closed_is_opened),
        cmocka_unit_test(encrypted_mail_hides_nothing),
        cmocka_unit_test(attached_mail_is_read),
        cmocka_unit_test(limits_are_of_each),
    };

    return cmocka_run_group_tests(tests, samples_make, samples_remove);
}
