/* Frames that are not ordinary TCP segments: what is answered, what is counted as what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "tests/unit/ip/rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VLAN_42      0xb02au /* priority 5, drop eligible, VLAN 42 */

static struct rig rig;

static int set_up(void **state)
{
    rig_open(&rig, NULL);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static uint32_t put_link(uint8_t *frame, uint16_t vlan, uint16_t type)
{
    struct packet_path path = {.vlan = vlan};

    memcpy(path.peer_mac, RIG_MAC, 6);
    memcpy(path.own_mac, RIG_CLIENT_MAC, 6);
    frame_put_ethernet(frame, &path, type);
    return frame_header_bytes(&path);
}

/* RFC 826: who has `target`? From 198.18.1.9. */
static uint32_t put_arp(uint8_t *frame, uint16_t vlan, const uint8_t target[4])
{
    uint32_t at = put_link(frame, vlan, FRAME_TYPE_ARP);

    memset(frame, 0xff, 6);
    memcpy(frame + at, (const uint8_t[8]){0, 1, 8, 0, 6, 4, 0, 1}, 8);
    memcpy(frame + at + 8, RIG_CLIENT_MAC, 6);
    memcpy(frame + at + 14, (const uint8_t[4]){198, 18, 1, 9}, 4);
    memset(frame + at + 18, 0, 6);
    memcpy(frame + at + 24, target, 4);
    return at + 28;
}

static void check_arp_reply(uint16_t vlan)
{
    const struct rig_frame *reply = rig_next(&rig);
    const uint8_t *arp;

    assert_non_null(reply);
    arp = reply->network;
    assert_int_equal(reply->type, FRAME_TYPE_ARP);
    assert_int_equal(reply->vlan, vlan);
    assert_int_equal(reply->length, (vlan != 0 ? 18 : 14) + 28);
    assert_memory_equal(reply->bytes, RIG_CLIENT_MAC, 6);
    assert_memory_equal(arp, ((const uint8_t[8]){0, 1, 8, 0, 6, 4, 0, 2}), 8);
    assert_memory_equal(arp + 8, RIG_MAC, 6);
    assert_memory_equal(arp + 14, RIG_ADDRESS, 4);
    assert_memory_equal(arp + 18, RIG_CLIENT_MAC, 6);
    assert_memory_equal(arp + 24, ((const uint8_t[4]){198, 18, 1, 9}), 4);
    assert_null(rig_next(&rig));
}

static void test_rfc_826_request_is_answered(void **state)
{
    uint8_t frame[64];
    uint32_t length;

    (void)state;
    length = put_arp(frame, 0, RIG_ADDRESS);
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_ARP);
    check_arp_reply(0);
    length = put_arp(frame, VLAN_42, RIG_ADDRESS);
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_ARP);
    check_arp_reply(VLAN_42);
}

static void test_rfc_826_others_are_not_answered(void **state)
{
    static const struct {
        uint32_t at;
        uint8_t value;
        enum counter counter;
    } changes[] = {
        {14 + 27, 2, COUNTER_FRAME_NOT_OURS},     /* another target */
        {14 + 7, 2, COUNTER_FRAME_ARP},           /* a reply */
        {14 + 7, 9, COUNTER_FRAME_ARP},           /* no operation we know */
        {14 + 1, 6, COUNTER_FRAME_UNKNOWN_TYPE},  /* not Ethernet */
        {14 + 2, 9, COUNTER_FRAME_UNKNOWN_TYPE},  /* not IPv4 */
        {14 + 4, 8, COUNTER_FRAME_UNKNOWN_TYPE},  /* hardware address size */
        {14 + 5, 16, COUNTER_FRAME_UNKNOWN_TYPE}, /* protocol address size */
    };
    uint8_t frame[64];

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        uint32_t length = put_arp(frame, 0, RIG_ADDRESS);

        frame[changes[i].at] = changes[i].value;
        assert_int_equal(rig_input(&rig, frame, length), changes[i].counter);
    }
    for (uint32_t length = 14; length < 14 + 28; length++) {
        (void)put_arp(frame, 0, RIG_ADDRESS);
        assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_SHORT);
    }
    assert_null(rig_next(&rig));
}

