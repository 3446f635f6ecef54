/* identity.h: may a prefilter speak for what a scanner has loaded?
 *
 * A scanner says in READY what it has (struct link_identity of platform/link/link.h); a prefilter
 * says in its header what it was made from and for. Everything has to be equal, and nothing
 * unknown: a scanner without a digest vouches for nobody.
 *
 * What a scanner says is not trusted beyond that: a scanner that lies can also call a virus clean.
 *
 * Threads: any; no state, no memory. For set-up and changes of peers, not for each message.
 */
#ifndef SIGNATURES_PREFILTER_IDENTITY_H
#define SIGNATURES_PREFILTER_IDENTITY_H

#include "platform/link/link.h"
#include "signatures/prefilter/prefilter.h"

/* libclamav's own default: with fewer levels it would call nested mail over its limit where the
 * prefilter says clean. */
#define IDENTITY_RECURSION_MIN 17u
/* What libclamav may count for one byte of a message (raw, decoded, normalised in several ways),
 * and for one part. */
#define IDENTITY_SCANNED_TIMES  8u
#define IDENTITY_FILES_PER_PART 8u
#define IDENTITY_FILES_PER_MAIL 8u

/* Same database, library and profile; and the library is the one the rules were proven for. */
bool scanner_identity_matches(const struct link_identity *identity,
                              const struct prefilter_header *header);

/* Whether its limits are never reached by what the prefilter settles: messages of at most
 * `message_bytes` with at most `parts` parts. */
bool scanner_identity_suffices(const struct link_identity *identity, uint64_t message_bytes,
                               unsigned parts);

#endif
