/* IPv6, neighbour discovery, and path MTU of both protocols: what is answered and counted as what.
 */
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

static const uint8_t peer[16] = {0x20, 0x01, 0, 2, [15] = 9};
static const uint8_t nobody[16];

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

/* Link and IPv6 headers; returns where the payload begins. */
static uint32_t put_ipv6(uint8_t *frame, const uint8_t source[16], const uint8_t destination[16],
                         uint8_t next, uint32_t bytes, uint8_t hops)
{
    struct packet_path path = {0};

    memcpy(path.peer_mac, RIG_MAC, 6);
    memcpy(path.own_mac, RIG_CLIENT_MAC, 6);
    frame_put_ethernet(frame, &path, FRAME_TYPE_IPV6);
    frame_put_ipv6(frame + FRAME_ETHERNET_BYTES, source, destination, next, bytes, hops);
    return FRAME_ETHERNET_BYTES + FRAME_IPV6_BYTES;
}

static enum counter send_icmpv6(const uint8_t source[16], const uint8_t destination[16],
                                const uint8_t *icmp, uint32_t length, uint8_t hops)
{
    uint8_t frame[RIG_FRAME_BYTES];
    uint32_t at = put_ipv6(frame, source, destination, FRAME_PROTOCOL_ICMPV6, length, hops);
    uint64_t sum = checksum_pseudo(source, destination, 16, FRAME_PROTOCOL_ICMPV6, length);
    uint16_t checksum;

    memcpy(frame + at, icmp, length);
    memset(frame + at + 2, 0, 2);
    checksum = (uint16_t)~checksum_fold(checksum_add(sum, frame + at, length));
    memcpy(frame + at + 2, &checksum, sizeof(checksum));
    return rig_input(&rig, frame, at + length);
}

static void test_rfc_4443_echo(void **state)
{
    static const uint8_t echo[12] = {128, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd'};
    static const uint8_t other[8] = {129};
    const uint8_t *const own[2] = {RIG_ADDRESS6, rig.ip.interfaces[0].link_local};
    const struct rig_frame *reply;

    (void)state;
    for (size_t i = 0; i < COUNT(own); i++) {
        assert_int_equal(send_icmpv6(peer, own[i], echo, sizeof(echo), 64),
                         COUNTER_FRAME_ICMP_ECHO);
        reply = rig_next(&rig); /* whose checksum is checked as it leaves */
        assert_non_null(reply);
        assert_memory_equal(reply->network + 8, own[i], 16);
        assert_memory_equal(reply->network + 24, peer, 16);
        assert_int_equal(reply->network[40], 129);
        assert_memory_equal(reply->network + 44, echo + 4, 8);
    }
    assert_int_equal(send_icmpv6(nobody, RIG_ADDRESS6, echo, sizeof(echo), 64),
                     COUNTER_FRAME_ICMP_OTHER);
    assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, other, sizeof(other), 64),
                     COUNTER_FRAME_ICMP_OTHER);
    assert_int_equal(send_icmpv6(peer, peer, echo, sizeof(echo), 64), COUNTER_FRAME_NOT_OURS);
    for (uint32_t length = 0; length < 8; length++) {
        uint8_t frame[128] = {0};
        uint32_t at = put_ipv6(frame, peer, RIG_ADDRESS6, FRAME_PROTOCOL_ICMPV6, length, 64);

        assert_int_equal(rig_input(&rig, frame, at + length), COUNTER_FRAME_SHORT);
    }
    assert_null(rig_next(&rig));
}

static void put_solicitation(uint8_t icmp[32], const uint8_t target[16])
{
    memset(icmp, 0, 32);
    icmp[0] = 135;
    memcpy(icmp + 8, target, 16);
    icmp[24] = 1;
    icmp[25] = 1;
    memcpy(icmp + 26, RIG_CLIENT_MAC, 6);
}

static void test_rfc_4861_solicitation(void **state)
{
    const struct rig_frame *reply;
    uint8_t icmp[32];

    (void)state;
    put_solicitation(icmp, RIG_ADDRESS6);
    assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, icmp, 32, 255), COUNTER_FRAME_ND);
    reply = rig_next(&rig);
    assert_non_null(reply);
    assert_memory_equal(reply->bytes, RIG_CLIENT_MAC, 6);
    assert_memory_equal(reply->network + 24, peer, 16);
    assert_int_equal(reply->network[7], 255);
    assert_int_equal(reply->network[40], 136);
    assert_int_equal(reply->network[44], 0x60); /* solicited, override */
    assert_memory_equal(reply->network + 48, RIG_ADDRESS6, 16);
    assert_memory_equal(reply->network + 66, RIG_MAC, 6);
    /* RFC 4862 5.4: somebody asks whether the address is taken. Everybody is told. */
    assert_int_equal(send_icmpv6(nobody, RIG_ADDRESS6, icmp, 24, 255), COUNTER_FRAME_ND);
    reply = rig_next(&rig);
    assert_non_null(reply);
    assert_memory_equal(reply->bytes, ((const uint8_t[6]){0x33, 0x33, 0, 0, 0, 1}), 6);
    assert_int_equal(reply->network[44], 0x20);
}