static void test_short_frames(void **state)
{
    uint8_t frame[64];

    (void)state;
    for (uint32_t length = 0; length < 14; length++) {
        (void)put_link(frame, 0, FRAME_TYPE_IPV4);
        assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_SHORT);
    }
    for (uint32_t length = 14; length < 18; length++) {
        (void)put_link(frame, VLAN_42, FRAME_TYPE_IPV4);
        assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_SHORT);
    }
    for (uint32_t length = 14; length < 14 + 20; length++) {
        memset(frame, 0, sizeof(frame));
        (void)put_link(frame, 0, FRAME_TYPE_IPV4);
        assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_SHORT);
    }
}

/* RFC 792: an echo request with `data` bytes; returns the frame's length. */
static uint32_t put_echo(uint8_t *frame, uint16_t vlan, uint32_t data)
{
    uint32_t at = put_link(frame, vlan, FRAME_TYPE_IPV4);
    uint8_t *icmp = frame + at + FRAME_IPV4_BYTES;
    uint16_t checksum;

    frame_put_ipv4(frame + at, (const uint8_t[4]){198, 18, 1, 9}, RIG_ADDRESS, FRAME_PROTOCOL_ICMP,
                   8 + data, false);
    memcpy(icmp, (const uint8_t[8]){8, 0, 0, 0, 0x12, 0x34, 0, 7}, 8);
    for (uint32_t i = 0; i < data; i++)
        icmp[8 + i] = client_byte(i);
    checksum = (uint16_t)~checksum_fold(checksum_add(0, icmp, 8 + data));
    memcpy(icmp + 2, &checksum, sizeof(checksum));
    return at + FRAME_IPV4_BYTES + 8 + data;
}

static void test_rfc_792_echo(void **state)
{
    static const uint32_t sizes[] = {0, 1, 55, 56, 57, 1000, 1471, 1472};
    static const uint16_t vlans[] = {0, VLAN_42};
    uint8_t frame[RIG_FRAME_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT(sizes) * COUNT(vlans); i++) {
        uint16_t vlan = vlans[i % 2];
        uint32_t size = sizes[i / 2];
        uint32_t length = put_echo(frame, vlan, size);
        const struct rig_frame *reply;

        assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_ICMP_ECHO);
        reply = rig_next(&rig);
        assert_non_null(reply);
        assert_int_equal(reply->length, length);
        assert_int_equal(reply->vlan, vlan);
        assert_memory_equal(reply->bytes, RIG_CLIENT_MAC, 6);
        assert_memory_equal(reply->network + 16, ((const uint8_t[4]){198, 18, 1, 9}), 4);
        assert_int_equal(reply->network[20], 0);
        assert_int_equal(reply->network[21], 0);
        assert_memory_equal(reply->network + 24, ((const uint8_t[4]){0x12, 0x34, 0, 7}), 4);
        assert_memory_equal(reply->network + 28, frame + length - size, size);
        assert_int_equal(checksum_fold(checksum_add(0, reply->network + 20, 8 + size)), 0xffff);
        assert_null(rig_next(&rig));
    }
}

static void test_rfc_792_others_are_not_answered(void **state)
{
    uint8_t frame[256];
    uint32_t length;

    (void)state;
    length = put_echo(frame, 0, 20);
    frame[length - 1] ^= 1;
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_BAD_CHECKSUM);
    for (unsigned type = 0; type < 256; type++) {
        uint16_t checksum;

        if (type == 8)
            continue;
        length = put_echo(frame, 0, 20);
        frame[34] = (uint8_t)type;
        memset(frame + 36, 0, 2);
        checksum = (uint16_t)~checksum_fold(checksum_add(0, frame + 34, 28));
        memcpy(frame + 36, &checksum, sizeof(checksum));
        assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_ICMP_OTHER);
    }
    for (uint32_t total = 20; total < 28; total++) {
        (void)put_echo(frame, 0, 20);
        frame_put_ipv4(frame + 14, (const uint8_t[4]){198, 18, 1, 9}, RIG_ADDRESS,
                       FRAME_PROTOCOL_ICMP, total - 20, false);
        assert_int_equal(rig_input(&rig, frame, 14 + total), COUNTER_FRAME_SHORT);
    }
    assert_null(rig_next(&rig));
}

