#include "random.h"

#include <string.h>

static uint64_t random_rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

void random_seed(struct random *random, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t mixed;

        seed += UINT64_C(0x9e3779b97f4a7c15);
        mixed = (seed ^ seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
        random->state[i] = mixed ^ mixed >> 31;
    }
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = random_rotate(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

int64_t random_between(struct random *random, int64_t low, int64_t high)
{
    return low + (int64_t)random_below(random, (uint64_t)(high - low) + 1);
}

bool random_chance(struct random *random, unsigned parts)
{
    return random_below(random, 10000) < parts;
}

int64_t random_size(struct random *random, int64_t low, int64_t high)
{
    unsigned bits = 0;
    int64_t top;
    int64_t value;

    while (bits < 62 && (INT64_C(1) << bits) <= high - low)
        bits++;
    top = INT64_C(1) << random_below(random, bits + 1);
    value = low + random_between(random, top / 2, top - 1);
    return value < high ? value : high;
}

void random_fill(struct random *random, uint8_t *bytes, size_t length)
{
    while (length > 0) {
        uint64_t value = random_next(random);
        size_t part = length < sizeof(value) ? length : sizeof(value);

        memcpy(bytes, &value, part);
        bytes += part;
        length -= part;
    }
}
