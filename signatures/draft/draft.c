#include "signatures/draft/draft.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/draft/databases.h"

/* Makes room for one entry more of `size` bytes. */
static bool draft_grow(void *array, size_t count, size_t *room, size_t size)
{
    void **entries = array;
    size_t wanted = *room == 0 ? 64 : *room + *room / 2;
    void *grown;

    if (count < *room)
        return true;
    grown = reallocarray(*entries, wanted, size);
    if (grown == NULL)
        return false;
    *entries = grown;
    *room = wanted;
    return true;
}

/* Appends bytes to the strings; `*offset` says where they are. */
static enum status draft_string(struct draft *draft, const void *bytes, size_t length,
                                uint32_t *offset)
{
    struct draft_bytes *strings = &draft->strings;

    if (length > UINT32_MAX - 1 - strings->length)
        return STATUS_NO_SPACE;
    if (strings->room - strings->length < length) {
        size_t room = (strings->length + length) * 2 + 4096;
        uint8_t *grown = realloc(strings->bytes, room);

        if (grown == NULL)
            return STATUS_NO_MEMORY;
        strings->bytes = grown;
        strings->room = room;
    }
    memcpy(strings->bytes + strings->length, bytes, length);
    *offset = (uint32_t)strings->length;
    strings->length += length;
    return STATUS_OK;
}

enum status draft_add_signature(struct draft *draft, const char *name, enum prefilter_kind kind,
                                uint32_t *index)
{
    uint32_t offset = 0;
    enum status status;

    if (draft->signature_count == UINT32_MAX)
        return STATUS_NO_SPACE;
    if (!draft_grow(&draft->signatures, draft->signature_count, &draft->signature_room,
                    sizeof(*draft->signatures)))
        return STATUS_NO_MEMORY;
    status = draft_string(draft, name, strlen(name) + 1, &offset);
    if (status != STATUS_OK)
        return status;
    *index = (uint32_t)draft->signature_count++;
    draft->signatures[*index] = (struct prefilter_signature){.name = offset, .kind = kind};
    return STATUS_OK;
}

static uint64_t draft_leaf_hash(const struct draft_leaf *leaf)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (unsigned i = 0; i < leaf->length; i++)
        hash = (hash ^ leaf->bytes[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ (leaf->squeezed ? 256u : 0u) ^ (leaf->caseless ? 512u : 0u)) *
           UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static bool draft_leaf_equal(const struct draft_leaf *a, const struct draft_leaf *b)
{
    return a->length == b->length && a->squeezed == b->squeezed && a->caseless == b->caseless &&
           memcmp(a->bytes, b->bytes, a->length) == 0;
}

/* The slot in which `leaf` is, or would be. */
static uint32_t *draft_leaf_slot(const struct draft *draft, const struct draft_leaf *leaf)
{
    size_t slot = draft_leaf_hash(leaf) & (draft->leaf_slot_count - 1);

    while (draft->leaf_slots[slot] != 0 &&
           !draft_leaf_equal(&draft->leaves[draft->leaf_slots[slot] - 1], leaf))
        slot = (slot + 1) & (draft->leaf_slot_count - 1);
    return &draft->leaf_slots[slot];
}

static bool draft_leaf_rehash(struct draft *draft)
{
    size_t count = 1024;
    uint32_t *slots;

    while (count <= draft->leaf_count * 2)
        count *= 2;
    slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(draft->leaf_slots);
    draft->leaf_slots = slots;
    draft->leaf_slot_count = count;
    for (size_t i = 0; i < draft->leaf_count; i++)
        *draft_leaf_slot(draft, &draft->leaves[i]) = (uint32_t)i + 1;
    return true;
}

static enum status draft_leaf_index(struct draft *draft, const struct draft_leaf *leaf,
                                    uint32_t *index)
{
    uint32_t *slot;

    if (draft->leaf_count >= UINT32_MAX - 1)
        return STATUS_NO_SPACE;
    if (!draft_grow(&draft->leaves, draft->leaf_count, &draft->leaf_room, sizeof(*draft->leaves)) ||
        (draft->leaf_count * 2 >= draft->leaf_slot_count && !draft_leaf_rehash(draft)))
        return STATUS_NO_MEMORY;
    slot = draft_leaf_slot(draft, leaf);
    if (*slot == 0) {
        draft->leaves[draft->leaf_count++] = *leaf;
        *slot = (uint32_t)draft->leaf_count;
    }
    *index = *slot - 1;
    return STATUS_OK;
}

enum status draft_add_group(struct draft *draft, uint32_t signature, uint32_t domains,
                            const struct draft_leaf *leaves, unsigned leaf_count)
{
    struct draft_group group = {.signature = signature, .domains = domains};

    CHECK(leaf_count >= 1 && leaf_count <= PREFILTER_GROUP_LEAVES);
    CHECK(signature < draft->signature_count && domains != 0);
    if (!draft_grow(&draft->groups, draft->group_count, &draft->group_room, sizeof(*draft->groups)))
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < leaf_count; i++) {
        uint32_t index = 0;
        bool known = false;
        enum status status = draft_leaf_index(draft, &leaves[i], &index);

        if (status != STATUS_OK)
            return status;
        for (unsigned k = 0; k < group.leaf_count; k++)
            known = known || group.leaves[k] == index;
        if (!known)
            group.leaves[group.leaf_count++] = index;
    }
    draft->groups[draft->group_count++] = group;
    return STATUS_OK;
}

