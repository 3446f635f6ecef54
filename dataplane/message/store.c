/* The free list of blocks and slots: see store.h. */
#include "dataplane/message/store.h"

#include <stdlib.h>

#include "dataplane/message/share.h"
#include "platform/check.h"
#include "platform/sums.h"

/* The parts of what is kept back, in sixteenths of it: together all of it. */
static void store_divide(struct store *store)
{
    static const uint8_t sixteenths[BLOCK_CLASSES] = {[BLOCK_FOR_COMMAND] = 3,
                                                      [BLOCK_FOR_ENVELOPE] = 8,
                                                      [BLOCK_FOR_PIECES] = 3,
                                                      [BLOCK_FOR_REPLY] = 2};
    bool divided = store->block_count >= STORE_DIVIDED;

    store->kept = store->block_count >= 16 ? store->block_count / SUMS_KEPT_BACK : 2;
    if (!divided)
        store->last = store->block_count >= 16 ? store->block_count / 16 : 1;
    for (unsigned i = 0; i < BLOCK_CLASSES; i++)
        store->parts[i] =
            divided ? (uint32_t)((uint64_t)store->kept * sixteenths[i] / 16) : store->block_count;
}

enum status store_init(struct store *store, const struct region *region, uint32_t worker,
                       uint32_t block_first, uint32_t block_count, uint32_t slot_first,
                       uint32_t slot_count)
{
    CHECK(region->writable && worker < region->header.worker_count);
    CHECK((uint64_t)block_first + block_count <= region->header.block_count);
    CHECK((uint64_t)slot_first + slot_count <= region->header.message_count);
    *store = (struct store){
        .region = region,
        .worker = worker,
        .block_first = block_first,
        .block_count = block_count,
        .free_count = block_count,
        .slot_first = slot_first,
        .slot_count = slot_count,
        .free_slot_count = slot_count,
    };
    /* One more of each, so that an empty slice is not a null pointer. */
    store->free_blocks = calloc((size_t)block_count + 1, sizeof(*store->free_blocks));
    store->holders = calloc((size_t)block_count + 1, sizeof(*store->holders));
    store->classes = calloc((size_t)block_count + 1, sizeof(*store->classes));
    store->pieces.cuts = calloc((size_t)block_count + 1, sizeof(*store->pieces.cuts));
    store->pieces.first = MESSAGE_BLOCK_NONE;
    store->free_slots = calloc((size_t)slot_count + 1, sizeof(*store->free_slots));
    store->messages = calloc((size_t)slot_count + 1, sizeof(*store->messages));
    store->shares = calloc(SHARE_PLACES + 1u, sizeof(*store->shares));
    if (senders_init(&store->senders, slot_count) != STATUS_OK) {
        store_fini(store);
        return STATUS_NO_MEMORY;
    }
    if (store->free_blocks == NULL || store->holders == NULL || store->classes == NULL ||
        store->pieces.cuts == NULL || store->free_slots == NULL || store->messages == NULL ||
        store->shares == NULL) {
        store_fini(store);
        return STATUS_NO_MEMORY;
    }
    store_divide(store);
    admission_init(&store->admission, block_count - block_count / SUMS_KEPT_BACK);
    share_configure(store, 1);
    for (uint32_t i = 0; i < block_count; i++)
        store->free_blocks[i] = block_first + block_count - 1 - i;
    for (uint32_t i = 0; i < slot_count; i++) {
        struct message_header *shared = region_message(region, slot_first + i);

        store->free_slots[i] = slot_first + slot_count - 1 - i;
        shared->worker = worker;
        atomic_store_explicit(&shared->generation, 1, memory_order_release);
    }
    return STATUS_OK;
}

void store_fini(struct store *store)
{
    free(store->free_blocks);
    free(store->holders);
    free(store->pieces.cuts);
    free(store->classes);
    free(store->free_slots);
    free(store->messages);
    free(store->shares);
    senders_fini(&store->senders);
    *store = (struct store){0};
}

static uint32_t less(uint32_t from, uint32_t what)
{
    return from > what ? from - what : 0;
}

/* What others than data hold is of what is kept back from data. */
uint32_t block_available(const struct store *store, enum block_class class)
{
    uint32_t reserve = 0;
    uint32_t part;

    if (class == BLOCK_FOR_TABLE)
        return store->free_count;
    if (class == BLOCK_FOR_DATA) {
        reserve = less(store->kept, store->beside_count);
        return less(store->free_count, reserve > store->last ? reserve : store->last);
    }
    if (class == BLOCK_FOR_COMMAND || class == BLOCK_FOR_ENVELOPE)
        reserve = store->last;
    part = less(store->parts[class], store->held[class]);
    reserve = less(store->free_count, reserve);
    return part < reserve ? part : reserve;
}

static inline uint16_t *block_holders(const struct store *store, uint32_t block)
{
    CHECK(block >= store->block_first && block - store->block_first < store->block_count);
    return &store->holders[block - store->block_first];
}

static inline bool class_is_beside(unsigned class)
{
    return class > BLOCK_FOR_TABLE;
}

static inline void class_leave(struct store *store, uint32_t block)
{
    uint8_t *class = &store->classes[block - store->block_first];

    if (!class_is_beside(*class))
        return;
    store->held[*class]--;
    store->beside_count--;
    *class = BLOCK_FOR_DATA;
}

static inline void class_enter(struct store *store, uint32_t block, enum block_class class)
{
    if (!class_is_beside(class))
        return;
    store->classes[block - store->block_first] = (uint8_t) class;
    store->held[class]++;
    store->beside_count++;
}

void block_reclass(struct store *store, uint32_t block, enum block_class class)
{
    CHECK(*block_holders(store, block) > 0);
    class_leave(store, block);
    class_enter(store, block, class);
}

static inline uint32_t store_take(struct store *store, enum block_class class)
{
    uint32_t block = store->free_blocks[--store->free_count];
    uint16_t *holders = block_holders(store, block);

    CHECK(*holders == 0);
    *holders = 1;
    class_enter(store, block, class);
    return block;
}

uint32_t block_take(struct store *store, enum block_class class)
{
    return block_available(store, class) > 0 ? store_take(store, class) : MESSAGE_BLOCK_NONE;
}

uint32_t block_take_some(struct store *store, enum block_class class, uint32_t *blocks,
                         uint32_t count)
{
    uint32_t available = block_available(store, class);

    if (count > available)
        count = available;
    for (uint32_t i = 0; i < count; i++)
        blocks[i] = store_take(store, class);
    return count;
}

void block_hold(struct store *store, uint32_t block)
{
    uint16_t *holders = block_holders(store, block);

    CHECK(*holders > 0 && *holders < UINT16_MAX);
    *holders += 1;
}

static inline void store_give(struct store *store, uint32_t block)
{
    uint16_t *holders = block_holders(store, block);

    CHECK(*holders > 0);
    *holders -= 1;
    if (*holders == 0) {
        CHECK(store->free_count < store->block_count);
        store->free_blocks[store->free_count++] = block;
        class_leave(store, block);
    }
}

void block_give(struct store *store, uint32_t block)
{
    store_give(store, block);
}

void block_give_some(struct store *store, const uint32_t *blocks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        store_give(store, blocks[i]);
}
