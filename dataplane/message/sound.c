/* What must hold of a worker's blocks and slots at any time: see store.h, store_sound(). */
#include "dataplane/message/store.h"

#include "dataplane/message/piece.h"
#include "platform/check.h"

#define SOUND_FREE UINT16_MAX /* more holders than block_hold() ever allows */

static uint16_t *sound_holders(const struct store *store, uint32_t block)
{
    CHECK(block >= store->block_first && block - store->block_first < store->block_count);
    return &store->holders[block - store->block_first];
}

/* -- blocks ------------------------------------------------------------------------------------ */

/* Each block on the free list is there once and has no holder; all others have one. */
static void sound_mark_free(const struct store *store)
{
    uint32_t held = 0;
    uint32_t held_beside = 0;
    uint32_t beside[BLOCK_CLASSES] = {0};

    CHECK(store->free_count <= store->block_count);
    for (uint32_t i = 0; i < store->free_count; i++) {
        uint16_t *holders = sound_holders(store, store->free_blocks[i]);

        CHECK(*holders == 0 && store->classes[store->free_blocks[i] - store->block_first] == 0);
        *holders = SOUND_FREE;
    }
    for (uint32_t i = 0; i < store->block_count; i++) {
        CHECK(store->holders[i] != 0);
        held += store->holders[i] != SOUND_FREE;
        beside[store->classes[i]]++;
    }
    CHECK(held + store->free_count == store->block_count);
    for (unsigned i = BLOCK_FOR_COMMAND; i < BLOCK_CLASSES; i++) {
        CHECK(beside[i] == store->held[i]);
        held_beside += beside[i];
    }
    CHECK(held_beside == store->beside_count);
}

static void sound_unmark_free(const struct store *store)
{
    for (uint32_t i = 0; i < store->free_count; i++)
        *sound_holders(store, store->free_blocks[i]) = 0;
}

/* Takes the holds that `message` has away (-1) or gives them back (1). */
static void sound_hold(const struct store *store, uint32_t block, int step)
{
    uint16_t *holders = sound_holders(store, block);

    CHECK(*holders != SOUND_FREE);
    CHECK(step > 0 || *holders > 0);
    *holders = (uint16_t)(*holders + step);
}

static void sound_holds(const struct store *store, const struct message *message, int step)
{
    const struct message_header *shared = message->shared;

    for (uint32_t i = 0; i < shared->extent_count; i++)
        sound_hold(store, message_extent_slot(store, message, i)->block, step);
    for (uint32_t i = 0; i * MESSAGE_EXTENTS_PER_BLOCK < shared->extent_count; i++)
        sound_hold(store, shared->extent_blocks[i], step);
    for (uint32_t i = 0; i < shared->envelope_block_count; i++)
        sound_hold(store, shared->envelope_blocks[i], step);
    if (message->own_block != MESSAGE_BLOCK_NONE)
        sound_hold(store, message->own_block, step);
}

/* -- slots ------------------------------------------------------------------------------------- */

static void sound_message(const struct store *store, const struct message *message)
{
    const struct message_header *shared = message->shared;
    uint32_t size = 0;

    CHECK(shared == region_message(store->region, message->index));
    CHECK(message == &store->messages[message->index - store->slot_first]);
    CHECK(shared->worker == store->worker);
    CHECK(shared->extent_count <= MESSAGE_EXTENTS_MAX);
    CHECK(shared->envelope_block_count <= MESSAGE_ENVELOPE_BLOCKS_MAX);
    CHECK(message->envelope_used <= MESSAGE_BLOCK_BYTES);
    CHECK(message->own_block == MESSAGE_BLOCK_NONE || message->own_used < MESSAGE_BLOCK_BYTES);
    for (uint32_t i = 0; i < shared->extent_count; i++) {
        const struct message_extent *extent = message_extent_slot(store, message, i);

        CHECK(extent->length > 0 && extent->offset + extent->length <= MESSAGE_BLOCK_BYTES);
        size += extent->length;
    }
    CHECK(size == shared->size && shared->trace_size <= size);
}

/* What is shared of a slot names its present or next use, never a past one. */
static void sound_slot(const struct store *store, uint32_t slot)
{
    const struct message *message = &store->messages[slot];
    uint32_t generation = atomic_load_explicit(
        &region_message(store->region, store->slot_first + slot)->generation, memory_order_relaxed);

    CHECK(generation != 0);
    if (message->stage == MESSAGE_FREE) {
        CHECK(generation != message->generation);
        return;
    }
    CHECK(generation == message->generation);
    sound_message(store, message);
}

/* Each free slot is on the free list once, and nothing else is. */
static void sound_free_slots(const struct store *store)
{
    uint32_t free = 0;

    CHECK(store->free_slot_count <= store->slot_count);
    for (uint32_t i = 0; i < store->slot_count; i++)
        free += store->messages[i].stage == MESSAGE_FREE;
    CHECK(free == store->free_slot_count);
    for (uint32_t i = 0; i < store->free_slot_count; i++) {
        uint32_t slot = store->free_slots[i] - store->slot_first;

        CHECK(slot < store->slot_count);
        CHECK(store->messages[slot].stage == MESSAGE_FREE && !store->messages[slot].waiting);
        store->messages[slot].waiting = true; /* a free message's own fields are nobody's */
    }
    for (uint32_t i = 0; i < store->free_slot_count; i++)
        store->messages[store->free_slots[i] - store->slot_first].waiting = false;
}

