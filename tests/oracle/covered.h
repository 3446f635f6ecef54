/* covered.h: is everything that libclamav matched contained in what the prefilter searched?
 *
 * The rule behind "settled": whatever signature there may be, if libclamav could match it on this
 * message, the prefilter has searched the bytes it would match. So, of a settled message,
 *
 *   the raw mail      is the RAW stream: h(mail) equal, and around odd bytes exactly
 *   text (Target 7, and 0 where it is text)
 *                     h(buffer) is contained in h(RAW) or h(TEXT), odd bytes exactly
 *   HTML (Target 3)   the same in NOCOMMENT or NOTAGS
 *   Each of these where it was searched for the signatures of its own domain (mail, text, HTML).
 *   anything else     equals a BINARY or FORCED stream, byte for byte
 *   layers            have types that the prefilter settles; none below the message is a mail
 *
 * h and "odd" are signatures/content/decode/squeeze.h's; they are computed here by other code.
 *
 * Threads: one.
 */
#ifndef TESTS_ORACLE_COVERED_H
#define TESTS_ORACLE_COVERED_H

#include "platform/why.h"
#include "tests/oracle/probe.h"

struct covered_counts {
    unsigned long buffers;
    unsigned long bytes;
    unsigned long identical; /* of the text and HTML buffers: h(buffer) is all of a stream */
};

/* Looks at the last message of `probe` and of witness.h. False when something is not covered: `why`
 * says what, in one line, and *index (a buffer of witness.h, or SIZE_MAX) which. */
bool covered(const struct probe *probe, const struct bytes *message, struct covered_counts *counts,
             size_t *index, struct why *why);

#endif
