#include "dataplane/net/checksum.h"

#include <string.h>

/* Adding 32-bit words to a 64-bit sum needs no carry handling below 2^32 words, and the one's
 * complement sum is the same in either byte order. The loop is plain enough for the compiler to
 * vectorise. */
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

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