/* -- shares ------------------------------------------------------------------------------------ */

static void sound_share(const struct store *store, const struct message *message, int step)
{
    struct share *share = &store->shares[message->share];

    CHECK(message->share <= SHARE_PLACES);
    CHECK(message->share != 0 || message->share_blocks == 0);
    if (message->share == 0)
        return;
    CHECK(step > 0 || (share->slots > 0 && share->blocks >= message->share_blocks));
    share->slots += (uint32_t)step;
    share->blocks += (uint32_t)step * message->share_blocks;
}

/* Each place holds what its messages hold, and no more. */
static void sound_shares(const struct store *store)
{
    for (uint32_t i = 0; i < store->slot_count; i++) {
        if (store->messages[i].stage != MESSAGE_FREE)
            sound_share(store, &store->messages[i], -1);
    }
    for (uint32_t place = 0; place <= SHARE_PLACES; place++)
        CHECK(store->shares[place].slots == 0 && store->shares[place].blocks == 0);
    for (uint32_t i = 0; i < store->slot_count; i++) {
        if (store->messages[i].stage != MESSAGE_FREE)
            sound_share(store, &store->messages[i], 1);
    }
}

/* Each sender holds what is of it, and the neighbourhoods hold the same once more. */
static void sound_senders(const struct store *store)
{
    const struct senders *senders = &store->senders;
    uint32_t counted = 0;
    uint32_t coming = 0; /* blocks granted to what comes in */
    uint32_t held[2] = {0, 0};
    uint32_t granted[2] = {0, 0};

    for (uint32_t i = 0; i < store->slot_count; i++) {
        const struct message *message = &store->messages[i];

        if (message->stage == MESSAGE_FREE || !message->counted)
            continue;
        if (message->admission.stage != ADMISSION_COMPLETE)
            coming += message->admission.granted;
        counted +=
            message->shared->envelope_block_count > 1 ? message->shared->envelope_block_count : 1;
        CHECK(senders_held(senders, message->client_prefix, false) > 0);
        CHECK(senders_held(senders, message->client_prefix, true) > 0);
    }
    for (uint32_t i = 0; i < 2 * senders->slot_count; i++) {
        const struct senders_entry *entry = &senders->entries[i];

        held[entry->around] += entry->held;
        granted[entry->around] += entry->client.granted;
    }
    CHECK(granted[false] == coming && granted[true] == coming);
    CHECK(held[false] == counted && held[true] == counted);
}

/* What is held of the common part is what is held beyond each one's own. */
static void sound_pools(const struct store *store)
{
    const struct share_pool *slots = &store->share_slots;
    const struct share_pool *blocks = &store->share_blocks;
    uint32_t slots_used = 0;
    uint32_t blocks_used = 0;

    for (uint32_t place = 1; place <= SHARE_PLACES; place++) {
        const struct share *share = &store->shares[place];

        slots_used += share->slots > slots->own ? share->slots - slots->own : 0;
        blocks_used += share->blocks > blocks->own ? share->blocks - blocks->own : 0;
    }
    CHECK(slots_used == slots->used && blocks_used == blocks->used);
}

/* Each block on the list of cut ones has free pieces and used ones and one holder; no free or
 * listed piece is counted as used. */
static void sound_pieces(const struct store *store)
{
    const struct pieces *pieces = &store->pieces;
    uint32_t previous = MESSAGE_BLOCK_NONE;
    uint32_t listed = 0;
    uint32_t used = 0;

    for (uint32_t block = pieces->first; block != MESSAGE_BLOCK_NONE;) {
        const struct piece_cut *cut = &pieces->cuts[block - store->block_first];

        CHECK(block - store->block_first < store->block_count && listed < pieces->blocks);
        CHECK(cut->free != 0 && cut->free != UINT16_MAX && cut->previous == previous);
        CHECK(store->holders[block - store->block_first] == 1);
        used += PIECE_OF_BLOCK - (uint32_t)__builtin_popcount(cut->free);
        previous = block;
        block = cut->next;
        listed++;
    }
    CHECK(used + (pieces->blocks - listed) * PIECE_OF_BLOCK == pieces->used);
}

bool store_sound(struct store *store, uint32_t *others)
{
    uint32_t left = 0;

    sound_free_slots(store);
    for (uint32_t i = 0; i < store->slot_count; i++)
        sound_slot(store, i);
    sound_pools(store);
    sound_shares(store);
    sound_pieces(store);
    sound_senders(store);
    sound_mark_free(store);
    for (uint32_t i = 0; i < store->slot_count; i++) {
        if (store->messages[i].stage != MESSAGE_FREE)
            sound_holds(store, &store->messages[i], -1);
    }
    for (uint32_t i = 0; i < store->block_count; i++)
        left += store->holders[i] == SOUND_FREE ? 0 : store->holders[i];
    for (uint32_t i = 0; i < store->slot_count; i++) {
        if (store->messages[i].stage != MESSAGE_FREE)
            sound_holds(store, &store->messages[i], 1);
    }
    sound_unmark_free(store);
    CHECK(left >= store->pieces.blocks);
    if (others != NULL)
        *others = left - store->pieces.blocks;
    return true;
}
