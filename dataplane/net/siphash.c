#include "dataplane/net/siphash.h"

static inline void siphash_word(struct siphash_state *s, uint64_t word)
{
    s->d ^= word;
    siphash_round(s);
    siphash_round(s);
    s->a ^= word;
}

/* Fewer than eight bytes, little-endian, zeros above. */
static inline uint64_t siphash_tail(const uint8_t *at, size_t length)
{
    uint64_t word = 0;
    unsigned shift = 0;

    if (length >= 4) {
        uint32_t low;

        memcpy(&low, at, sizeof(low));
        word = low;
        at += 4;
        length -= 4;
        shift = 32;
    }
    for (; length > 0; length--, at++, shift += 8)
        word |= (uint64_t)*at << shift;
    return word;
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length)
{
    struct siphash_state s = siphash_begin(key);
    const uint8_t *at = bytes;
    uint64_t last = (uint64_t)length << 56;

    for (; length >= 8; length -= 8, at += 8)
        siphash_word(&s, siphash_load(at, 8));
    siphash_word(&s, last | siphash_tail(at, length));
    s.c ^= 0xff;
    siphash_round(&s);
    siphash_round(&s);
    siphash_round(&s);
    siphash_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
