#include "tests/unit/readings/rig.h"

/* cmocka.h needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char rig_eicar[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-"
                         "ANTIVIRUS-TEST-FILE!$H+H*";

struct readings *rig_collect(const char *mail, size_t length)
{
    struct readings_limits limits = readings_limits(length);
    struct readings *readings;

    assert_int_equal(readings_collect((const uint8_t *)mail, length, &limits, &readings),
                     STATUS_OK);
    return readings;
}

bool rig_has(const struct readings *readings, const void *bytes, size_t length)
{
    for (unsigned i = 0; i < readings_count(readings); i++) {
        struct reading_part part = readings_part(readings, i);

        if (part.length == length && memcmp(part.bytes, bytes, length) == 0)
            return true;
    }
    return false;
}

char *rig_crlf(const char *text, size_t *length)
{
    char *mail = malloc(2 * strlen(text) + 1);
    size_t made = 0;

    assert_non_null(mail);
    for (; *text != '\0'; text++) {
        if (*text == '\n' && (made == 0 || mail[made - 1] != '\r'))
            mail[made++] = '\r';
        mail[made++] = *text;
    }
    mail[made] = '\0';
    *length = made;
    return mail;
}

static bool rig_has_within(const struct readings *readings, const void *bytes, size_t length)
{
    for (unsigned i = 0; i < readings_count(readings); i++) {
        struct reading_part part = readings_part(readings, i);

        if (memmem(part.bytes, part.length, bytes, length) != NULL)
            return true;
    }
    return false;
}

typedef bool rig_asks(const struct readings *readings, const void *bytes, size_t length);

static bool rig_ask(const char *mail, rig_asks *ask, const void *bytes, size_t length)
{
    size_t size;
    char *crlf = rig_crlf(mail, &size);
    struct readings *readings = rig_collect(crlf, size);
    bool has = ask(readings, bytes, length);

    readings_free(readings);
    free(crlf);
    return has;
}

bool rig_shows(const char *mail, const void *bytes, size_t length)
{
    return rig_ask(mail, rig_has, bytes, length);
}

bool rig_shows_within(const char *mail, const void *bytes, size_t length)
{
    return rig_ask(mail, rig_has_within, bytes, length);
}
