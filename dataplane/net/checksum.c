#include "dataplane/net/checksum.h"

#include <string.h>

/* Two sums side by side in a vector register, which every 64-bit machine has. */
typedef uint64_t checksum_lanes __attribute__((vector_size(16)));

static inline checksum_lanes checksum_split(const uint8_t *at)
{
    checksum_lanes words;

    memcpy(&words, at, sizeof(words));
    return (words & UINT32_MAX) + (words >> 32);
}

/* Whole 32-byte pieces. Each 64-bit word is split into halves before it is added, so nothing
 * overflows below 2^31 words. */
static uint64_t checksum_add_wide(const uint8_t *at, size_t length)
{
    checksum_lanes even = {0};
    checksum_lanes odd = {0};

    for (; length > 0; length -= 32, at += 32) {
        even += checksum_split(at);
        odd += checksum_split(at + 16);
    }
    even += odd;
    return even[0] + even[1];
}

/* Adding 32-bit words to a 64-bit sum needs no carry handling below 2^32 words, and the one's
 * complement sum is the same in either byte order. */
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    size_t wide = length & ~(size_t)31;

    if (wide > 0) {
        sum += checksum_add_wide(at, wide);
        at += wide;
        length -= wide;
    }
    for (; length >= 4; length -= 4, at += 4) {
        uint32_t word;

        memcpy(&word, at, sizeof(word));
        sum += word;
    }
    if (length > 0) {
        uint32_t word = 0;

        memcpy(&word, at, length);
        sum += word;
    }
    return sum;
}

uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)sum;
}

uint64_t checksum_pseudo(const uint8_t *source, const uint8_t *destination, size_t address_bytes,
                         uint8_t protocol, uint32_t length)
{
    uint8_t tail[8] = {(uint8_t)(length >> 24),
                       (uint8_t)(length >> 16),
                       (uint8_t)(length >> 8),
                       (uint8_t)length,
                       0,
                       0,
                       0,
                       protocol};
    uint64_t sum = checksum_add(0, source, address_bytes);

    sum = checksum_add(sum, destination, address_bytes);
    return checksum_add(sum, tail, sizeof(tail));
}
