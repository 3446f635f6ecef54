/* The Internet checksum (RFC 1071) against a plain sum of 16-bit words, and SipHash against the
 * vectors of its paper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/siphash.h"

#define BYTES_MAX 2048u

static uint16_t naive_sum(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* As it would stand in memory, read as network order. */
static uint16_t our_sum(uint64_t sum)
{
    uint16_t folded = checksum_fold(sum);
    uint8_t memory[2];

    memcpy(memory, &folded, sizeof(memory));
    return bytes_get16(memory);
}

/* The worked example of RFC 1071 section 3. */
static void test_rfc_1071_example(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

    (void)state;
    assert_int_equal(our_sum(checksum_add(0, bytes, sizeof(bytes))), 0xddf2);
}

static void test_every_length_and_alignment(void **state)
{
    uint8_t bytes[BYTES_MAX];
    uint32_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        random = random * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t length = 0; length < sizeof(bytes) - 8; length++) {
        size_t start = length % 7;

        assert_int_equal(our_sum(checksum_add(0, bytes + start, length)),
                         naive_sum(bytes + start, length));
    }
}

static void test_carries(void **state)
{
    uint8_t bytes[BYTES_MAX];

    (void)state;
    memset(bytes, 0xff, sizeof(bytes));
    for (size_t length = 0; length <= sizeof(bytes); length++)
        assert_int_equal(our_sum(checksum_add(0, bytes, length)), naive_sum(bytes, length));
    /* Sums that fold to a carry of their own. */
    assert_int_equal(checksum_fold(0), 0);
    assert_int_equal(checksum_fold(UINT64_C(0x1ffff)), 1);
    assert_int_equal(checksum_fold(UINT64_C(0xffffffff)), 0xffff);
    assert_int_equal(checksum_fold(UINT64_C(0xffffffffffffffff)), 0xffff);
    assert_int_equal(checksum_fold(UINT64_C(0x1ffffffff)), 1);
}

static void test_pieces(void **state)
{
    uint8_t bytes[301];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    /* Any even cut; the last piece may be odd. */
    for (size_t cut = 0; cut <= sizeof(bytes); cut += 2) {
        uint64_t sum = checksum_add(0, bytes, cut);

        sum = checksum_add(sum, bytes + cut, sizeof(bytes) - cut);
        assert_int_equal(our_sum(sum), naive_sum(bytes, sizeof(bytes)));
    }
}

/* RFC 9293 3.1 (IPv4) and RFC 8200 8.1 (IPv6). */
static void test_pseudo_header(void **state)
{
    static const uint8_t v4[12] = {192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34};
    uint8_t v6[40];

    (void)state;
    assert_int_equal(our_sum(checksum_pseudo(v4, v4 + 4, 4, 6, 0x1234)), naive_sum(v4, sizeof(v4)));
    for (size_t i = 0; i < 32; i++)
        v6[i] = (uint8_t)(i * 91 + 5);
    memcpy(v6 + 32, (const uint8_t[8]){0x00, 0x01, 0x23, 0x45, 0, 0, 0, 6}, 8);
    assert_int_equal(our_sum(checksum_pseudo(v6, v6 + 16, 16, 6, 0x12345)),
                     naive_sum(v6, sizeof(v6)));
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), appendix A, and the first
 * vectors published with it: key 00 01 .. 0f, input 00 01 .. */
static void test_siphash_vectors(void **state)
{
    static const struct {
        size_t length;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)},  {3, UINT64_C(0x85676696d7fb7e2d)},
        {4, UINT64_C(0xcf2794e0277187b7)},  {5, UINT64_C(0x18765564cd99a68d)},
        {6, UINT64_C(0xcbc9466e58fee3ce)},  {7, UINT64_C(0xab0200f58b01d137)},
        {8, UINT64_C(0x93f5f5799a932462)},  {9, UINT64_C(0x9e0082df0ba9e4b0)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    static const struct siphash_key key = {
        {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    uint8_t input[16];

    (void)state;
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_true(siphash(&key, input, vectors[i].length) == vectors[i].hash);
}

/* With a key of zeros it is what CPython hashes bytes with (PYTHONHASHSEED=0, 3.11). */
static void test_siphash13_vectors(void **state)
{
    static const struct siphash_key zeros = {{0, 0}};
    static const struct siphash_key key = {
        {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    uint8_t input[36];

    (void)state;
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    assert_true(siphash13(&zeros, input, 1) == UINT64_C(0x68a914128e01e473));
    assert_true(siphash13(&zeros, input, 8) == UINT64_C(0xead411e67ebe2eea));
    assert_true(siphash13(&zeros, input, 12) == UINT64_C(0xa6baf4fb0f9fe1c2));
    assert_true(siphash13(&zeros, input, 15) == UINT64_C(0xf30eb725bb91c9ea));
    assert_true(siphash13(&zeros, input, 16) == UINT64_C(0x8972188433a5c5b7));
    assert_true(siphash13(&zeros, input, 36) == UINT64_C(0xac77921fcc642bd3));
    /* The first vector of the reference implementation. */
    assert_true(siphash13(&key, input, 0) == UINT64_C(0xabac0158050fc4dc));
}

static void test_siphash_depends_on_all(void **state)
{
    struct siphash_key key = {{1, 2}};
    uint8_t input[40] = {0};
    uint64_t plain = siphash(&key, input, sizeof(input));

    (void)state;
    for (size_t i = 0; i < sizeof(input) * 8; i++) {
        input[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(siphash(&key, input, sizeof(input)) == plain);
        input[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t i = 0; i < 128; i++) {
        key.words[i / 64] ^= UINT64_C(1) << i % 64;
        assert_false(siphash(&key, input, sizeof(input)) == plain);
        key.words[i / 64] ^= UINT64_C(1) << i % 64;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_1071_example),  cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_carries),           cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_pseudo_header),     cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_siphash13_vectors), cmocka_unit_test(test_siphash_depends_on_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
