#include "holders.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/message/piece.h"
#include "dataplane/tcp/connection.h"
#include "platform/check.h"

static void holders_name(const struct store *store, int *left, uint32_t block)
{
    CHECK(block - store->block_first < store->block_count);
    left[block - store->block_first]--;
}

static void holders_message(const struct store *store, const struct message *message, int *left)
{
    const struct message_header *shared = message->shared;

    for (uint32_t i = 0; i < shared->extent_count; i++)
        holders_name(store, left, message_extent_slot(store, message, i)->block);
    for (uint32_t i = 0; i * MESSAGE_EXTENTS_PER_BLOCK < shared->extent_count; i++)
        holders_name(store, left, shared->extent_blocks[i]);
    for (uint32_t i = 0; i < shared->envelope_block_count; i++)
        holders_name(store, left, shared->envelope_blocks[i]);
    if (message->own_block != MESSAGE_BLOCK_NONE)
        holders_name(store, left, message->own_block);
}

/* A block that is cut is held once, however many of its pieces are used: `cut` says which were
 * named already. */
static void holders_connection(const struct store *store, const struct tcp_connection *c, int *left,
                               bool *cut)
{
    uint32_t block = c->send_place / PIECE_OF_BLOCK;

    for (unsigned i = 0; i < c->slot_count; i++)
        holders_name(store, left, c->slots[i]);
    if (c->send_place == MESSAGE_BLOCK_NONE || (c->send_small && cut[block - store->block_first]))
        return;
    cut[block - store->block_first] = c->send_small;
    holders_name(store, left, block);
}

uint32_t holders_wrong(struct store *store, struct tcp_endpoint *endpoint, int *more)
{
    int *left = calloc(store->block_count, sizeof(*left));
    bool *cut = calloc(store->block_count, sizeof(*cut));
    uint32_t wrong = MESSAGE_BLOCK_NONE;

    CHECK(left != NULL && cut != NULL);
    for (uint32_t i = 0; i < store->block_count; i++)
        left[i] = store->holders[i];
    for (uint32_t i = 0; i < store->slot_count; i++) {
        if (store->messages[i].stage != MESSAGE_FREE)
            holders_message(store, &store->messages[i], left);
    }
    for (uint32_t i = 0; i < endpoint->limits.connections; i++) {
        const struct tcp_connection *c = tcp_at(endpoint, i);

        if (c->state != TCP_STATE_FREE)
            holders_connection(store, c, left, cut);
    }
    for (uint32_t i = 0; i < store->block_count && wrong == MESSAGE_BLOCK_NONE; i++) {
        if (left[i] != 0) {
            wrong = store->block_first + i;
            *more = left[i];
        }
    }
    free(left);
    free(cut);
    return wrong;
}
