/* names.h: an index from texts to numbers: which customer has a domain, which has a recipient.
 *
 * Made once and then only read: an open-addressed table, at most half full, whose longest chain is
 * known when it is made; a look-up costs the same with ten names as with a hundred thousand.
 * ASCII letters are compared without case. The same text may stand in several *scopes* (a local
 * part at several customers), which know nothing of each other.
 *
 * Threads: names_create(), names_add() and names_destroy() on the one that makes it; names_find()
 * on any, afterwards. Hot path: names_find(). Memory: keys are borrowed, in lower case, and must
 * outlive the index; the table goes with names_destroy().
 */
#ifndef PLATFORM_NAMES_H
#define PLATFORM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

struct names_entry;

struct names {
    struct names_entry *entries; /* null: not made */
    uint32_t mask;               /* entries - 1 */
    uint32_t left;               /* how many may still be added */
    uint32_t probe_max;          /* the longest chain there is */
};

/* What is looked up: `head`, and when `tail` is there '@' and `tail`; any case. */
struct names_key {
    const char *head;
    size_t head_length;
    const char *tail;
    size_t tail_length;
};

/* Room for `count` names. STATUS_NO_MEMORY. */
enum status names_create(struct names *names, size_t count) STATUS_CHECKED;
void names_destroy(struct names *names);

/* Of a text that is added twice in a scope the first one is found. */
void names_add(struct names *names, const char *key, uint32_t scope, uint32_t value);

/* True when it is there; then *value is what it was added with. */
bool names_find(const struct names *names, const struct names_key *key, uint32_t scope,
                uint32_t *value);

#endif
