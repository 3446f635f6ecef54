/* Writing a message: slot, extents, envelope. See store.h. */
#include <string.h>

#include "dataplane/message/share.h"
#include "dataplane/message/store.h"
#include "platform/check.h"

struct message *message_take(struct store *store)
{
    struct message *message;
    struct message_header *shared;
    uint32_t index;

    if (store->free_slot_count == 0 || block_available(store, BLOCK_FOR_DATA) == 0)
        return NULL;
    index = store->free_slots[--store->free_slot_count];
    message = &store->messages[index - store->slot_first];
    CHECK(message->stage == MESSAGE_FREE);
    shared = region_message(store->region, index);
    *message = (struct message){
        .shared = shared,
        .index = index,
        .generation = atomic_load_explicit(&shared->generation, memory_order_relaxed),
        .stage = MESSAGE_RECEIVING,
        .own_block = MESSAGE_BLOCK_NONE,
    };
    shared->flags = 0;
    shared->size = 0;
    shared->trace_size = 0;
    shared->extent_count = 0;
    shared->envelope_block_count = 0;
    shared->worker = store->worker;
    shared->recipient_count = 0;
    return message;
}

/* Ours to ask for: `message` came from message_take() of this store and was not given back. */
static void message_check(const struct store *store, const struct message *message)
{
    CHECK(message->index >= store->slot_first &&
          message->index - store->slot_first < store->slot_count);
    CHECK(message == &store->messages[message->index - store->slot_first]);
    CHECK(message->stage != MESSAGE_FREE);
}

void message_from(struct store *store, struct message *message, uint64_t prefix)
{
    message_check(store, message);
    CHECK(!message->counted);
    message->client_prefix = prefix;
    message->counted = true;
    message->place = senders_enter(&store->senders, prefix);
}

bool message_admits(const struct store *store, uint64_t prefix)
{
    return senders_admit(&store->senders, prefix, store->free_slot_count, store->slot_count) &&
           senders_admit(&store->senders, prefix, block_available(store, BLOCK_FOR_ENVELOPE),
                         store->parts[BLOCK_FOR_ENVELOPE]);
}

void message_complete(struct store *store, struct message *message, uint32_t behind)
{
    const struct message_header *shared = message->shared;
    uint32_t granted = message->admission.granted;
    /* An extent lies in one block; beside them the trace's. */
    uint32_t used =
        shared->extent_count + 2 + shared->extent_count / MESSAGE_EXTENTS_PER_BLOCK + behind;

    message_check(store, message);
    for (uint32_t i = 0; i < shared->envelope_block_count && used < granted; i++, used++)
        block_reclass(store, shared->envelope_blocks[i], BLOCK_FOR_DATA);
    admission_complete(&store->admission, &message->admission, used);
}

static uint32_t message_extent_tables(const struct message_header *shared)
{
    return (shared->extent_count + MESSAGE_EXTENTS_PER_BLOCK - 1) / MESSAGE_EXTENTS_PER_BLOCK;
}

/* What its sender is counted with: the slot, and each block of the envelope but the first. */
static uint32_t message_places(const struct message *message)
{
    uint32_t blocks = message->shared->envelope_block_count;

    return blocks > 0 ? blocks : 1;
}

void message_give(struct store *store, struct message *message)
{
    struct message_header *shared = message->shared;
    uint32_t next = message->generation + 1;

    message_check(store, message);
    /* Readers must find the slot stale before any of its blocks can change under them. 0 is kept
     * for "none". */
    atomic_store_explicit(&shared->generation, next == 0 ? 1 : next, memory_order_release);
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 0; i < shared->extent_count; i++)
        block_give(store, message_extent_slot(store, message, i)->block);
    for (uint32_t i = 0; i < message_extent_tables(shared); i++)
        block_give(store, shared->extent_blocks[i]);
    for (uint32_t i = 0; i < shared->envelope_block_count; i++)
        block_give(store, shared->envelope_blocks[i]);
    if (message->own_block != MESSAGE_BLOCK_NONE)
        block_give(store, message->own_block);
    admission_leave(&store->admission, &message->admission);
    share_give(store, message);
    if (message->counted)
        senders_leave(&store->senders, &message->place, message_places(message));
    message->stage = MESSAGE_FREE;
    CHECK(store->free_slot_count < store->slot_count);
    store->free_slots[store->free_slot_count++] = message->index;
}

bool message_tail(const struct store *store, const struct message *message, uint32_t *block,
                  uint32_t *offset)
{
    const struct message_extent *last;

    if (message->shared->extent_count == 0)
        return false;
    last = message_extent_slot(store, message, message->shared->extent_count - 1);
    *block = last->block;
    *offset = (uint32_t)last->offset + last->length;
    return true;
}

enum status message_append(struct store *store, struct message *message, uint32_t block,
                           uint32_t offset, uint32_t length)
{
    struct message_header *shared = message->shared;
    uint32_t tail_block;
    uint32_t tail_offset;

    message_check(store, message);
    CHECK(offset <= MESSAGE_BLOCK_BYTES && length <= MESSAGE_BLOCK_BYTES - offset);
    if (length == 0)
        return STATUS_OK;
    if (message_tail(store, message, &tail_block, &tail_offset) && tail_block == block &&
        tail_offset == offset) {
        struct message_extent *last = message_extent_slot(store, message, shared->extent_count - 1);

        last->length = (uint16_t)(last->length + length);
        shared->size += length;
        return STATUS_OK;
    }
    if (shared->extent_count == MESSAGE_EXTENTS_MAX)
        return STATUS_NO_SPACE;
    if (shared->extent_count % MESSAGE_EXTENTS_PER_BLOCK == 0) {
        uint32_t table = block_take(store, BLOCK_FOR_TABLE);

        if (table == MESSAGE_BLOCK_NONE)
            return STATUS_NO_SPACE;
        shared->extent_blocks[shared->extent_count / MESSAGE_EXTENTS_PER_BLOCK] = table;
    }
    block_hold(store, block);
    shared->extent_count++;
    *message_extent_slot(store, message, shared->extent_count - 1) = (struct message_extent){
        .block = block, .offset = (uint16_t)offset, .length = (uint16_t)length};
    shared->size += length; /* cannot wrap: 8192 extents of 16 KiB are 128 MiB */
    return STATUS_OK;
}

