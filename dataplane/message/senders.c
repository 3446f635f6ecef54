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

static uint32_t sender_bucket(const struct senders *senders, uint64_t prefix, bool around)
{
    uint64_t hash = siphash13(&senders->secret, &prefix, sizeof(prefix)) + around;

    return (uint32_t)hash & senders->mask;
}

/* Where the chain has it, or ends. */
static uint32_t *sender_link(const struct senders *senders, uint32_t bucket, uint64_t prefix,
                             bool around)
{
    uint32_t *link = &senders->table[bucket];

    while (*link != SENDER_NONE &&
           (senders->entries[*link].prefix != prefix || senders->entries[*link].around != around))
        link = &senders->entries[*link].next;
    return link;
}

uint32_t senders_held(const struct senders *senders, uint64_t prefix, bool around)
{
    uint32_t index;

    prefix = sender_prefix(prefix, around);
    index = *sender_link(senders, sender_bucket(senders, prefix, around), prefix, around);
    return index == SENDER_NONE ? 0 : senders->entries[index].held;
}

/* At least one. */
static uint32_t sender_share(uint32_t all, uint32_t part)
{
    return all < part ? 1 : all / part;
}

bool senders_admit(const struct senders *senders, uint64_t prefix, uint32_t free, uint32_t all)
{
    if (free > all / SENDERS_KEPT)
        return true;
    return senders_held(senders, prefix, false) < sender_share(all, SENDERS_SHARE) &&
           senders_held(senders, prefix, true) < sender_share(all, SENDERS_SHARE_AROUND);
}

static uint32_t sender_enter(struct senders *senders, uint64_t prefix, bool around)
{
    uint32_t bucket = sender_bucket(senders, prefix, around);
    uint32_t *link = sender_link(senders, bucket, prefix, around);

    if (*link == SENDER_NONE) {
        uint32_t index = senders->free;

        CHECK(index != SENDER_NONE); /* two for each slot */
        senders->free = senders->entries[index].next;
        senders->entries[index] = (struct senders_entry){
            .prefix = prefix, .next = SENDER_NONE, .bucket = bucket, .around = around};
        *link = index;
    }
    senders->entries[*link].held++;
    return *link;
}

static void sender_leave(struct senders *senders, uint32_t index, uint32_t count)
{
    struct senders_entry *entry = &senders->entries[index];
    uint32_t *link = &senders->table[entry->bucket];

    CHECK(entry->held >= count);
    entry->held -= count;
    if (entry->held > 0)
        return;
    CHECK(entry->client.granted == 0);
    while (*link != index)
        link = &senders->entries[*link].next;
    *link = entry->next;
    entry->next = senders->free;
    senders->free = index;
}

struct senders_place senders_enter(struct senders *senders, uint64_t prefix)
{
    return (struct senders_place){{sender_enter(senders, prefix, false),
                                   sender_enter(senders, sender_prefix(prefix, true), true)}};
}

void senders_add(struct senders *senders, const struct senders_place *place)
{
    senders->entries[place->entry[0]].held++;
    senders->entries[place->entry[1]].held++;
}

void senders_leave(struct senders *senders, const struct senders_place *place, uint32_t count)
{
    sender_leave(senders, place->entry[0], count);
    sender_leave(senders, place->entry[1], count);
}
