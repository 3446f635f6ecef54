/* type_table.h: what the files behind type.h share: the type table, made ready to be searched.
 *
 *   type_table.c  making one, before the traffic
 *   type.c        a part's type from its first bytes
 *   watch.c       patterns in the whole of a byte string
 */
#ifndef SIGNATURES_CONTENT_TYPE_TYPE_TABLE_H
#define SIGNATURES_CONTENT_TYPE_TYPE_TABLE_H

#include <string.h>

#include "signatures/content/type/type.h"

extern const char type_name_ascii[];
extern const char type_name_table[];

/* Sixteen bytes at once. */
typedef uint8_t type_vector __attribute__((vector_size(16)));

static inline type_vector type_load(const uint8_t *bytes)
{
    type_vector vector;

    memcpy(&vector, bytes, sizeof(vector));
    return vector;
}

/* Whether any byte of a comparison is set. */
static inline bool type_any(type_vector vector)
{
    uint64_t words[2];

    memcpy(words, &vector, sizeof(words));
    return (words[0] | words[1]) != 0;
}

enum watch_mode {
    WATCH_BITS, /* what matters in the whole part */
    WATCH_ALL,  /* every pattern */
    WATCH_HTML, /* those of HTML */
};

/* The patterns that are looked for together. */
enum type_set {
    TYPE_SET_ALL,
    TYPE_SET_HTML,
    TYPE_SET_RAW,
    TYPE_SET_TEXT,
    TYPE_SET_ASCII,
    TYPE_SET_IMAGE,
    TYPE_SET_GIF,
    TYPE_SET_BINARY,
    TYPE_SETS
};

/* A FIXED magic; one of its bytes tells most of them apart. */
struct type_fixed {
    const struct prefilter_magic *magic;
    uint64_t end; /* bytes there have to be */
    uint32_t offset;
    uint8_t value;
    uint8_t mask;
};

struct type_table {
    const struct prefilter *prefilter;
    struct type_watch sets[TYPE_SETS]; /* each as it begins */
    unsigned fixed_count;
    struct type_fixed fixed[]; /* the last of the table first */
};

static inline const uint8_t *type_bytes(const struct prefilter *prefilter, uint32_t offset)
{
    return (const uint8_t *)prefilter->strings + offset;
}

static inline bool type_agrees(const uint8_t *bytes, const uint8_t *value, const uint8_t *mask,
                               size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((bytes[i] & mask[i]) != value[i])
            return false;
    return true;
}

/* watch.c. A watch as it begins, from the table. */
void watch_make(struct type_watch *watch, const struct prefilter *prefilter, uint32_t bits,
                enum watch_mode mode);
void watch_begin(struct type_watch *watch, const struct type_watch *made);
void watch_feed(struct type_watch *watch, const uint8_t *bytes, size_t length);
void watch_end(struct type_watch *watch);

#endif
