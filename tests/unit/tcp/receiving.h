/* receiving.h: one connection on which the tests of receiving receive. */
#ifndef TESTS_UNIT_TCP_RECEIVING_H
#define TESTS_UNIT_TCP_RECEIVING_H

#include "tests/unit/ip/rig.h"

extern struct rig rig;
extern struct client client;

/* A rig, and a client that has not connected yet. */
int receiving_set_up(void **state);

/* Connected, without scaling, and with windows beyond 64 KiB. */
int receiving_set_up_connected(void **state);
int receiving_set_up_scaled(void **state);
int receiving_tear_down(void **state);

/* The application has read the first `length` bytes of the stream, and no more. */
void check_received(uint32_t length);

/* The one segment that answers; its acknowledgement is `offset` bytes into the stream. */
const struct rig_frame *check_acked(uint32_t offset);

#define RECEIVING_TEST(name) \
    cmocka_unit_test_setup_teardown(name, receiving_set_up_connected, receiving_tear_down)
#define RECEIVING_TEST_SCALED(name) \
    cmocka_unit_test_setup_teardown(name, receiving_set_up_scaled, receiving_tear_down)

#endif
