#include "tests/unit/tcp/sending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct rig rig;
struct client client;
uint8_t reply[TCP_SEND_BYTES];

int sending_set_up_apart(void **state)
{
    rig_open(&rig, NULL);
    client_init(&client, &rig, 1);
    for (uint32_t i = 0; i < sizeof(reply); i++)
        reply[i] = client_byte(i);
    *state = &rig;
    return 0;
}

int sending_set_up(void **state)
{
    int failed = sending_set_up_apart(state);

    client_connect(&client);
    return failed;
}

int sending_tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

void send_reply(uint32_t length)
{
    assert_int_equal(tcp_send(rig.connection, reply, length), STATUS_OK);
    rig_flush(&rig);
}

/* The next segment carries [offset, offset + length) of `reply`, which began at client.own. */
const struct rig_frame *check_segment(uint32_t offset, uint32_t length)
{
    const struct rig_frame *frame = client_next(&client);

    assert_non_null(frame);
    assert_int_equal(frame->tcp.seq - client.own, offset);
    assert_int_equal(frame->tcp.payload_length, length);
    assert_memory_equal(frame->tcp.payload, reply + offset, length);
    return frame;
}

void check_silence(void)
{
    rig_flush(&rig);
    assert_null(client_next(&client));
}
