#include "tests/unit/tcp/receiving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct rig rig;
struct client client;

int receiving_set_up(void **state)
{
    rig_open(&rig, NULL);
    client_init(&client, &rig, 1);
    *state = &rig;
    return 0;
}

/* All scaled, so that windows beyond 64 KiB can be said. */
int receiving_set_up_scaled(void **state)
{
    int failed = receiving_set_up(state);

    client.scale = 7;
    client_connect(&client);
    return failed;
}

int receiving_set_up_connected(void **state)
{
    int failed = receiving_set_up(state);

    client_connect(&client);
    return failed;
}

int receiving_tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

void check_received(uint32_t length)
{
    assert_int_equal(rig.received_length, length);
    for (uint32_t i = 0; i < length; i++)
        assert_int_equal(rig.received[i], client_byte(i));
}

/* The one segment that answers; its acknowledgement is `offset` bytes into the stream. */
const struct rig_frame *check_acked(uint32_t offset)
{
    const struct rig_frame *frame;

    rig_flush(&rig);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(frame->tcp.flags, TCP_FLAG_ACK);
    assert_int_equal(frame->tcp.ack - client.first, offset);
    assert_null(client_next(&client));
    return frame;
}
