#include "signatures/prefilter/prefilter.h"

static const uint8_t *hashes_base(const struct prefilter *prefilter)
{
    return (const uint8_t *)prefilter->header;
}

bool prefilter_size_listed(const struct prefilter *prefilter, enum prefilter_digest digest,
                           uint64_t size)
{
    const struct prefilter_hashes *hashes = &prefilter->header->hashes[digest];
    uint32_t bit = prefilter_size_bit(size);

    if (hashes->slots == 0)
        return false;
    if (hashes->any_size != 0 || bit == UINT32_MAX)
        return true;
    return (hashes_base(prefilter)[hashes->sizes + bit / 8] & (1u << (bit % 8))) != 0;
}

bool prefilter_hash_listed(const struct prefilter *prefilter, enum prefilter_digest digest,
                           const uint8_t *value)
{
    const struct prefilter_hashes *hashes = &prefilter->header->hashes[digest];
    const uint64_t *slots = (const uint64_t *)(hashes_base(prefilter) + hashes->slots);
    uint64_t wanted = prefilter_fingerprint(value);
    uint64_t slot = wanted;

    if (hashes->slots == 0)
        return false;
    /* There always is an empty slot; a count of steps all the same, for nothing but the file says
     * so. Running out of them is answered on the safe side. */
    for (uint64_t step = 0; step < hashes->slot_count; step++, slot++) {
        uint64_t found = slots[slot & (hashes->slot_count - 1)];

        if (found == wanted)
            return true;
        if (found == 0)
            return false;
    }
    return true;
}
