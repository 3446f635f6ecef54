#include "dataplane/net/siphash.h"

#include <string.h>

struct siphash_state {
    uint64_t a, b, c, d;
};

static inline uint64_t siphash_rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void siphash_rounds(struct siphash_state *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
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
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length)
{
    struct siphash_state s = {
        key->words[0] ^ UINT64_C(0x736f6d6570736575), key->words[1] ^ UINT64_C(0x646f72616e646f6d),
        key->words[0] ^ UINT64_C(0x6c7967656e657261), key->words[1] ^ UINT64_C(0x7465646279746573)};
    const uint8_t *at = bytes;
    uint64_t last = (uint64_t)length << 56;
    uint64_t word;

    for (; length >= 8; length -= 8, at += 8) {
        memcpy(&word, at, sizeof(word));
        s.d ^= word;
        siphash_rounds(&s, 2);
        s.a ^= word;
    }
    word = 0;
    memcpy(&word, at, length);
    last |= word;
    s.d ^= last;
    siphash_rounds(&s, 2);
    s.a ^= last;
    s.c ^= 0xff;
    siphash_rounds(&s, 4);
    return s.a ^ s.b ^ s.c ^ s.d;
}
