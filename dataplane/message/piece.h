/* piece.h: blocks cut into pieces, for what is short: most replies are below 512 bytes.
 *
 * A block is cut when a piece is wanted and no cut one has one free, and is whole again when its
 * last piece comes back. A piece that stays keeps its block, so that at worst a piece costs what it
 * would have cost without them. A piece is named by its place in the region, in units of a piece: a
 * whole block is named by that of its first, so that both can be held in one variable.
 *
 * Threads: the owning worker. Memory: arrays in struct store. Hot path. Limits: the store's blocks,
 * which are taken as BLOCK_FOR_PIECES.
 */
#ifndef DATAPLANE_MESSAGE_PIECE_H
#define DATAPLANE_MESSAGE_PIECE_H

#include "dataplane/message/store.h"

#define PIECE_BYTES    1024u
#define PIECE_OF_BLOCK (MESSAGE_BLOCK_BYTES / PIECE_BYTES)
_Static_assert(PIECE_OF_BLOCK == 16, "a mask of 16 bits for each block");

/* A piece, or MESSAGE_BLOCK_NONE. Its contents are undefined. */
uint32_t piece_take(struct store *store);
void piece_give(struct store *store, uint32_t piece);

static inline uint32_t piece_of_block(uint32_t block)
{
    return block * PIECE_OF_BLOCK;
}

static inline uint8_t *piece_bytes(const struct store *store, uint32_t piece)
{
    return region_block(store->region, 0) + (size_t)piece * PIECE_BYTES;
}

#endif