enum status message_append_bytes(struct store *store, struct message *message, const void *bytes,
                                 size_t length)
{
    const uint8_t *from = bytes;

    message_check(store, message);
    while (length > 0) {
        uint32_t part;
        enum status status;

        if (message->own_block == MESSAGE_BLOCK_NONE) {
            message->own_block = block_take(store, BLOCK_FOR_TABLE);
            if (message->own_block == MESSAGE_BLOCK_NONE)
                return STATUS_NO_SPACE;
            message->own_used = 0;
        }
        part = MESSAGE_BLOCK_BYTES - message->own_used;
        if (part > length)
            part = (uint32_t)length;
        memcpy(block_bytes(store, message->own_block) + message->own_used, from, part);
        status = message_append(store, message, message->own_block, message->own_used, part);
        if (status != STATUS_OK)
            return status;
        message->own_used += part;
        from += part;
        length -= part;
        if (message->own_used == MESSAGE_BLOCK_BYTES) {
            /* The extent keeps it alive. */
            block_give(store, message->own_block);
            message->own_block = MESSAGE_BLOCK_NONE;
        }
    }
    return STATUS_OK;
}

void message_mark_trace(struct message *message)
{
    message->shared->trace_size = message->shared->size;
}

/* Marks the end of the fields in the last envelope block; a full block needs no mark. */
static void message_envelope_close(const struct store *store, const struct message *message)
{
    struct envelope_field_header end = {.field = ENVELOPE_END};
    uint32_t block = message->shared->envelope_blocks[message->shared->envelope_block_count - 1];

    if (message->envelope_used + sizeof(end) <= MESSAGE_BLOCK_BYTES)
        memcpy(block_bytes(store, block) + message->envelope_used, &end, sizeof(end));
}

static uint32_t message_envelope_block(struct store *store, struct message *message)
{
    bool more = message->shared->envelope_block_count > 0 && message->counted;
    uint32_t block;

    if (message->shared->envelope_block_count == MESSAGE_ENVELOPE_BLOCKS_MAX ||
        (more && !message_admits(store, message->client_prefix)))
        return MESSAGE_BLOCK_NONE;
    block = block_take(store, BLOCK_FOR_ENVELOPE);
    if (block != MESSAGE_BLOCK_NONE && more)
        senders_add(&store->senders, &message->place);
    return block;
}

enum status message_envelope_put(struct store *store, struct message *message,
                                 enum envelope_field field, const void *value, size_t length)
{
    struct message_header *shared = message->shared;
    struct envelope_field_header header = {.field = (uint16_t)field, .length = (uint16_t)length};
    uint32_t kept =
        field == ENVELOPE_VERDICT || field == ENVELOPE_ENGINE ? 0 : MESSAGE_ENVELOPE_KEPT;
    uint8_t *to;

    message_check(store, message);
    if (length > MESSAGE_ENVELOPE_FIELD_BYTES || field == ENVELOPE_END)
        return STATUS_BAD_ARGUMENT;
    if (shared->envelope_block_count == 0 ||
        message->envelope_used + sizeof(header) + length + kept > MESSAGE_BLOCK_BYTES) {
        uint32_t block = message_envelope_block(store, message);

        if (block == MESSAGE_BLOCK_NONE)
            return STATUS_NO_SPACE;
        shared->envelope_blocks[shared->envelope_block_count++] = block;
        message->envelope_used = 0;
    }
    to = block_bytes(store, shared->envelope_blocks[shared->envelope_block_count - 1]) +
         message->envelope_used;
    memcpy(to, &header, sizeof(header));
    if (length > 0)
        memcpy(to + sizeof(header), value, length);
    message->envelope_used += (uint32_t)(sizeof(header) + length);
    if (field == ENVELOPE_RECIPIENT)
        shared->recipient_count++;
    message_envelope_close(store, message);
    return STATUS_OK;
}

bool message_envelope_next(const struct store *store, const struct message *message,
                           struct envelope_cursor *cursor)
{
    for (; cursor->block < message->shared->envelope_block_count; cursor->block++) {
        const uint8_t *bytes = block_bytes(store, message->shared->envelope_blocks[cursor->block]);
        struct envelope_field_header header = {.field = ENVELOPE_END};

        if (cursor->offset + sizeof(header) <= MESSAGE_BLOCK_BYTES)
            memcpy(&header, bytes + cursor->offset, sizeof(header));
        if (header.field != ENVELOPE_END) {
            cursor->field = (enum envelope_field)header.field;
            cursor->length = header.length;
            cursor->value = (const char *)bytes + cursor->offset + sizeof(header);
            cursor->offset += (uint32_t)sizeof(header) + header.length;
            return true;
        }
        cursor->offset = 0;
    }
    return false;
}

struct message *message_find(struct store *store, uint32_t index, uint32_t generation)
{
    struct message *message;

    if (index < store->slot_first || index - store->slot_first >= store->slot_count)
        return NULL;
    message = &store->messages[index - store->slot_first];
    if (message->stage == MESSAGE_FREE || message->generation != generation)
        return NULL;
    return message;
}
