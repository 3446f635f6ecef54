#include "tests/oracle/type/table.h"

#include <clamav.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/scanner/describe.h"

static uint32_t table_put(struct table *table, const void *bytes, size_t length)
{
    size_t at = table->used;

    if (length > sizeof(table->strings) - at)
        abort();
    memcpy(&table->strings[at], bytes, length);
    table->used += length;
    return (uint32_t)at;
}

static bool table_line(struct table *table, const char *line)
{
    struct types_entry *entry = &table->entries[table->count];
    struct prefilter_magic *magic = &table->magics[table->count];

    switch (types_read(line, cl_retflevel(), entry)) {
    case TYPES_NOTHING:
        return true;
    case TYPES_BAD:
        (void)fprintf(stderr, "%s: %s\n", line, entry->reason);
        return false;
    case TYPES_ENTRY:
        break;
    }
    if (table->count == TABLE_LINES - 1)
        return false;
    *magic = entry->magic;
    magic->magic = table_put(table, entry->magic_bytes, magic->length);
    magic->mask = table_put(table, entry->mask_bytes, magic->length);
    magic->type = table_put(table, entry->type, strlen(entry->type) + 1);
    if (entry->group_domains != 0) {
        table->groups[table->count] = types_necessary(entry, table->arena);
        if (table->groups[table->count] == NULL)
            return false;
    }
    table->count++;
    return true;
}

static bool table_fill(struct table *table)
{
    FILE *file = tmpfile();
    char line[8192];
    bool good = file != NULL && table->arena != NULL && describe_print(file) == STATUS_OK;

    if (good)
        rewind(file);
    while (good && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "type ", 5) == 0)
            good = table_line(table, line + 5);
    }
    if (file != NULL)
        (void)fclose(file);
    return good && table->count > 0;
}

struct table *table_create(void)
{
    struct table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        return NULL;
    table->arena = expression_arena_create();
    if (!table_fill(table)) {
        (void)fprintf(stderr, "no table of file types\n");
        table_destroy(table);
        return NULL;
    }
    table->header.magics.count = table->count;
    table->prefilter = (struct prefilter){
        .header = &table->header, .magics = table->magics, .strings = table->strings};
    if (type_table_create(&table->types, &table->prefilter) != STATUS_OK) {
        table_destroy(table);
        return NULL;
    }
    return table;
}

void table_destroy(struct table *table)
{
    expression_arena_destroy(table->arena);
    type_table_destroy(table->types);
    free(table);
}

static bool table_run(const struct expression *run, const uint8_t *bytes, size_t length)
{
    uint8_t plain[PREFILTER_MAGIC_MAX];

    for (unsigned i = 0; i < run->length; i++)
        plain[i] = run->bytes[i].value;
    return memmem(bytes, length, plain, run->length) != NULL;
}

static bool table_holds(const struct expression *expression, const uint8_t *bytes, size_t length)
{
    switch (expression->kind) {
    case EXPRESSION_RUN:
        return table_run(expression, bytes, length);
    case EXPRESSION_AND:
        for (unsigned i = 0; i < expression->length; i++)
            if (!table_holds(expression->children[i], bytes, length))
                return false;
        return true;
    default:
        return true;
    }
}

const char *table_group(const struct table *table, uint32_t domain, const uint8_t *bytes,
                        size_t length)
{
    for (unsigned i = 0; i < table->count; i++)
        if (table->groups[i] != NULL && (table->entries[i].group_domains & domain) != 0 &&
            table_holds(table->groups[i], bytes, length))
            return table->entries[i].type;
    return NULL;
}