static void test_rfc_4861_7_1_1_invalid(void **state)
{
    uint8_t icmp[32];

    (void)state;
    put_solicitation(icmp, RIG_ADDRESS6);
    assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, icmp, 32, 254), COUNTER_FRAME_BAD_IP);
    assert_int_equal(send_icmpv6(nobody, RIG_ADDRESS6, icmp, 32, 255), COUNTER_FRAME_BAD_IP);
    assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, icmp, 23, 255), COUNTER_FRAME_BAD_IP);
    for (uint32_t length = 25; length < 32; length++)
        assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, icmp, length, 255), COUNTER_FRAME_BAD_IP);
    icmp[25] = 0; /* an option without length */
    assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, icmp, 32, 255), COUNTER_FRAME_BAD_IP);
    icmp[25] = 2; /* or with too much of it */
    assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, icmp, 32, 255), COUNTER_FRAME_BAD_IP);
    put_solicitation(icmp, peer);
    assert_int_equal(send_icmpv6(peer, RIG_ADDRESS6, icmp, 32, 255), COUNTER_FRAME_NOT_OURS);
    assert_null(rig_next(&rig));
}

/* A SYN behind `extension`, announced by `next`. */
static enum counter send_syn(const uint8_t source[16], uint8_t next, const uint8_t *extension,
                             uint32_t bytes)
{
    uint8_t frame[RIG_FRAME_BYTES];
    uint32_t at = put_ipv6(frame, source, RIG_ADDRESS6, next, bytes + 20, 64);
    uint8_t *tcp = frame + at + bytes;
    uint64_t sum = checksum_pseudo(source, RIG_ADDRESS6, 16, FRAME_PROTOCOL_TCP, 20);
    uint16_t checksum;

    if (bytes > 0)
        memcpy(frame + at, extension, bytes);
    memset(tcp, 0, 20);
    bytes_put16(tcp, 40000);
    bytes_put16(tcp + 2, RIG_PORT);
    bytes_put32(tcp + 4, 7);
    tcp[12] = 0x50;
    tcp[13] = TCP_FLAG_SYN;
    checksum = (uint16_t)~checksum_fold(checksum_add(sum, tcp, 20));
    memcpy(tcp + 16, &checksum, sizeof(checksum));
    return rig_input(&rig, frame, at + bytes + 20);
}

/* RFC 9293 3.7.1: over IPv6 our MSS is 20 bytes less. */
static void test_syn(void **state)
{
    const struct rig_frame *frame;

    (void)state;
    assert_int_equal(send_syn(peer, FRAME_PROTOCOL_TCP, NULL, 0), COUNTER_TCP_IN_ACCEPTED);
    frame = rig_next(&rig);
    assert_true(frame != NULL && frame->segment);
    assert_int_equal(frame->tcp.flags, TCP_FLAG_SYN | TCP_FLAG_ACK);
    assert_int_equal(frame->tcp.mss, RIG_MTU - 60);
    assert_int_equal(frame->tcp.ack, 8);
    assert_memory_equal(frame->network + 24, peer, 16);
}

