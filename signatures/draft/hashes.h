/* hashes.h: the set of hash signatures of one digest, as prefilter.h describes it, in the making.
 *
 * Only fingerprints (64 bits) and sizes are kept: enough to say "not listed", which is all that the
 * prefilter asks. A fingerprint that is there twice is stored once.
 *
 * Threads: one set, one thread. Memory: 8 bytes a hash while it grows, 10 to 20 for the table.
 */
#ifndef SIGNATURES_DRAFT_HASHES_H
#define SIGNATURES_DRAFT_HASHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "signatures/prefilter/prefilter.h"

#define HASH_SET_SIZES_BYTES ((PREFILTER_SIZES_EXACT + PREFILTER_SIZES_COARSE) / 8)

struct hash_set {
    uint64_t *fingerprints; /* as they came */
    size_t count;
    size_t room;
    uint8_t *sizes; /* HASH_SET_SIZES_BYTES; null as long as there is no hash */
    bool any_size;
};

/* Zeroes are an empty set. `digest` is of at least eight bytes. STATUS_NO_MEMORY. */
enum status hash_set_add(struct hash_set *set, const uint8_t *digest, bool any_size,
                         uint64_t size) STATUS_CHECKED;

/* The slots: `*slots` (to be freed; null for an empty set) of `*slot_count`, with `*stored` taken.
 * STATUS_NO_MEMORY. */
enum status hash_set_slots(const struct hash_set *set, uint64_t **slots, uint64_t *slot_count,
                           uint64_t *stored) STATUS_CHECKED;

void hash_set_free(struct hash_set *set);

#endif
