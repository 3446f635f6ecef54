/* The index of names: what was added is found, in its scope, in any case, and at the same cost
 * however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/names.h"

static bool find(const struct names *names, const char *text, uint32_t scope, uint32_t *value)
{
    struct names_key key = {text, strlen(text), NULL, 0};

    return names_find(names, &key, scope, value);
}

static void test_texts_and_scopes(void **state)
{
    struct names names;
    struct names_key whole = {"Bob", 3, "EXAMPLE.net>", 11};
    uint32_t value = 0;

    (void)state;
    assert_int_equal(names_create(&names, 4), STATUS_OK);
    assert_false(find(&names, "alice", 0, &value));
    names_add(&names, "alice", 0, 7);
    names_add(&names, "alice", 1, 8);
    names_add(&names, "bob@example.net", 1, 9);
    names_add(&names, "alice", 1, 10); /* the first one counts */
    assert_true(find(&names, "ALICE", 0, &value) && value == 7);
    assert_true(find(&names, "alice", 1, &value) && value == 8);
    assert_true(names_find(&names, &whole, 1, &value) && value == 9);
    assert_false(names_find(&names, &whole, 0, &value));
    assert_false(find(&names, "alic", 0, &value));
    assert_false(find(&names, "alicea", 0, &value));
    assert_false(find(&names, "bob", 1, &value));
    assert_false(find(&names, "", 0, &value));
    names_destroy(&names);
    assert_false(find(&names, "alice", 0, &value)); /* nothing there, nothing found */
}

/* A hundred thousand, each found; no chain is longer than a look-up may cost. */
static void test_many(void **state)
{
    enum { COUNT = 100000 };
    static char keys[COUNT][32];
    struct names names;
    uint32_t value = 0;

    (void)state;
    assert_int_equal(names_create(&names, COUNT), STATUS_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "customer%u.example.org", i);
        names_add(&names, keys[i], 0, i);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_true(find(&names, keys[i], 0, &value) && value == i);
    assert_false(find(&names, "customer100000.example.org", 0, &value));
    assert_true(names.probe_max < 64);
    names_destroy(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_and_scopes),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
