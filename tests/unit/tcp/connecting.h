/* connecting.h: a small endpoint on which the tests of connecting connect. */
#ifndef TESTS_UNIT_TCP_CONNECTING_H
#define TESTS_UNIT_TCP_CONNECTING_H

#include "tests/unit/ip/rig.h"

#define CONNECTING_HALF_OPEN 16u

extern struct rig rig;
extern struct client client; /* number 1, not connected yet */

int connecting_set_up(void **state);
int connecting_tear_down(void **state);

#define CONNECTING_TEST(name) \
    cmocka_unit_test_setup_teardown(name, connecting_set_up, connecting_tear_down)

#endif
