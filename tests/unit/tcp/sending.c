#include "tests/unit/tcp/sending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct bed bed;
struct client client;
uint8_t reply[TCP_SEND_BYTES];

int sending_set_up_apart(void **state)
{
    bed_open(&bed, NULL);
    client_init(&client, &bed, 1);
    for (uint32_t i = 0; i < sizeof(reply); i++)
        reply[i] = client_byte(i);
    *state = &bed;
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
    bed_close(&bed);
    return 0;
}

void send_reply(uint32_t length)
{
    assert_int_equal(tcp_send(bed.connection, reply, length), STATUS_OK);
    bed_flush(&bed);
}

/* The next segment carries [offset, offset + length) of `reply`, which began at client.own. */
const struct bed_frame *check_segment(uint32_t offset, uint32_t length)
{
    const struct bed_frame *frame = client_next(&client);

    assert_non_null(frame);
    assert_int_equal(frame->tcp.seq - client.own, offset);
    assert_int_equal(frame->tcp.payload_length, length);
    assert_memory_equal(frame->tcp.payload, reply + offset, length);
    return frame;
}

void check_silence(void)
{
    bed_flush(&bed);
    assert_null(client_next(&client));
}
