/* What the engine does not open is among the readings, or has a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/readings/rig.h"

#define HEADER                                         \
    "From: a@example.org\n"                            \
    "Content-Type: application/octet-stream; name=x\n" \
    "Content-Transfer-Encoding: base64\n\n"

/* S/MIME, signed and compressed, of a part that holds the EICAR test file in base64. */
static const char signed_mail[] =
    HEADER "MIHmBgkqhkiG9w0BBwKggdgwgdUCAQExADCBzQYJKoZIhvcNAQcBoIG/BIG8Q29udGVudC1UeXBl\n"
           "OiBhcHBsaWNhdGlvbi9vY3RldC1zdHJlYW07IG5hbWU9ImluLmNvbSINCkNvbnRlbnQtVHJhbnNm\n"
           "ZXItRW5jb2Rpbmc6IGJhc2U2NA0KDQpXRFZQSVZBbFFFRlFXelJjVUZwWU5UUW9VRjRwTjBOREtU\n"
           "ZDlKRVZKUTBGU0xWTlVRVTVFUVZKRUxVRk9WRWxXU1ZKVlV5MVVSVk5VDQpMVVpKVEVVaEpFZ3JT\n"
           "Q289DQo=\n";
static const char compressed_mail[] =
    HEADER "MIHnBgsqhkiG9w0BCRABCaCB1zCB1AIBADANBgsqhkiG9w0BCRADCDCBvwYJKoZIhvcNAQcBoIGx\n"
           "BIGueJw1y8EKgjAYAOD7YO8g3i2DCio8hG7QEmu5f1K3NVcJug3dpZ6+Lp0/vtzZYGxIxNubbaS8\n"
           "7zutQufs3OlgQjKF0ahhF1k1mCzu7Ey7IcYo/7dR2elhxoRY7drOPrfRXU1mvcQIo6aQ54Pc95xQ\n"
           "3nwuGqi/VoI7oEtfpVVxFO2GEcl4SutSVsBhRbhkpAR6kqRvaskkvBdw+RlGJdyYIPBi5DnWucsw\n"
           "+gKrOz0K\n";

static struct readings *opened_collect(const char *text)
{
    size_t length;
    char *mail = rig_crlf(text, &length);
    struct readings *readings = rig_collect(mail, length);

    free(mail);
    return readings;
}

/* The test file is there, and is said not to be where the engine finds it. */
static void opened_shows(const char *mail)
{
    struct readings *readings = opened_collect(mail);
    bool found = false;

    for (unsigned i = 0; i < readings_count(readings); i++) {
        struct reading_part part = readings_part(readings, i);

        if (part.opened && part.length == strlen(rig_eicar) &&
            memcmp(part.bytes, rig_eicar, part.length) == 0)
            found = strcmp(part.name, "in.com") == 0;
    }
    assert_true(found);
    assert_int_equal(readings_report(readings)->finding, UNSCANNABLE_NONE);
    readings_free(readings);
}

static void test_opened(void **state)
{
    (void)state;
    opened_shows(signed_mail);
    opened_shows(compressed_mail);
}

static void test_not_opened(void **state)
{
    static const char mail[] = "Subject: in the message\n"
                               "Content-Type: multipart/mixed; boundary=b\n\n"
                               "--b\n\ntext\n--b\nContent-Transfer-Encoding: base64\n\n"
                               "WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9\n--b--\n";
    struct readings *readings = opened_collect(mail);

    (void)state;
    assert_true(readings_count(readings) > 1);
    for (unsigned i = 0; i < readings_count(readings); i++)
        assert_false(readings_part(readings, i).opened);
    assert_int_equal(readings_report(readings)->finding, UNSCANNABLE_NONE);
    readings_free(readings);
}

static void test_encrypted(void **state)
{
    static const char mail[] = "Subject: secret\n\nHello,\n\n"
                               "-----BEGIN PGP MESSAGE-----\n\n"
                               "hAwDMTIzNDU2NzgBAAHSFAEBAQEBAQEBAQEBAQEBAQEBAQEB\n"
                               "-----END PGP MESSAGE-----\n";
    struct readings *readings = opened_collect(mail);

    (void)state;
    assert_int_equal(readings_report(readings)->finding, UNSCANNABLE_ENCRYPTED);
    assert_string_equal(readings_report(readings)->kind, "mail");
    readings_free(readings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opened),
        cmocka_unit_test(test_not_opened),
        cmocka_unit_test(test_encrypted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
