#include "dataplane/message/senders.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "platform/check.h"

#define SENDER_NONE UINT32_MAX

enum status senders_init(struct senders *senders, uint32_t slots)
{
    uint32_t count = 2 * slots;
    uint32_t buckets = 16;

    while (buckets < count)
        buckets *= 2;
    /* One more, so that none is not a null pointer. */
    *senders = (struct senders){
        .slot_count = slots,
        .entries = calloc((size_t)count + 1, sizeof(*senders->entries)),
        .table = malloc(buckets * sizeof(*senders->table)),
        .mask = buckets - 1,
        .free = count > 0 ? 0 : SENDER_NONE,
    };
    if (senders->entries == NULL || senders->table == NULL)
        return STATUS_NO_MEMORY;
    memset(senders->table, 0xff, buckets * sizeof(*senders->table));
    for (uint32_t i = 0; i < count; i++)
        senders->entries[i].next = i + 1 < count ? i + 1 : SENDER_NONE;
    return getrandom(&senders->secret, sizeof(senders->secret), 0) == sizeof(senders->secret)
               ? STATUS_OK
               : STATUS_SYSTEM;
}

void senders_fini(struct senders *senders)
{
    free(senders->entries);
    free(senders->table);
    *senders = (struct senders){0};
}

static uint64_t sender_prefix(uint64_t prefix, bool around)
{
    return around ? senders_around(prefix) : prefix;
}

/* Where the chain has it, or ends. */
static uint32_t *sender_link(const struct senders *senders, uint64_t prefix, bool around)
{
    uint64_t hash = siphash13(&senders->secret, &prefix, sizeof(prefix)) + around;
    uint32_t *link = &senders->table[hash & senders->mask];

    while (*link != SENDER_NONE &&
           (senders->entries[*link].prefix != prefix || senders->entries[*link].around != around))
        link = &senders->entries[*link].next;
    return link;
}

uint32_t senders_held(const struct senders *senders, uint64_t prefix, bool around)
{
    uint32_t index = *sender_link(senders, sender_prefix(prefix, around), around);

    return index == SENDER_NONE ? 0 : senders->entries[index].slots;
}

/* At least one. */
static uint32_t sender_share(const struct senders *senders, uint32_t part)
{
    return senders->slot_count < part ? 1 : senders->slot_count / part;
}

bool senders_admit(const struct senders *senders, uint64_t prefix, uint32_t free)
{
    if (free > senders->slot_count / SENDERS_KEPT)
        return true;
    return senders_held(senders, prefix, false) < sender_share(senders, SENDERS_SHARE) &&
           senders_held(senders, prefix, true) < sender_share(senders, SENDERS_SHARE_AROUND);
}

static void sender_take(struct senders *senders, uint64_t prefix, bool around)
{
    uint32_t *link = sender_link(senders, prefix, around);

    if (*link == SENDER_NONE) {
        uint32_t index = senders->free;

        CHECK(index != SENDER_NONE); /* two for each slot */
        senders->free = senders->entries[index].next;
        senders->entries[index] =
            (struct senders_entry){.prefix = prefix, .next = SENDER_NONE, .around = around};
        *link = index;
    }
    senders->entries[*link].slots++;
}

static void sender_give(struct senders *senders, uint64_t prefix, bool around)
{
    uint32_t *link = sender_link(senders, prefix, around);
    uint32_t index = *link;
    struct senders_entry *entry = &senders->entries[index];

    CHECK(index != SENDER_NONE && entry->slots > 0);
    if (--entry->slots > 0)
        return;
    *link = entry->next;
    entry->next = senders->free;
    senders->free = index;
}

void senders_take(struct senders *senders, uint64_t prefix)
{
    sender_take(senders, prefix, false);
    sender_take(senders, sender_prefix(prefix, true), true);
}

void senders_give(struct senders *senders, uint64_t prefix)
{
    sender_give(senders, prefix, false);
    sender_give(senders, sender_prefix(prefix, true), true);
}
