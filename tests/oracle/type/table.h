/* table.h: a prefilter in memory that holds nothing but the file-type table of the loaded
 * libclamav, made as the compiler makes it; and the patterns that become groups, searched without
 * Hyperscan.
 *
 * Threads: one. Memory: table_create()/table_destroy(). */
#ifndef TESTS_ORACLE_TYPE_TABLE_H
#define TESTS_ORACLE_TYPE_TABLE_H

#include "signatures/compile/types.h"
#include "signatures/content/type/type.h"
#include "signatures/prefilter/prefilter.h"

#define TABLE_LINES   512u
#define TABLE_STRINGS 131072u

struct table {
    struct prefilter prefilter;
    struct type_table *types;
    struct prefilter_header header;
    struct prefilter_magic magics[TABLE_LINES];
    struct types_entry entries[TABLE_LINES]; /* entries[i] is magics[i] */
    unsigned count;
    char strings[TABLE_STRINGS];
    size_t used;
    struct expression_arena *arena;
    const struct expression *groups[TABLE_LINES]; /* null where there is none */
};

/* Null, with words on standard error, when the library has no table or a line of it is not
 * understood. */
struct table *table_create(void);
void table_destroy(struct table *table);

/* The type whose group would hit in these bytes, were they of `domain`; or null. */
const char *table_group(const struct table *table, uint32_t domain, const uint8_t *bytes,
                        size_t length);

#endif
