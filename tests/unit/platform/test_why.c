/* Reasons: set, added to, cut, and nobody there to hear them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "platform/why.h"

static void test_set_and_add(void **state)
{
    struct why why;

    (void)state;
    why_clear(&why);
    assert_true(why_empty(&why));
    why_add(&why, "no user \"%s\"", "scanner");
    assert_string_equal(why.text, "no user \"scanner\"");
    why_add(&why, "errno %d", 13);
    assert_string_equal(why.text, "no user \"scanner\"; errno 13");
    why_set(&why, "%s", "another");
    assert_string_equal(why.text, "another");
    assert_false(why_empty(&why));
}

/* Whatever is said, the text ends, and what was said first stays. */
static void test_cut(void **state)
{
    char word[WHY_BYTES + 10];
    struct why why;

    (void)state;
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    for (size_t first = WHY_BYTES - 6; first < sizeof(word); first++) {
        why_set(&why, "%.*s", (int)first, word);
        why_add(&why, "%s", "more");
        why_add(&why, "%s", "and more");
        assert_true(strnlen(why.text, sizeof(why.text)) < sizeof(why.text));
        assert_int_equal(strncmp(why.text, word, WHY_BYTES - 6), 0);
    }
}

static void test_nobody(void **state)
{
    (void)state;
    why_clear(NULL);
    why_set(NULL, "%s", "unheard");
    why_add(NULL, "%s", "unheard");
    assert_true(why_empty(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_add),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
