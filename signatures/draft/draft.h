/* draft.h: a prefilter in the making: its tables, as they grow.
 *
 * draft_*() collect signatures, groups of leaves, magics, name rules and hashes; draft_compile()
 * orders the leaves (those with a bit first) and makes the Hyperscan databases; draft_write()
 * (write.c) makes the file. Equal leaves are one. Nothing here judges whether a group is sound or
 * good: choose.h does.
 *
 * Threads: one draft, one thread. Memory: a draft owns everything given to it (copies). Failures:
 * STATUS_NO_MEMORY; limits in prefilter.h.
 */
#ifndef SIGNATURES_DRAFT_DRAFT_H
#define SIGNATURES_DRAFT_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "platform/why.h"
#include "signatures/draft/hashes.h"
#include "signatures/prefilter/prefilter.h"

/* A fragment that is looked for. `squeezed`: in squeezed text, `bytes` are h() of something.
 * `caseless` (exact ones only): ASCII letters in either case; `bytes` are then lower case. */
struct draft_leaf {
    uint8_t length;
    bool squeezed;
    bool caseless;
    uint8_t bytes[PREFILTER_FRAGMENT_MAX];
};

/* Signature, domains and leaves as in struct prefilter_group, leaves as indices of the draft. */
struct draft_group {
    uint32_t signature;
    uint32_t domains;
    uint32_t leaf_count;
    uint32_t leaves[PREFILTER_GROUP_LEAVES];
};

struct draft_bytes {
    uint8_t *bytes;
    size_t length;
    size_t room;
};

/* What Hyperscan made: freed with free(). Length 0: there was nothing to look for. */
struct draft_database {
    char *bytes;
    size_t length;
};

struct draft {
    struct draft_leaf *leaves;
    size_t leaf_count, leaf_room;
    uint32_t *leaf_slots; /* open addressing over the leaves: index + 1 */
    size_t leaf_slot_count;
    struct draft_group *groups;
    size_t group_count, group_room;
    struct prefilter_signature *signatures;
    size_t signature_count, signature_room;
    struct prefilter_always *always;
    size_t always_count, always_room;
    struct prefilter_magic *magics;
    size_t magic_count, magic_room;
    struct draft_bytes strings;
    char **name_patterns; /* for Hyperscan; ids in name_ids */
    unsigned *name_ids;
    size_t name_count, name_room;
    struct hash_set hashes[PREFILTER_DIGESTS];
    bool image_fuzzy;
    /* After draft_compile(): */
    uint32_t weak_count;
    struct draft_database squeezed, exact, names;
};

/* Zeroes are an empty draft. */
void draft_free(struct draft *draft);

/* `*index` is what groups name it by. */
enum status draft_add_signature(struct draft *draft, const char *name, enum prefilter_kind kind,
                                uint32_t *index) STATUS_CHECKED;

/* A group of 1..PREFILTER_GROUP_LEAVES leaves that all have to occur. Equal leaves count once.
 * The leaves have to be such as the domains want (prefilter.h). */
enum status draft_add_group(struct draft *draft, uint32_t signature, uint32_t domains,
                            const struct draft_leaf *leaves, unsigned leaf_count) STATUS_CHECKED;

/* Takes out the groups and starts of a signature that name any of these domains: others are added
 * in their place, then draft_compile() is called again. */
void draft_drop_groups(struct draft *draft, uint32_t signature, uint32_t domains);

enum status draft_add_always(struct draft *draft, uint32_t signature,
                             uint32_t domains) STATUS_CHECKED;

/* As always, but only for buffers that begin with these bytes. */
enum status draft_add_start(struct draft *draft, uint32_t signature, uint32_t domains,
                            const uint8_t *bytes, unsigned length) STATUS_CHECKED;

/* A line of the type table: `magic` but for its offsets into the strings, which become those of
 * `bytes` and `mask` (magic->length bytes each) and `type`. */
enum status draft_add_magic(struct draft *draft, const struct prefilter_magic *magic,
                            const uint8_t *bytes, const uint8_t *mask,
                            const char *type) STATUS_CHECKED;

/* A rule over file names: `pattern` in POSIX extended syntax, null for any name. One that
 * Hyperscan cannot follow becomes one for any name: then `*widened` is set (never cleared). */
enum status draft_add_name_rule(struct draft *draft, uint32_t signature, const char *pattern,
                                bool *widened) STATUS_CHECKED;

enum status draft_add_hash(struct draft *draft, enum prefilter_digest digest, const uint8_t *value,
                           bool any_size, uint64_t size) STATUS_CHECKED;

/* Orders leaves, forgets those without a group, and makes the databases, after the last addition.
 * May be called again after changes: indices of leaves and groups are others then. STATUS_NO_SPACE:
 * more than a file can hold. `why` gets one line. */
enum status draft_compile(struct draft *draft, struct why *why) STATUS_CHECKED;

/* What draft_write() puts into the header. */
struct draft_identity {
    const char *library;
    uint8_t database[PREFILTER_DIGEST_BYTES];
};

/* Writes a compiled draft to `path`: whole or not at all (a temporary file beside it, synced,
 * renamed). STATUS_SYSTEM: `why` says which call and errno's text. */
enum status draft_write(const struct draft *draft, const struct draft_identity *identity,
                        const char *path, struct why *why) STATUS_CHECKED;

#endif