void draft_drop_groups(struct draft *draft, uint32_t signature, uint32_t domains)
{
    size_t kept = 0;

    for (size_t i = 0; i < draft->group_count; i++) {
        if (draft->groups[i].signature != signature || (draft->groups[i].domains & domains) == 0)
            draft->groups[kept++] = draft->groups[i];
    }
    draft->group_count = kept;
    kept = 0;
    for (size_t i = 0; i < draft->always_count; i++) {
        if (draft->always[i].signature != signature || draft->always[i].start_length == 0 ||
            (draft->always[i].domains & domains) == 0)
            draft->always[kept++] = draft->always[i];
    }
    draft->always_count = kept;
}

enum status draft_add_always(struct draft *draft, uint32_t signature, uint32_t domains)
{
    CHECK(signature < draft->signature_count && domains != 0);
    if (!draft_grow(&draft->always, draft->always_count, &draft->always_room,
                    sizeof(*draft->always)))
        return STATUS_NO_MEMORY;
    draft->always[draft->always_count++] =
        (struct prefilter_always){.signature = signature, .domains = domains};
    return STATUS_OK;
}

enum status draft_add_start(struct draft *draft, uint32_t signature, uint32_t domains,
                            const uint8_t *bytes, unsigned length)
{
    uint32_t offset = 0;
    enum status status = draft_add_always(draft, signature, domains);

    CHECK(length >= 1 && length <= PREFILTER_START_MAX);
    if (status == STATUS_OK)
        status = draft_string(draft, bytes, length, &offset);
    if (status == STATUS_OK) {
        draft->always[draft->always_count - 1].start = offset;
        draft->always[draft->always_count - 1].start_length = length;
    }
    return status;
}

enum status draft_add_magic(struct draft *draft, const struct prefilter_magic *magic,
                            const uint8_t *bytes, const uint8_t *mask, const char *type)
{
    struct prefilter_magic *added;
    enum status status;

    CHECK(magic->length >= 1 && magic->length <= PREFILTER_MAGIC_MAX);
    if (!draft_grow(&draft->magics, draft->magic_count, &draft->magic_room, sizeof(*draft->magics)))
        return STATUS_NO_MEMORY;
    added = &draft->magics[draft->magic_count];
    *added = *magic;
    status = draft_string(draft, bytes, magic->length, &added->magic);
    if (status == STATUS_OK)
        status = draft_string(draft, mask, magic->length, &added->mask);
    if (status == STATUS_OK)
        status = draft_string(draft, type, strlen(type) + 1, &added->type);
    draft->magic_count += status == STATUS_OK;
    return status;
}

enum status draft_add_name_rule(struct draft *draft, uint32_t signature, const char *pattern,
                                bool *widened)
{
    char *translated = NULL;
    enum status status;

    if (draft->name_count == draft->name_room) {
        size_t room = draft->name_room == 0 ? 64 : draft->name_room * 2;
        char **patterns = reallocarray(draft->name_patterns, room, sizeof(*patterns));
        unsigned *ids;

        if (patterns == NULL)
            return STATUS_NO_MEMORY;
        draft->name_patterns = patterns;
        ids = reallocarray(draft->name_ids, room, sizeof(*ids));
        if (ids == NULL)
            return STATUS_NO_MEMORY;
        draft->name_ids = ids;
        draft->name_room = room;
    }
    status = database_name_pattern(pattern, &translated, widened);
    if (status != STATUS_OK)
        return status;
    draft->name_patterns[draft->name_count] = translated;
    draft->name_ids[draft->name_count++] = signature;
    return STATUS_OK;
}

enum status draft_add_hash(struct draft *draft, enum prefilter_digest digest, const uint8_t *value,
                           bool any_size, uint64_t size)
{
    return hash_set_add(&draft->hashes[digest], value, any_size, size);
}

void draft_free(struct draft *draft)
{
    for (size_t i = 0; i < draft->name_count; i++)
        free(draft->name_patterns[i]);
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++)
        hash_set_free(&draft->hashes[i]);
    free(draft->leaves);
    free(draft->leaf_slots);
    free(draft->groups);
    free(draft->signatures);
    free(draft->always);
    free(draft->magics);
    free(draft->strings.bytes);
    free(draft->name_patterns);
    free(draft->name_ids);
    free(draft->squeezed.bytes);
    free(draft->exact.bytes);
    free(draft->names.bytes);
    *draft = (struct draft){0};
}
