#include "signatures/draft/hashes.h"

#include <assert.h>
#include <stdlib.h>

static_assert((PREFILTER_SIZES_EXACT + PREFILTER_SIZES_COARSE) % 8 == 0, "size bits fill bytes");

#define HASH_SET_ROOM_MIN  1024u
#define HASH_SET_SLOTS_MIN 16u

enum status hash_set_add(struct hash_set *set, const uint8_t *digest, bool any_size, uint64_t size)
{
    uint32_t bit;

    if (set->sizes == NULL) {
        set->sizes = calloc(1, HASH_SET_SIZES_BYTES);
        if (set->sizes == NULL)
            return STATUS_NO_MEMORY;
    }
    if (set->count == set->room) {
        size_t room = set->room == 0 ? HASH_SET_ROOM_MIN : set->room + set->room / 2;
        uint64_t *grown = reallocarray(set->fingerprints, room, sizeof(*grown));

        if (grown == NULL)
            return STATUS_NO_MEMORY;
        set->fingerprints = grown;
        set->room = room;
    }
    set->fingerprints[set->count++] = prefilter_fingerprint(digest);
    if (any_size) {
        set->any_size = true;
        return STATUS_OK;
    }
    bit = prefilter_size_bit(size);
    if (bit != UINT32_MAX) /* larger ones are always listed */
        set->sizes[bit / 8] |= (uint8_t)(1u << (bit % 8));
    return STATUS_OK;
}

enum status hash_set_slots(const struct hash_set *set, uint64_t **slots, uint64_t *slot_count,
                           uint64_t *stored)
{
    uint64_t wanted = HASH_SET_SLOTS_MIN;

    *slots = NULL;
    *slot_count = 0;
    *stored = 0;
    if (set->count == 0)
        return STATUS_OK;
    while (set->count > wanted / 5 * 4)
        wanted *= 2;
    *slots = calloc(wanted, sizeof(**slots));
    if (*slots == NULL)
        return STATUS_NO_MEMORY;
    *slot_count = wanted;
    for (size_t i = 0; i < set->count; i++) {
        uint64_t slot = set->fingerprints[i] & (wanted - 1);

        while ((*slots)[slot] != 0 && (*slots)[slot] != set->fingerprints[i])
            slot = (slot + 1) & (wanted - 1);
        *stored += (*slots)[slot] == 0;
        (*slots)[slot] = set->fingerprints[i];
    }
    return STATUS_OK;
}

void hash_set_free(struct hash_set *set)
{
    free(set->fingerprints);
    free(set->sizes);
    *set = (struct hash_set){0};
}
