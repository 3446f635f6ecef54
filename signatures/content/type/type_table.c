/* Making a type table ready, once for a prefilter. See type.h. */
#include <stdlib.h>

#include "signatures/content/type/type_table.h"

static void type_table_add(struct type_table *table, const struct prefilter_magic *magic)
{
    const uint8_t *mask = type_bytes(table->prefilter, magic->mask);
    struct type_fixed *fixed = &table->fixed[table->fixed_count++];

    /* Without any byte it agrees with everything: the first byte tells nothing then. */
    *fixed = (struct type_fixed){.magic = magic, .end = (uint64_t)magic->offset + magic->length};
    if (magic->length > 0) {
        fixed->offset = magic->offset;
        fixed->mask = mask[0];
        fixed->value = type_bytes(table->prefilter, magic->magic)[0];
    }
}

enum status type_table_create(struct type_table **table, const struct prefilter *prefilter)
{
    static const struct {
        uint32_t bits;
        enum watch_mode mode;
    } sets[TYPE_SETS] = {
        [TYPE_SET_ALL] = {0, WATCH_ALL},
        [TYPE_SET_HTML] = {0, WATCH_HTML},
        [TYPE_SET_RAW] = {PREFILTER_RAW, WATCH_BITS},
        [TYPE_SET_TEXT] = {PREFILTER_TEXT, WATCH_BITS},
        [TYPE_SET_ASCII] = {PREFILTER_TEXT | PREFILTER_WATCH_ASCII, WATCH_BITS},
        [TYPE_SET_IMAGE] = {PREFILTER_IMAGE, WATCH_BITS},
        [TYPE_SET_GIF] = {PREFILTER_IMAGE | PREFILTER_WATCH_GIF, WATCH_BITS},
        [TYPE_SET_BINARY] = {PREFILTER_BINARY, WATCH_BITS},
    };
    uint64_t count = prefilter->header->magics.count;
    struct type_table *made = calloc(1, sizeof(*made) + count * sizeof(made->fixed[0]));

    *table = made;
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->prefilter = prefilter;
    for (unsigned i = 0; i < TYPE_SETS; i++)
        watch_make(&made->sets[i], prefilter, sets[i].bits, sets[i].mode);
    for (uint64_t i = count; i > 0; i--) {
        if (prefilter->magics[i - 1].kind == PREFILTER_MAGIC_FIXED)
            type_table_add(made, &prefilter->magics[i - 1]);
    }
    return STATUS_OK;
}

void type_table_destroy(struct type_table *table)
{
    free(table);
}