/* Sets one byte of an echo request's IP header, mending the checksum if asked to. */
static enum counter changed_ip(uint32_t at, uint8_t value, bool mend)
{
    uint8_t frame[256];
    uint32_t length = put_echo(frame, 0, 40);
    uint32_t header;

    frame[14 + at] = value;
    header = (frame[14] & 0x0fu) * 4;
    if (mend && header >= 20) {
        uint16_t checksum;

        memset(frame + 24, 0, 2);
        checksum = (uint16_t)~checksum_fold(checksum_add(0, frame + 14, header));
        memcpy(frame + 24, &checksum, sizeof(checksum));
    }
    return rig_input(&rig, frame, length);
}

/* RFC 791 3.1; RFC 1122 3.2.1. */
static void test_rfc_791_header(void **state)
{
    static const struct {
        uint8_t at;
        uint8_t value;
        bool mend;
        enum counter counter;
    } changes[] = {
        {0, 0x55, true, COUNTER_FRAME_BAD_IP}, /* version 5 */
        {0, 0x65, true, COUNTER_FRAME_BAD_IP}, /* version 6 */
        {0, 0x40, true, COUNTER_FRAME_BAD_IP}, /* header of 0 bytes */
        {0, 0x44, true, COUNTER_FRAME_BAD_IP}, /* header of 16 bytes */
        {3, 19, true, COUNTER_FRAME_BAD_IP},   /* total length below the header */
        {3, 69, true, COUNTER_FRAME_BAD_IP},   /* one byte more than there is */
        {2, 0xff, true, COUNTER_FRAME_BAD_IP}, /* far more */
        {10, 0x77, false, COUNTER_FRAME_BAD_CHECKSUM},
        {8, 63, false, COUNTER_FRAME_BAD_CHECKSUM},
        {8, 1, true, COUNTER_FRAME_ICMP_ECHO}, /* TTL is for routers (RFC 1122 3.2.1.7) */
        {8, 0, true, COUNTER_FRAME_ICMP_ECHO},
        {1, 0xff, true, COUNTER_FRAME_ICMP_ECHO}, /* any class and ECN bits */
        {6, 0x00, true, COUNTER_FRAME_ICMP_ECHO}, /* may be fragmented, is not */
        {6, 0x20, true, COUNTER_FRAME_FRAGMENT},  /* more fragments */
        {6, 0x60, true, COUNTER_FRAME_FRAGMENT},
        {6, 0x1f, true, COUNTER_FRAME_FRAGMENT}, /* an offset */
        {7, 1, true, COUNTER_FRAME_FRAGMENT},
        {19, 2, true, COUNTER_FRAME_NOT_OURS},
        {16, 255, true, COUNTER_FRAME_NOT_OURS},
        {9, 17, true, COUNTER_FRAME_UNKNOWN_PROTOCOL},
        {9, 0, true, COUNTER_FRAME_UNKNOWN_PROTOCOL},
        {12, 0, true, COUNTER_FRAME_BAD_IP},   /* RFC 1122 3.2.1.3: this network */
        {12, 127, true, COUNTER_FRAME_BAD_IP}, /* loopback */
        {12, 224, true, COUNTER_FRAME_BAD_IP}, /* multicast */
        {12, 240, true, COUNTER_FRAME_BAD_IP}, /* reserved */
        {12, 255, true, COUNTER_FRAME_BAD_IP}, /* broadcast */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        bool answered = changes[i].counter == COUNTER_FRAME_ICMP_ECHO;

        assert_int_equal(changed_ip(changes[i].at, changes[i].value, changes[i].mend),
                         changes[i].counter);
        assert_int_equal(rig_next(&rig) != NULL, answered);
    }
}

static void test_source_is_ourselves(void **state)
{
    uint8_t frame[256];
    uint32_t length = put_echo(frame, 0, 40);

    (void)state;
    frame_put_ipv4(frame + 14, RIG_ADDRESS, RIG_ADDRESS, FRAME_PROTOCOL_ICMP, 48, false);
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_BAD_IP);
    assert_null(rig_next(&rig));
}

