#include "dataplane/message/piece.h"

#include "platform/check.h"

#define PIECE_ALL UINT16_MAX

static struct piece_cut *piece_cut(const struct store *store, uint32_t block)
{
    CHECK(block - store->block_first < store->block_count);
    return &store->pieces.cuts[block - store->block_first];
}

/* Blocks with free pieces are on a list: where the last one came back is where the next is taken.
 */
static void piece_list(struct store *store, uint32_t block)
{
    struct piece_cut *cut = piece_cut(store, block);

    cut->previous = MESSAGE_BLOCK_NONE;
    cut->next = store->pieces.first;
    if (cut->next != MESSAGE_BLOCK_NONE)
        piece_cut(store, cut->next)->previous = block;
    store->pieces.first = block;
}

static void piece_unlist(struct store *store, const struct piece_cut *cut)
{
    if (cut->previous != MESSAGE_BLOCK_NONE)
        piece_cut(store, cut->previous)->next = cut->next;
    else
        store->pieces.first = cut->next;
    if (cut->next != MESSAGE_BLOCK_NONE)
        piece_cut(store, cut->next)->previous = cut->previous;
}

uint32_t piece_take(struct store *store)
{
    uint32_t block = store->pieces.first;
    struct piece_cut *cut;
    uint32_t index;

    if (block == MESSAGE_BLOCK_NONE) {
        block = block_take(store, BLOCK_FOR_PIECES);
        if (block == MESSAGE_BLOCK_NONE)
            return MESSAGE_BLOCK_NONE;
        piece_cut(store, block)->free = PIECE_ALL;
        piece_list(store, block);
        store->pieces.blocks++;
    }
    cut = piece_cut(store, block);
    index = (uint32_t)__builtin_ctz(cut->free);
    cut->free &= (uint16_t)(cut->free - 1);
    if (cut->free == 0)
        piece_unlist(store, cut);
    store->pieces.used++;
    return piece_of_block(block) + index;
}

void piece_give(struct store *store, uint32_t piece)
{
    uint32_t block = piece / PIECE_OF_BLOCK;
    struct piece_cut *cut = piece_cut(store, block);
    uint16_t bit = (uint16_t)(1u << piece % PIECE_OF_BLOCK);

    CHECK((cut->free & bit) == 0 && store->pieces.used > 0);
    store->pieces.used--;
    if (cut->free == 0)
        piece_list(store, block);
    cut->free |= bit;
    if (cut->free != PIECE_ALL)
        return;
    piece_unlist(store, cut);
    store->pieces.blocks--;
    block_give(store, block);
}
