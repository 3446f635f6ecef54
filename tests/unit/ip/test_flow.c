/* Which worker a packet is for: net/flow.h, over frames as the rig's clients make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/flow.h"
#include "tests/unit/ip/rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VLAN_42      0xb02au /* priority 5, drop eligible, VLAN 42 */

static struct rig rig; /* only named by clients */
static const struct siphash_key flow_key = {{UINT64_C(0x8a51), UINT64_C(0xbbaddecaf)}};

/* All packets of a connection meet in one worker, tagged or not, whatever they carry. */
static void test_flow_hash_is_stable(void **state)
{
    static const uint16_t tags[] = {0, 7, VLAN_42};
    uint8_t payload[1000] = {0};
    uint8_t frame[RIG_FRAME_BYTES];
    struct client client;

    (void)state;
    for (unsigned flow = 0; flow < 64; flow++) {
        uint32_t hash = 0;

        client_init(&client, &rig, (uint8_t)(1 + flow));
        client.port = (uint16_t)(1024 + flow * 977);
        for (unsigned i = 0; i < 30; i++) {
            struct segment segment = {.flags = (uint8_t)i,
                                      .seq = i * 99991,
                                      .ack = i * 7,
                                      .window = (uint16_t)i,
                                      .payload = payload,
                                      .length = i * 30,
                                      .options = payload,
                                      .option_bytes = (uint8_t)(i % 4 * 4)};
            uint32_t length;
            uint32_t now;

            client.vlan = tags[i % 3];
            length = client_frame(&client, &segment, frame);
            now = net_flow_hash(&flow_key, frame, length);
            assert_true(i == 0 || now == hash);
            hash = now;
        }
    }
}

static void test_flow_hash_spreads(void **state)
{
    struct segment syn = {.flags = TCP_FLAG_SYN};
    uint8_t frame[RIG_FRAME_BYTES];
    unsigned buckets[8] = {0};
    struct client client;

    (void)state;
    for (unsigned flow = 0; flow < 8000; flow++) {
        uint32_t length;

        client_init(&client, &rig, (uint8_t)(1 + flow % 16));
        client.port = (uint16_t)(1024 + flow / 16);
        length = client_frame(&client, &syn, frame);
        buckets[net_flow_hash(&flow_key, frame, length) % COUNT(buckets)]++;
    }
    for (size_t i = 0; i < COUNT(buckets); i++)
        assert_in_range(buckets[i], 700, 1300);
}

/* Ports chosen to meet on one worker under one key are spread under another. */
static void test_flow_hash_is_secret(void **state)
{
    static const struct siphash_key other = {{UINT64_C(0x8a52), UINT64_C(0xbbaddecaf)}};
    struct segment syn = {.flags = TCP_FLAG_SYN};
    uint8_t frame[RIG_FRAME_BYTES];
    unsigned chosen = 0;
    unsigned together = 0;
    struct client client;

    (void)state;
    client_init(&client, &rig, 1);
    for (unsigned port = 1024; port < 65536; port++) {
        uint32_t length;

        client.port = (uint16_t)port;
        length = client_frame(&client, &syn, frame);
        if (net_flow_hash(&flow_key, frame, length) % 8 != 3)
            continue;
        chosen++;
        together += net_flow_hash(&other, frame, length) % 8 == 3;
    }
    assert_in_range(chosen, 7500, 8600);
    assert_in_range(together, chosen / 12, chosen / 6);
}

/* Nothing that is not TCP over IPv4 has a flow; nothing beyond the frame is read (the copies are
 * exactly as long as they say: for the sanitizer). */
static void test_flow_hash_of_others(void **state)
{
    struct segment syn = {.flags = TCP_FLAG_SYN};
    struct client client;
    uint8_t whole[RIG_FRAME_BYTES];
    uint32_t length;

    (void)state;
    client_init(&client, &rig, 1);
    client.vlan = VLAN_42;
    length = client_frame(&client, &syn, whole);
    for (uint32_t cut = 0; cut < length; cut++) {
        uint8_t *copy = test_malloc(cut + 1);
        uint32_t hash;

        memcpy(copy + 1, whole, cut);
        hash = net_flow_hash(&flow_key, copy + 1, cut);
        assert_true(cut >= 18 + 20 + 4 ? hash != 0 : hash == 0);
        test_free(copy);
    }
    whole[18 + 6] = 0x20; /* more fragments: the others carry no ports */
    assert_int_equal(net_flow_hash(&flow_key, whole, length), 0);
    whole[18 + 6] = 0;
    whole[18 + 9] = FRAME_PROTOCOL_ICMP;
    assert_int_equal(net_flow_hash(&flow_key, whole, length), 0);
    bytes_put16(whole + 16, FRAME_TYPE_ARP);
    assert_int_equal(net_flow_hash(&flow_key, whole, length), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flow_hash_is_stable),
        cmocka_unit_test(test_flow_hash_spreads),
        cmocka_unit_test(test_flow_hash_is_secret),
        cmocka_unit_test(test_flow_hash_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
