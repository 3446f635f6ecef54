/* sequence.h: arithmetic on 32-bit sequence numbers that wrap (RFC 9293 3.4). */
#ifndef DATAPLANE_TCP_SEQUENCE_H
#define DATAPLANE_TCP_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool seq_after(uint32_t a, uint32_t b)
{
    return seq_before(b, a);
}

static inline bool seq_at_or_before(uint32_t a, uint32_t b)
{
    return !seq_after(a, b);
}

static inline uint32_t seq_later(uint32_t a, uint32_t b)
{
    return seq_before(a, b) ? b : a;
}

static inline uint32_t seq_earlier(uint32_t a, uint32_t b)
{
    return seq_before(a, b) ? a : b;
}

#endif
