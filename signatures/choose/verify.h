/* verify.h: does a formula imply the groups that were chosen for it?
 *
 * The compiler asks itself this for everything it chooses. A buffer is made up that satisfies the
 * formula (the alternatives and the bytes of sets at random), squeezed when it is text, and the
 * leaves are looked for in it, with none of the means that chose them. An error here would be a
 * virus let through, so it ends the build.
 *
 * Threads: any; the state is the caller's.
 */
#ifndef SIGNATURES_CHOOSE_VERIFY_H
#define SIGNATURES_CHOOSE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/choose/choose.h"

struct verify_bytes {
    uint8_t *bytes;
    size_t length;
    size_t room;
};

struct verifier {
    uint64_t random; /* any seed but 0 */
    struct verify_bytes buffer;
    struct verify_bytes start; /* what the buffer has to begin with, and does */
    struct verify_bytes squeezed;
};

/* Makes up a buffer that satisfies the formula, in verifier->buffer. False when this try cannot
 * (FALSE is in its way, or two beginnings that differ) or without memory. Runs do not touch each
 * other, but for those that stand at the buffer's beginning. */
bool verify_make(struct verifier *verifier, const struct expression *formula);

/* True when in so many made-up buffers a group of `choice` occurs, or a start of it begins them,
 * each time. */
bool verify_choice(struct verifier *verifier, const struct expression *formula, bool text,
                   const struct choice *choice, unsigned tries);

void verifier_free(struct verifier *verifier);

#endif
