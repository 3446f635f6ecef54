#include "platform/link/message_view.h"

#include <stdlib.h>
#include <string.h>

static enum status message_view_copy_extents(struct message_view *view,
                                             const uint32_t blocks[MESSAGE_EXTENT_BLOCKS_MAX])
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < view->extent_count; i++) {
        uint32_t table = blocks[i / MESSAGE_EXTENTS_PER_BLOCK];
        struct message_extent extent;

        if (table >= view->region->header.block_count)
            return STATUS_BAD_FORMAT;
        extent = ((const struct message_extent *)region_block(
            view->region, table))[i % MESSAGE_EXTENTS_PER_BLOCK];
        if (extent.block >= view->region->header.block_count ||
            (uint32_t)extent.offset + extent.length > MESSAGE_BLOCK_BYTES)
            return STATUS_BAD_FORMAT;
        view->extents[i] = extent;
        view->starts[i] = total;
        total += extent.length; /* cannot wrap: 8192 extents of 16 KiB are 128 MiB */
    }
    return total == view->size ? STATUS_OK : STATUS_BAD_FORMAT;
}

static enum status message_view_load(struct message_view *view)
{
    const struct message_header *header = region_message(view->region, view->index);
    uint32_t blocks[MESSAGE_EXTENT_BLOCKS_MAX];

    view->flags = header->flags;
    view->size = header->size;
    view->trace_size = header->trace_size;
    view->extent_count = header->extent_count;
    view->envelope_block_count = header->envelope_block_count;
    memcpy(blocks, header->extent_blocks, sizeof(blocks));
    memcpy(view->envelope_blocks, header->envelope_blocks, sizeof(view->envelope_blocks));
    if (view->extent_count > MESSAGE_EXTENTS_MAX || view->trace_size > view->size ||
        view->envelope_block_count > MESSAGE_ENVELOPE_BLOCKS_MAX)
        return STATUS_BAD_FORMAT;
    for (uint32_t i = 0; i < view->envelope_block_count; i++) {
        if (view->envelope_blocks[i] >= view->region->header.block_count)
            return STATUS_BAD_FORMAT;
    }
    view->extents = calloc(view->extent_count + 1, sizeof(*view->extents));
    view->starts = calloc(view->extent_count + 1, sizeof(*view->starts));
    if (view->extents == NULL || view->starts == NULL)
        return STATUS_NO_MEMORY;
    return message_view_copy_extents(view, blocks);
}

enum status message_view_open(struct message_view *view, const struct region *region,
                              uint32_t index, uint32_t generation, uint32_t length)
{
    enum status status;

    *view = (struct message_view){.region = region, .index = index, .generation = generation};
    if (index >= region->header.message_count)
        return STATUS_BAD_FORMAT;
    if (!message_view_current(view))
        return STATUS_STALE;
    status = message_view_load(view);
    if (status == STATUS_OK && (view->size != length || !message_view_current(view)))
        status = STATUS_STALE;
    if (status != STATUS_OK)
        message_view_close(view);
    return status;
}

void message_view_close(struct message_view *view)
{
    free(view->extents);
    free(view->starts);
    view->extents = NULL;
    view->starts = NULL;
    view->extent_count = 0;
    view->size = 0;
}

bool message_view_current(const struct message_view *view)
{
    const struct message_header *header = region_message(view->region, view->index);

    return atomic_load_explicit(&header->generation, memory_order_acquire) == view->generation;
}

/* Index of the extent that holds byte `offset`; offset < size, so there is at least one. */
static uint32_t message_view_find(const struct message_view *view, size_t offset)
{
    uint32_t low = 0;
    uint32_t high = view->extent_count - 1;

    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;

        if (view->starts[middle] <= offset)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

size_t message_view_read(const struct message_view *view, size_t offset, void *to, size_t length)
{
    size_t done = 0;

    if (offset >= view->size)
        return 0;
    if (length > view->size - offset)
        length = view->size - offset;
    for (uint32_t i = message_view_find(view, offset); done < length; i++) {
        const struct message_extent *extent = &view->extents[i];
        size_t skip = offset + done - view->starts[i];
        size_t part = extent->length - skip;

        if (part > length - done)
            part = length - done;
        memcpy((uint8_t *)to + done,
               region_block(view->region, extent->block) + extent->offset + skip, part);
        done += part;
    }
    return done;
}

unsigned message_view_iovec(const struct message_view *view, size_t offset, size_t length,
                            struct iovec *vectors, unsigned count)
{
    unsigned filled = 0;
    size_t done = 0;

    if (offset >= view->size)
        return 0;
    if (length > view->size - offset)
        length = view->size - offset;
    for (uint32_t i = message_view_find(view, offset); done < length && filled < count; i++) {
        const struct message_extent *extent = &view->extents[i];
        size_t skip = offset + done - view->starts[i];
        size_t part = extent->length - skip;

        if (part > length - done)
            part = length - done;
        if (part == 0)
            continue;
        vectors[filled].iov_base =
            region_block(view->region, extent->block) + extent->offset + skip;
        vectors[filled].iov_len = part;
        filled++;
        done += part;
    }
    return filled;
}

enum status message_view_field(const struct message_view *view, size_t *position,
                               enum envelope_field *field, const char **value, size_t *length)
{
    for (;;) {
        size_t block = *position / MESSAGE_BLOCK_BYTES;
        size_t offset = *position % MESSAGE_BLOCK_BYTES;
        struct envelope_field_header header;
        const uint8_t *bytes;

        if (block >= view->envelope_block_count)
            return STATUS_NOT_FOUND;
        bytes = region_block(view->region, view->envelope_blocks[block]);
        if (offset + sizeof(header) <= MESSAGE_BLOCK_BYTES) {
            memcpy(&header, bytes + offset, sizeof(header));
            if (header.field != ENVELOPE_END) {
                if (header.length > MESSAGE_ENVELOPE_FIELD_BYTES ||
                    offset + sizeof(header) + header.length > MESSAGE_BLOCK_BYTES)
                    return STATUS_BAD_FORMAT;
                *field = (enum envelope_field)header.field;
                *value = (const char *)bytes + offset + sizeof(header);
                *length = header.length;
                *position += sizeof(header) + header.length;
                return STATUS_OK;
            }
        }
        *position = (block + 1) * MESSAGE_BLOCK_BYTES;
    }
}

bool message_view_string(const struct message_view *view, enum envelope_field field, char *to,
                         size_t size)
{
    size_t position = 0;
    enum envelope_field found;
    const char *value;
    size_t length;

    while (message_view_field(view, &position, &found, &value, &length) == STATUS_OK) {
        if (found != field)
            continue;
        if (length >= size)
            length = size - 1;
        memcpy(to, value, length);
        to[length] = '\0';
        return true;
    }
    return false;
}