/* RFC 1122 3.2.1.8: options are passed over. */
static void test_ip_options(void **state)
{
    uint8_t frame[256];

    (void)state;
    for (uint32_t options = 4; options <= 40; options += 4) {
        uint32_t length = put_echo(frame, 0, 40);
        const struct rig_frame *reply;
        uint16_t checksum;

        memmove(frame + 34 + options, frame + 34, length - 34);
        memset(frame + 34, 1, options); /* no operation */
        frame[14] = (uint8_t)(0x45 + options / 4);
        bytes_put16(frame + 16, (uint16_t)(length - 14 + options));
        memset(frame + 24, 0, 2);
        checksum = (uint16_t)~checksum_fold(checksum_add(0, frame + 14, 20 + options));
        memcpy(frame + 24, &checksum, sizeof(checksum));
        assert_int_equal(rig_input(&rig, frame, length + options), COUNTER_FRAME_ICMP_ECHO);
        reply = rig_next(&rig);
        assert_non_null(reply);
        assert_int_equal(reply->length, length); /* ours has no options */
    }
}

/* RFC 894: what follows the total length is padding. */
static void test_padding(void **state)
{
    uint8_t frame[256];
    struct client client;
    struct segment syn = {.flags = TCP_FLAG_SYN, .seq = 7, .window = 1000};
    uint32_t length = put_echo(frame, 0, 1);

    (void)state;
    memset(frame + length, 0xee, 60 - length);
    assert_int_equal(rig_input(&rig, frame, 60), COUNTER_FRAME_ICMP_ECHO);
    assert_int_equal(rig_next(&rig)->length, length);
    client_init(&client, &rig, 1);
    length = client_frame(&client, &syn, frame);
    memset(frame + length, 0xee, 60 - length);
    assert_int_equal(rig_input(&rig, frame, 60), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig_next(&rig)->tcp.ack, 8); /* the padding was no data */
}

static void test_link_addresses(void **state)
{
    uint8_t frame[256];
    uint32_t length = put_echo(frame, 0, 40);

    (void)state;
    frame[5] ^= 1;
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_NOT_OURS);
    memset(frame, 0xff, 6);
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_NOT_OURS);
    (void)put_echo(frame, 0, 40);
    frame[6] |= 1; /* a group address as sender */
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_BAD_IP);
    assert_null(rig_next(&rig));
}

static void test_other_types(void **state)
{
    static const uint16_t types[] = {0x88cc, 0x0000, 0x8847, FRAME_TYPE_VLAN};
    uint8_t frame[256];

    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        uint32_t length = put_echo(frame, VLAN_42, 40);

        bytes_put16(frame + 16, types[i]);
        assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_UNKNOWN_TYPE);
    }
    assert_null(rig_next(&rig));
}

/* IEEE 802.1Q: every segment of a tagged flow carries the tag of the SYN, priority included
 * (client_next() checks each frame). */
static void test_vlan_flow(void **state)
{
    static const uint16_t tags[] = {VLAN_42, 42, 0xe000, 0x0fff};
    struct client client;

    (void)state;
    for (size_t i = 0; i < COUNT(tags); i++) {
        client_init(&client, &rig, (uint8_t)(1 + i));
        client.vlan = tags[i];
        client_connect(&client);
        assert_int_equal(client_stream(&client, 0, 100), COUNTER_TCP_IN_ACCEPTED);
        client.seq += 100;
        rig_flush(&rig);
        assert_int_equal(client_next(&client)->vlan, tags[i]);
        client_finish(&client);
    }
}

/* Of a segment too large for the port's buffers the beginning is taken, where checksums are
 * trusted; its FIN belongs to bytes that are not there. */
