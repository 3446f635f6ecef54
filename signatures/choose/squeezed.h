/* squeezed.h: the homomorphism of signatures/content/decode/squeeze.h, for one byte of a signature.
 */
#ifndef SIGNATURES_CHOOSE_SQUEEZED_H
#define SIGNATURES_CHOOSE_SQUEEZED_H

#include <stdbool.h>
#include <stdint.h>

/* The byte that is left of `byte`, or 0: nothing is. */
static inline uint8_t squeezed_byte(uint8_t byte)
{
    if (byte < 0x21 || byte > 0x7e)
        return 0;
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

static inline bool squeezed_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Searched for exactly, around it: neither printable ASCII nor white space. */
static inline bool squeezed_odd(uint8_t byte)
{
    return squeezed_byte(byte) == 0 && !squeezed_white(byte);
}

#endif
