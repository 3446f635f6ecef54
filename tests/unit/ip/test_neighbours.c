/* Who is where on the link: what we announce of ourselves, and a gateway that is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/net/bytes.h"
#include "tests/unit/ip/rig.h"

static const uint8_t new_mac[6] = {2, 0, 0, 0, 9, 9};

static struct rig rig;
static struct client client;

static int set_up(void **state)
{
    rig_open(&rig, NULL);
    client_init(&client, &rig, 1);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

/* RFC 5227 2.3 and RFC 4861 7.2.6; the rig checks lengths, checksums and our MAC. */
static void test_announcements(void **state)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
    const struct rig_frame *frame;

    (void)state;
    ip_announce(&rig.ip, 0);
    frame = rig_next(&rig);
    assert_non_null(frame);
    assert_int_equal(frame->type, FRAME_TYPE_ARP);
    assert_memory_equal(frame->bytes, everybody, 6);
    assert_int_equal(bytes_get16(frame->network + 6), 1);
    assert_memory_equal(frame->network + 8, RIG_MAC, 6);
    assert_memory_equal(frame->network + 14, RIG_ADDRESS, 4);
    assert_memory_equal(frame->network + 24, RIG_ADDRESS, 4);
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *address = i == 0 ? rig.ip.interfaces[0].link_local : RIG_ADDRESS6;

        frame = rig_next(&rig);
        assert_non_null(frame);
        assert_int_equal(frame->type, FRAME_TYPE_IPV6);
        assert_memory_equal(frame->bytes, all_nodes, 6);
        assert_int_equal(frame->network[7], 255);
        assert_memory_equal(frame->network + 8, address, 16);
        assert_int_equal(frame->network[40], 136);
        assert_int_equal(frame->network[44], 0x20); /* override, neither solicited nor a router */
        assert_memory_equal(frame->network + 48, address, 16);
        assert_memory_equal(frame->network + 66, RIG_MAC, 6);
    }
    assert_null(rig_next(&rig));
    rig.buffers = 0; /* no packet buffers: nothing, and no harm */
    ip_announce(&rig.ip, 0);
    assert_null(rig_next(&rig));
}

static enum counter from_new_mac(const struct segment *segment)
{
    uint8_t frame[RIG_FRAME_BYTES];
    uint32_t length = client_frame(&client, segment, frame);

    memcpy(frame + 6, new_mac, 6);
    return rig_input(&rig, frame, length);
}

static void check_answer_goes_to(const uint8_t mac[6])
{
    const struct rig_frame *frame;

    rig_advance(&rig, 50 * RIG_MS);
    frame = rig_next(&rig);
    assert_non_null(frame);
    assert_memory_equal(frame->bytes, mac, 6);
    rig_drain(&rig);
}

/* A segment that gets the connection on is followed; one that anybody could have made is not. */
static void test_new_gateway(void **state)
{
    struct segment segment = {.flags = TCP_FLAG_ACK, .window = 1000, .payload = "x", .length = 1};

    (void)state;
    client_connect(&client);
    segment.ack = client.ack;
    segment.seq = client.seq + 100000; /* a guess */
    assert_int_equal(from_new_mac(&segment), COUNTER_TCP_IN_OUT_OF_WINDOW);
    check_answer_goes_to(RIG_CLIENT_MAC);
    segment.seq = client.seq - 1; /* old */
    assert_int_equal(from_new_mac(&segment), COUNTER_TCP_IN_DUPLICATE);
    check_answer_goes_to(RIG_CLIENT_MAC);
    segment.seq = client.seq + 50; /* in the window, but nothing follows from it */
    assert_int_equal(from_new_mac(&segment), COUNTER_TCP_IN_ACCEPTED);
    check_answer_goes_to(RIG_CLIENT_MAC);
    segment.seq = client.seq;
    segment.ack = client.ack + 5; /* of what was never sent */
    assert_int_equal(from_new_mac(&segment), COUNTER_TCP_IN_BAD_ACK);
    check_answer_goes_to(RIG_CLIENT_MAC);
    segment.ack = client.ack;
    assert_int_equal(from_new_mac(&segment), COUNTER_TCP_IN_ACCEPTED);
    check_answer_goes_to(new_mac);
}

/* The same with tags: a new gateway in the connection's own VLAN is followed, one elsewhere is not,
 * though its segment is taken. */
static void test_new_gateway_in_a_vlan(void **state)
{
    struct segment segment = {.flags = TCP_FLAG_ACK, .window = 1000, .payload = "x", .length = 1};
    const struct rig_frame *frame;

    (void)state;
    client.vlan = 7;
    client_connect(&client);
    segment.ack = client.ack;
    for (unsigned i = 0; i < 3; i++) {
        static const uint16_t vlans[] = {0, 8, 7};

        client.vlan = vlans[i];
        segment.seq = client.seq + i;
        assert_int_equal(from_new_mac(&segment), COUNTER_TCP_IN_ACCEPTED);
        rig_flush(&rig);
        frame = rig_next(&rig);
        assert_non_null(frame);
        assert_int_equal(frame->vlan, 7);
        assert_memory_equal(frame->bytes, vlans[i] == 7 ? new_mac : RIG_CLIENT_MAC, 6);
        rig_drain(&rig);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_announcements),
        TEST(test_new_gateway),
        TEST(test_new_gateway_in_a_vlan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
