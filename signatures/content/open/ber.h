/* ber.h: values of X.690's basic encoding, as far as CMS needs them: read from the front, also with
 * indefinite lengths, also cut short. For this room alone.
 *
 * No state, no heap. A value that claims more bytes than there are has those that are there.
 */
#ifndef SIGNATURES_CONTENT_OPEN_BER_H
#define SIGNATURES_CONTENT_OPEN_BER_H

#include "signatures/content/open/internal.h"

#define BER_DEPTH_MAX 32u /* values in values that are stepped over; more are taken as broken */

#define BER_CONSTRUCTED         0x20u
#define BER_OCTET_STRING        0x04u
#define BER_OBJECT              0x06u
#define BER_SEQUENCE            0x30u
#define BER_SET                 0x31u
#define BER_CONTEXT_0           0xa0u /* constructed */
#define BER_CONTEXT_0_PRIMITIVE 0x80u

struct ber_value {
    uint8_t tag;
    bool indefinite;
    struct open_span content; /* indefinite: all that follows */
};

/* The value at the front of `span`, which goes on behind its content, or, when that is indefinite,
 * at its content. False when there is none, or an end-of-contents. */
bool ber_enter(struct open_span *span, struct ber_value *value);

/* Steps over it. */
bool ber_skip(struct open_span *span);

/* Enters if its tag is that one; otherwise nothing happens. Then `span` is its content. */
bool ber_into(struct open_span *span, uint8_t tag);

#endif
