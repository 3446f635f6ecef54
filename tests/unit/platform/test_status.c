#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platform/status.h"

static void each_status_has_its_own_text(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        const char *text = status_text((enum status)i);

        assert_non_null(text);
        assert_true(strlen(text) > 0);
        assert_string_not_equal(text, "unknown status");
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(text, status_text((enum status)j));
    }
}

static void ok_is_zero(void **state)
{
    (void)state;
    assert_int_equal(STATUS_OK, 0);
    assert_string_equal(status_text(STATUS_OK), "ok");
}

static void values_outside_the_list_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(status_text(STATUS_COUNT), "unknown status");
    assert_string_equal(status_text((enum status)UINT32_MAX), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_its_own_text),
        cmocka_unit_test(ok_is_zero),
        cmocka_unit_test(values_outside_the_list_are_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
