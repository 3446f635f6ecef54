/* sending.h: one connection over which the tests of sending replies send. */
#ifndef TESTS_UNIT_TCP_SENDING_H
#define TESTS_UNIT_TCP_SENDING_H

#include "tests/unit/ip/rig.h"

extern struct rig rig;
extern struct client client;
extern uint8_t reply[TCP_SEND_BYTES]; /* what is sent, from the first byte on */

/* A rig, and a client that has not connected yet. */
int sending_set_up_apart(void **state);

/* The same, connected. */
int sending_set_up(void **state);
int sending_tear_down(void **state);

/* The next `length` bytes of what is sent: the tests keep count. */
void send_reply(uint32_t length);

/* The next segment carries [offset, offset + length) of `reply`, which began at client.own. */
const struct rig_frame *check_segment(uint32_t offset, uint32_t length);

/* Nothing is to be sent now. */
void check_silence(void);

#define SENDING_TEST(name) cmocka_unit_test_setup_teardown(name, sending_set_up, sending_tear_down)
#define SENDING_TEST_APART(name) \
    cmocka_unit_test_setup_teardown(name, sending_set_up_apart, sending_tear_down)

#endif
