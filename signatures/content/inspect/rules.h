/* rules.h: what a prefilter asks of the byte strings of a message, in tables.
 *
 * Made once for an inspector, read-only from then on. Main thread; on the hot path only
 * rules_start().
 */
#ifndef SIGNATURES_CONTENT_INSPECT_RULES_H
#define SIGNATURES_CONTENT_INSPECT_RULES_H

#include "signatures/content/inspect/hashing.h"
#include "signatures/content/search/search.h"
#include "signatures/content/type/type.h"

#define RULES_DOMAINS 5u
_Static_assert(PREFILTER_ALL == (1u << RULES_DOMAINS) - 1, "a signature for each domain");

struct rules {
    const struct prefilter *prefilter;
    struct type_table *types;
    struct hashing_table hashes;
    uint32_t always[RULES_DOMAINS]; /* [domain's bit]: a signature, or UINT32_MAX */
    uint8_t starts[256];            /* [first byte]: domains of signatures that begin with it */
    uint32_t made_name; /* of a rule that holds for a name libclamav makes up, or UINT32_MAX */
    bool links;         /* phishing links are looked for */
};

/* `searcher`'s prefilter is borrowed. STATUS_NO_MEMORY. rules_fini() takes zeroes, too. */
enum status rules_init(struct rules *rules, const struct searcher *searcher) STATUS_CHECKED;
void rules_fini(struct rules *rules);

/* The signature that holds for every byte string of `domain` (one PREFILTER_* bit), or UINT32_MAX.
 */
uint32_t rules_always(const struct rules *rules, uint32_t domain);

/* The first signature that matches from the first byte of a buffer of `domain`, by its first bytes
 * (at most PREFILTER_START_MAX count), or UINT32_MAX. */
uint32_t rules_start(const struct rules *rules, uint32_t domain, const uint8_t *bytes,
                     size_t length);

#endif
