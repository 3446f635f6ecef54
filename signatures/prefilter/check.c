/* check.c: every number of a mapped prefilter, before anyone uses it. */
#include <string.h>

#include "signatures/prefilter/internal.h"

/* Where `section` begins, or null when its entries of `size` bytes are not inside the file. */
static const void *check_section(const struct prefilter *prefilter,
                                 const struct prefilter_section *section, size_t size)
{
    if (section->offset < sizeof(struct prefilter_header) || section->offset > prefilter->bytes ||
        section->offset % 8 != 0 || section->count > UINT32_MAX ||
        section->count > (prefilter->bytes - section->offset) / size)
        return NULL;
    return (const uint8_t *)prefilter->header + section->offset;
}

static bool check_inside(const struct prefilter *prefilter, uint64_t offset, uint64_t bytes)
{
    return offset >= sizeof(struct prefilter_header) && offset <= prefilter->bytes &&
           offset % 8 == 0 && bytes <= prefilter->bytes - offset;
}

static const char *check_leaves(const struct prefilter *prefilter)
{
    const struct prefilter_header *header = prefilter->header;

    if (header->weak_count > PREFILTER_WEAK_MAX || header->weak_count > header->leaves.count)
        return "too many weak leaves";
    for (uint64_t i = 0; i < header->leaves.count; i++) {
        const struct prefilter_leaf *leaf = &prefilter->leaves[i];

        if (leaf->first_group > header->leaf_groups.count ||
            leaf->group_count > header->leaf_groups.count - leaf->first_group)
            return "a leaf's groups lie outside";
        if ((leaf->domains & ~PREFILTER_ALL) != 0)
            return "a leaf has unknown domains";
        if (leaf->weak != (i < header->weak_count ? i : UINT32_MAX))
            return "a leaf's bit is not its own";
    }
    for (uint64_t i = 0; i < header->leaf_groups.count; i++) {
        if (prefilter->leaf_groups[i] >= header->groups.count)
            return "a leaf names a group that is not there";
    }
    return NULL;
}

static const char *check_groups(const struct prefilter *prefilter)
{
    const struct prefilter_header *header = prefilter->header;

    for (uint64_t i = 0; i < header->groups.count; i++) {
        const struct prefilter_group *group = &prefilter->groups[i];

        if (group->signature >= header->signatures.count)
            return "a group's signature is not there";
        if (group->domains == 0 || (group->domains & ~PREFILTER_ALL) != 0)
            return "a group has unknown domains";
        if (group->leaf_count == 0 || group->leaf_count > PREFILTER_GROUP_LEAVES)
            return "a group has no leaves, or too many";
        for (unsigned k = 0; k < group->leaf_count; k++) {
            if (group->leaves[k] >= header->leaves.count)
                return "a group's leaf is not there";
            if (group->leaf_count > 1 && group->leaves[k] >= header->weak_count)
                return "a group of several has a leaf without a bit";
        }
    }
    return NULL;
}

static const char *check_names(const struct prefilter *prefilter)
{
    const struct prefilter_header *header = prefilter->header;

    if (header->strings.count == 0 || prefilter->strings[header->strings.count - 1] != '\0')
        return "the strings have no end";
    for (uint64_t i = 0; i < header->signatures.count; i++) {
        if (prefilter->signatures[i].name >= header->strings.count ||
            prefilter->signatures[i].kind > PREFILTER_PHISHING)
            return "a signature's name or kind is wrong";
    }
    for (uint64_t i = 0; i < header->always.count; i++) {
        if (prefilter->always[i].signature >= header->signatures.count ||
            prefilter->always[i].domains == 0 ||
            prefilter->always[i].start_length > PREFILTER_START_MAX ||
            prefilter->always[i].start > header->strings.count ||
            prefilter->always[i].start_length >
                header->strings.count - prefilter->always[i].start ||
            (prefilter->always[i].domains & ~PREFILTER_ALL) != 0)
            return "a signature without a formula is wrong";
    }
    return NULL;
}

static const char *check_magics(const struct prefilter *prefilter)
{
    const struct prefilter_header *header = prefilter->header;

    for (uint64_t i = 0; i < header->magics.count; i++) {
        const struct prefilter_magic *magic = &prefilter->magics[i];

        if (magic->length == 0 || magic->length > PREFILTER_MAGIC_MAX ||
            magic->offset > UINT32_MAX - PREFILTER_MAGIC_MAX)
            return "a magic is empty, too long or too far";
        if (magic->magic > header->strings.count ||
            magic->length > header->strings.count - magic->magic ||
            magic->mask > header->strings.count ||
            magic->length > header->strings.count - magic->mask ||
            magic->type >= header->strings.count)
            return "a magic's bytes lie outside";
        if (magic->class > PREFILTER_CLASS_ESCALATE || magic->kind > PREFILTER_MAGIC_END ||
            (magic->watch & ~(PREFILTER_ALL | PREFILTER_WATCH_ASCII | PREFILTER_WATCH_GIF)) != 0)
            return "a magic has an unknown class, kind or domain";
    }
    return NULL;
}

static const char *check_hashes(const struct prefilter *prefilter)
{
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        const struct prefilter_hashes *hashes = &prefilter->header->hashes[i];

        if (hashes->slots == 0)
            continue;
        if (hashes->slot_count == 0 || (hashes->slot_count & (hashes->slot_count - 1)) != 0 ||
            hashes->slot_count > prefilter->bytes / sizeof(uint64_t) ||
            !check_inside(prefilter, hashes->slots, hashes->slot_count * sizeof(uint64_t)))
            return "a hash set lies outside";
        if (hashes->count >= hashes->slot_count)
            return "a hash set is full";
        if (!check_inside(prefilter, hashes->sizes,
                          (PREFILTER_SIZES_EXACT + PREFILTER_SIZES_COARSE) / 8))
            return "the sizes of hashes lie outside";
    }
    return NULL;
}

const char *prefilter_check(struct prefilter *prefilter)
{
    static const char *(*const checks[])(const struct prefilter *) = {
        check_leaves, check_groups, check_names, check_magics, check_hashes};
    const struct prefilter_header *header = prefilter->header;

    if (memchr(header->library, '\0', sizeof(header->library)) == NULL)
        return "the library's version has no end";
    prefilter->leaves = check_section(prefilter, &header->leaves, sizeof(*prefilter->leaves));
    prefilter->leaf_groups =
        check_section(prefilter, &header->leaf_groups, sizeof(*prefilter->leaf_groups));
    prefilter->groups = check_section(prefilter, &header->groups, sizeof(*prefilter->groups));
    prefilter->signatures =
        check_section(prefilter, &header->signatures, sizeof(*prefilter->signatures));
    prefilter->always = check_section(prefilter, &header->always, sizeof(*prefilter->always));
    prefilter->magics = check_section(prefilter, &header->magics, sizeof(*prefilter->magics));
    prefilter->strings = check_section(prefilter, &header->strings, 1);
    if (prefilter->leaves == NULL || prefilter->leaf_groups == NULL || prefilter->groups == NULL ||
        prefilter->signatures == NULL || prefilter->always == NULL || prefilter->magics == NULL ||
        prefilter->strings == NULL || check_section(prefilter, &header->squeezed, 1) == NULL ||
        check_section(prefilter, &header->exact, 1) == NULL ||
        check_section(prefilter, &header->names, 1) == NULL)
        return "a section lies outside";
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const char *wrong = checks[i](prefilter);

        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}
