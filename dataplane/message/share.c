#include "dataplane/message/share.h"

#include "platform/check.h"

uint32_t share_place(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a: names are the configuration's, nobody chooses them */

    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return 1 + hash % SHARE_PLACES;
}

static uint32_t share_beyond(uint32_t held, uint32_t own)
{
    return held > own ? held - own : 0;
}

static bool share_pool_admits(const struct share_pool *pool, uint32_t held)
{
    if (held < pool->own)
        return true;
    return pool->used < pool->common &&
           held - pool->own < SHARE_FACTOR * (pool->common - pool->used);
}

static void share_pool_move(struct share_pool *pool, uint32_t *held, uint32_t now)
{
    uint32_t before = share_beyond(*held, pool->own);

    CHECK(pool->used >= before);
    pool->used = pool->used - before + share_beyond(now, pool->own);
    *held = now;
}

static void share_pool_configure(struct share_pool *pool, uint32_t all, uint32_t customers)
{
    pool->own = customers <= 1 ? all : all / SHARE_OWN / customers;
    if (pool->own == 0)
        pool->own = 1; /* more customers than can be promised anything */
    pool->common = all - all / SHARE_OWN;
    pool->used = 0;
}

void share_configure(struct store *store, uint32_t customers)
{
    share_pool_configure(&store->share_slots, store->slot_count, customers);
    share_pool_configure(&store->share_blocks, store->block_count - store->block_count / 8,
                         customers);
    for (uint32_t place = 1; place <= SHARE_PLACES; place++) {
        const struct share *share = &store->shares[place];

        store->share_slots.used += share_beyond(share->slots, store->share_slots.own);
        store->share_blocks.used += share_beyond(share->blocks, store->share_blocks.own);
    }
}

bool share_admits(const struct store *store, uint32_t place)
{
    const struct share *share = &store->shares[place];

    CHECK(place > 0 && place <= SHARE_PLACES);
    return share_pool_admits(&store->share_slots, share->slots) &&
           share_pool_admits(&store->share_blocks, share->blocks);
}

void share_take(struct store *store, struct message *message, uint32_t place)
{
    struct share *share = &store->shares[place];

    CHECK(place > 0 && place <= SHARE_PLACES);
    CHECK(message->share == 0);
    message->share = place;
    share_pool_move(&store->share_slots, &share->slots, share->slots + 1);
}

void share_complete(struct store *store, struct message *message)
{
    struct share *share = &store->shares[message->share];

    if (message->share == 0)
        return;
    CHECK(message->share_blocks == 0);
    message->share_blocks = message->shared->size / MESSAGE_BLOCK_BYTES + 1;
    share_pool_move(&store->share_blocks, &share->blocks, share->blocks + message->share_blocks);
}

void share_give(struct store *store, struct message *message)
{
    struct share *share = &store->shares[message->share];

    if (message->share == 0)
        return;
    CHECK(share->slots > 0 && share->blocks >= message->share_blocks);
    share_pool_move(&store->share_slots, &share->slots, share->slots - 1);
    share_pool_move(&store->share_blocks, &share->blocks, share->blocks - message->share_blocks);
    message->share = 0;
    message->share_blocks = 0;
}