static void test_cut_segments(void **state)
{
    uint8_t frame[256];
    uint8_t content[100];
    struct client client;
    struct segment data = {.flags = TCP_FLAG_ACK | TCP_FLAG_FIN, .payload = content, .length = 100};
    struct packet_view view = {frame, 0, true, true};

    (void)state;
    memset(content, 'c', sizeof(content));
    client_init(&client, &rig, 1);
    client_connect(&client);
    data.seq = client.seq;
    data.ack = client.ack;
    data.window = client.window;
    view.length = client_frame(&client, &data, frame) - 40;
    assert_int_equal(rig_input(&rig, frame, view.length), COUNTER_FRAME_BAD_IP);
    rig.given++;
    assert_int_equal(ip_input(&rig.ip, &view, 0, rig.now_ns), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.received_length, 60);
    assert_int_equal(rig.finished, 0);
    view.length = 14 + 20 + 19; /* within the TCP header */
    rig.given++;
    assert_int_equal(ip_input(&rig.ip, &view, 0, rig.now_ns), COUNTER_TCP_IN_BAD_HEADER);
    assert_int_equal(client_put(&client, &data), COUNTER_TCP_IN_ACCEPTED);
    assert_int_equal(rig.received_length, 100);
    assert_int_equal(rig.finished, 1);
}

/* A port that verifies checksums is believed. */
static void test_port_checks(void **state)
{
    uint8_t frame[256];
    struct client client;
    struct segment syn = {.flags = TCP_FLAG_SYN, .seq = 7, .window = 1000};
    struct packet_view view = {frame, 0, true, true};

    (void)state;
    client_init(&client, &rig, 1);
    view.length = client_frame(&client, &syn, frame);
    frame[14 + 20 + 16] ^= 0xff;
    assert_int_equal(rig_input(&rig, frame, view.length), COUNTER_TCP_IN_BAD_CHECKSUM);
    frame[14 + 10] ^= 0xff;
    rig.given++;
    assert_int_equal(ip_input(&rig.ip, &view, 0, rig.now_ns), COUNTER_TCP_IN_ACCEPTED);
    assert_non_null(rig_next(&rig));
}

static void test_no_buffer(void **state)
{
    uint8_t frame[256];
    uint32_t length = put_arp(frame, 0, RIG_ADDRESS);

    (void)state;
    rig.buffers = 0;
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_ARP);
    length = put_echo(frame, 0, 40);
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_ICMP_ECHO);
    rig.buffers = 1;
    assert_int_equal(rig_input(&rig, frame, length), COUNTER_FRAME_ICMP_ECHO);
    assert_non_null(rig_next(&rig));
    assert_null(rig_next(&rig));
}

/* On a port shared with the kernel what nobody listens for is the kernel's, whatever it is. */
static void test_shared_port(void **state)
{
    struct segment syn = {.flags = TCP_FLAG_SYN, .seq = 7, .window = 100};
    struct client client;
    uint8_t frame[RIG_FRAME_BYTES];

    (void)state;
    rig.ip.interfaces[0].shared = true;
    client_init(&client, &rig, 1);
    client.server_port = RIG_PORT + 1;
    assert_int_equal(client_put(&client, &syn), COUNTER_FRAME_OTHER_PORT);
    syn.flags = TCP_FLAG_ACK;
    assert_int_equal(client_put(&client, &syn), COUNTER_FRAME_OTHER_PORT);
    (void)client_frame(&client, &syn, frame);
    bytes_put16(frame + 16, FRAME_IPV4_BYTES + 3); /* too short to name a port */
    memset(frame + 24, 0, 2);
    bytes_put16(frame + 24, (uint16_t)~bytes_get16((const uint8_t *)&(uint16_t){
                                checksum_fold(checksum_add(0, frame + 14, FRAME_IPV4_BYTES))}));
    assert_int_equal(rig_input(&rig, frame, 14 + FRAME_IPV4_BYTES + 3), COUNTER_FRAME_OTHER_PORT);
    assert_null(rig_next(&rig));
    assert_true(ip_concerns_kernel(COUNTER_FRAME_OTHER_PORT));
    client_init(&client, &rig, 1);
    client_connect(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rfc_826_request_is_answered),
        TEST(test_rfc_826_others_are_not_answered),
        TEST(test_short_frames),
        TEST(test_rfc_792_echo),
        TEST(test_rfc_792_others_are_not_answered),
        TEST(test_rfc_791_header),
        TEST(test_source_is_ourselves),
        TEST(test_ip_options),
        TEST(test_padding),
        TEST(test_link_addresses),
        TEST(test_other_types),
        TEST(test_vlan_flow),
        TEST(test_port_checks),
        TEST(test_cut_segments),
        TEST(test_no_buffer),
        TEST(test_shared_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
