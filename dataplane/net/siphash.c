#include "dataplane/net/siphash.h"

#include <string.h>

struct siphash_state {
    uint64_t a, b, c, d;
};

static inline uint64_t siphash_rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void siphash_round(struct siphash_state *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = siphash_rotate(s->b, 13) ^ s->a;
    s->d = siphash_rotate(s->d, 16) ^ s->c;
    s->a = siphash_rotate(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = siphash_rotate(s->b, 17) ^ s->c;
    s->d = siphash_rotate(s->d, 21) ^ s->a;
    s->c = siphash_rotate(s->c, 32);
}

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
    struct siphash_state s = {
        key->words[0] ^ UINT64_C(0x736f6d6570736575), key->words[1] ^ UINT64_C(0x646f72616e646f6d),
        key->words[0] ^ UINT64_C(0x6c7967656e657261), key->words[1] ^ UINT64_C(0x7465646279746573)};
    const uint8_t *at = bytes;
    uint64_t last = (uint64_t)length << 56;

    for (; length >= 8; length -= 8, at += 8) {
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        siphash_word(&s, word);
    }
    siphash_word(&s, last | siphash_tail(at, length));
    s.c ^= 0xff;
    siphash_round(&s);
    siphash_round(&s);
    siphash_round(&s);
    siphash_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}