/* RFC 8200 4: options are stepped over, routing is refused, fragments are counted. */
static void test_rfc_8200_extension_headers(void **state)
{
    static const struct {
        uint8_t next;
        uint8_t bytes[16];
        uint8_t length;
        enum counter counter;
    } cases[] = {
        {0, {6, 0, 1, 4}, 8, COUNTER_TCP_IN_ACCEPTED},
        {60, {6, 1, 1, 12}, 16, COUNTER_TCP_IN_DUPLICATE},
        {0, {60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4}, 16, COUNTER_TCP_IN_DUPLICATE},
        {60,
         {0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4},
         16,
         COUNTER_FRAME_BAD_IP},                          /* hop-by-hop second */
        {60, {6, 255, 1, 4}, 8, COUNTER_FRAME_BAD_IP},   /* longer than all */
        {43, {6, 0, 0, 0}, 8, COUNTER_TCP_IN_DUPLICATE}, /* used up */
        {43, {6, 0, 0, 1}, 8, COUNTER_FRAME_BAD_IP},
        {44, {6, 0, 0, 1}, 8, COUNTER_FRAME_FRAGMENT},
        {44, {6, 0, 0, 8}, 8, COUNTER_FRAME_FRAGMENT},
        {44, {6, 0, 0, 0}, 8, COUNTER_TCP_IN_DUPLICATE}, /* RFC 6946: all of it */
        {59, {0}, 8, COUNTER_FRAME_UNKNOWN_PROTOCOL},
        {17, {0}, 8, COUNTER_FRAME_UNKNOWN_PROTOCOL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(send_syn(peer, cases[i].next, cases[i].bytes, cases[i].length),
                         cases[i].counter);
}

static void test_sources(void **state)
{
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t group[16] = {0xff, 2, [15] = 1};
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 198, 18, 1, 1};
    const uint8_t *const sources[] = {nobody, loopback,     group,
                                      mapped, RIG_ADDRESS6, rig.ip.interfaces[0].link_local};

    (void)state;
    for (size_t i = 0; i < COUNT(sources); i++)
        assert_int_equal(send_syn(sources[i], FRAME_PROTOCOL_TCP, NULL, 0), COUNTER_FRAME_BAD_IP);
    assert_null(rig_next(&rig));
}

/* RFC 1191: "fragmentation needed", quoting a segment with `seq`. */
static void send_too_big(const struct client *client, uint32_t seq, uint16_t mtu)
{
    uint8_t frame[14 + 20 + 8 + 28];
    struct packet_path path = {0};
    uint8_t *icmp = frame + 34;
    uint16_t checksum;

    memcpy(path.peer_mac, RIG_MAC, 6);
    memcpy(path.own_mac, RIG_CLIENT_MAC, 6);
    frame_put_ethernet(frame, &path, FRAME_TYPE_IPV4);
    frame_put_ipv4(frame + 14, (const uint8_t[4]){198, 18, 9, 9}, RIG_ADDRESS, FRAME_PROTOCOL_ICMP,
                   36, false);
    memset(icmp, 0, 36);
    icmp[0] = 3;
    icmp[1] = 4;
    bytes_put16(icmp + 6, mtu);
    frame_put_ipv4(icmp + 8, RIG_ADDRESS, client->address, FRAME_PROTOCOL_TCP, 1460, false);
    bytes_put16(icmp + 28, RIG_PORT);
    bytes_put16(icmp + 30, client->port);
    bytes_put32(icmp + 32, seq);
    checksum = (uint16_t)~checksum_fold(checksum_add(0, icmp, 36));
    memcpy(icmp + 2, &checksum, sizeof(checksum));
    assert_int_equal(rig_input(&rig, frame, sizeof(frame)), COUNTER_FRAME_ICMP_OTHER);
    rig_flush(&rig);
}

/* RFC 1191, 5927: believed about what is in flight, and never below 552 bytes. */
static void test_rfc_1191_path_mtu(void **state)
{
    static const uint8_t reply[3000] = {1};
    const struct rig_frame *frame;
    struct client client;

    (void)state;
    client_init(&client, &rig, 1);
    client_connect(&client);
    assert_int_equal(tcp_send(rig.connection, reply, sizeof(reply)), STATUS_OK);
    rig_flush(&rig);
    rig_drain(&rig);
    send_too_big(&client, client.own - 1, 1000);    /* nothing of ours */
    send_too_big(&client, client.own + 3000, 1000); /* nor that */
    send_too_big(&client, client.own, 1500);        /* nothing new */
    client.port++;
    send_too_big(&client, client.own, 1000); /* somebody else's */
    client.port--;
    assert_null(rig_next(&rig));
    send_too_big(&client, client.own + 1460, 1000);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(frame->tcp.seq, client.own);
    assert_int_equal(frame->tcp.payload_length, 960);
    rig_drain(&rig);
    send_too_big(&client, client.own, 68);
    frame = client_next(&client);
    assert_non_null(frame);
    assert_int_equal(frame->tcp.payload_length, 552 - 40);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rfc_4443_echo),
        TEST(test_rfc_4861_solicitation),
        TEST(test_rfc_4861_7_1_1_invalid),
        TEST(test_syn),
        TEST(test_rfc_8200_extension_headers),
        TEST(test_sources),
        TEST(test_rfc_1191_path_mtu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
