/* siphash.h: SipHash (Aumasson and Bernstein, 2012), a keyed hash that a peer cannot steer.
 *
 * siphash() is SipHash-2-4: for what peers get to see (sequence numbers, cookies). siphash13() is
 * SipHash-1-3, what is usual for tables: nobody sees a hash, only who meets whom must not be
 * foreseen. It is asked once a packet, so it is inlined.
 *
 * Hot path, no state.
 */
#ifndef DATAPLANE_NET_SIPHASH_H
#define DATAPLANE_NET_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct siphash_key {
    uint64_t words[2];
};

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length);

/* --- The parts of both, down to siphash13(). --- */

struct siphash_state {
    uint64_t a, b, c, d;
};

static inline struct siphash_state siphash_begin(const struct siphash_key *key)
{
    return (struct siphash_state){
        key->words[0] ^ UINT64_C(0x736f6d6570736575), key->words[1] ^ UINT64_C(0x646f72616e646f6d),
        key->words[0] ^ UINT64_C(0x6c7967656e657261), key->words[1] ^ UINT64_C(0x7465646279746573)};
}

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

/* Up to eight bytes, zeros above. `length` is a constant, or this is a call. */
static inline uint64_t siphash_load(const uint8_t *at, size_t length)
{
    uint64_t word = 0;

    memcpy(&word, at, length);
    return word;
}

static inline __attribute__((always_inline)) uint64_t siphash13(const struct siphash_key *key,
                                                                const void *bytes, size_t length)
{
    struct siphash_state s = siphash_begin(key);
    const uint8_t *at = bytes;
    size_t whole = length & ~(size_t)7;

    for (size_t i = 0; i <= whole; i += 8) {
        uint64_t word = i < whole ? siphash_load(at + i, 8)
                                  : siphash_load(at + i, length - whole) | (uint64_t)length << 56;

        s.d ^= word;
        siphash_round(&s);
        s.a ^= word;
    }
    s.c ^= 0xff;
    siphash_round(&s);
    siphash_round(&s);
    siphash_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

#endif
