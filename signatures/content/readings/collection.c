/* Streams of SHA-256 without a heap: the newer interface has one. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/content/readings/internal.h"

/* libclamav scans nothing that is smaller. */
#define COLLECTION_LEAST 6u

bool readings_stop(struct readings *readings, enum status why)
{
    if (readings->end == STATUS_OK)
        readings->end = why;
    return false;
}

bool readings_work(struct readings *readings, size_t bytes)
{
    readings->work += bytes + 16;
    if (readings->end != STATUS_OK)
        return false;
    if (readings->work > readings->limits.work)
        return readings_stop(readings, STATUS_NO_SPACE);
    if (readings->limits.go_on != NULL && !readings->limits.go_on(readings->limits.context))
        return readings_stop(readings, STATUS_TIMED_OUT);
    return true;
}

/* Room for one more of `size` bytes in `*memory`. */
static bool collection_room(struct readings *readings, void **memory, size_t *room, size_t count,
                            size_t size)
{
    size_t more = *room == 0 ? 16 : *room * 2;
    void *grown;

    if (count < *room)
        return true;
    grown = realloc(*memory, more * size);
    if (grown == NULL)
        return readings_stop(readings, STATUS_NO_MEMORY);
    *memory = grown;
    *room = more;
    return true;
}

uint8_t *collection_buffer(struct readings *readings, size_t size)
{
    void *memory = readings->buffers;
    uint8_t *buffer;

    readings->report.bytes += size;
    if (readings->report.bytes > readings->limits.bytes) {
        (void)readings_stop(readings, STATUS_NO_SPACE);
        return NULL;
    }
    if (!collection_room(readings, &memory, &readings->buffer_room, readings->buffer_count,
                         sizeof(*readings->buffers)))
        return NULL;
    readings->buffers = memory;
    buffer = malloc(size > 0 ? size : 1);
    if (buffer == NULL) {
        (void)readings_stop(readings, STATUS_NO_MEMORY);
        return NULL;
    }
    readings->buffers[readings->buffer_count++] = buffer;
    return buffer;
}

void collection_return(struct readings *readings, size_t size)
{
    free(readings->buffers[--readings->buffer_count]);
    readings->report.bytes -= size;
}

/* The text without what line ends and the last of them make of it. */
static void text_digest(struct piece text, uint8_t digest[32])
{
    SHA256_CTX context;
    const uint8_t *end = text.at + text.length;
    const uint8_t *next;

    (void)SHA256_Init(&context);
    while (end > text.at && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    for (const uint8_t *at = text.at; at < end; at = next) {
        struct piece line = line_at(at, end, &next);

        (void)SHA256_Update(&context, line.at, line.length);
        (void)SHA256_Update(&context, "\n", 1);
    }
    (void)SHA256_Final(digest, &context);
}

bool collection_text(struct readings *readings, struct piece bytes, unsigned depth)
{
    void *memory = readings->texts;
    uint8_t digest[32];

    if (!readings_work(readings, bytes.length + readings->text_count * sizeof(digest)))
        return false;
    text_digest(bytes, digest);
    for (size_t i = 0; i < readings->text_count; i++) {
        if (memcmp(readings->texts[i].digest, digest, sizeof(digest)) == 0)
            return true;
    }
    if (depth > readings->limits.depth)
        return readings_stop(readings, STATUS_NO_SPACE);
    if (!collection_room(readings, &memory, &readings->text_room, readings->text_count,
                         sizeof(*readings->texts)))
        return false;
    readings->texts = memory;
    readings->texts[readings->text_count] =
        (struct text){.bytes = bytes, .depth = depth, .opened = readings->opened};
    memcpy(readings->texts[readings->text_count++].digest, digest, sizeof(digest));
    return true;
}

/* -- each once --------------------------------------------------------------------------------- */

static uint32_t *table_place(struct readings *readings, const uint8_t digest[32])
{
    uint32_t hash;

    memcpy(&hash, digest, sizeof(hash));
    return &readings->table[hash & readings->table_mask];
}

static bool table_grow(struct readings *readings)
{
    uint32_t count = readings->table == NULL ? 64 : (readings->table_mask + 1) * 2;
    uint32_t *table;

    if (readings->table != NULL && readings->report.parts < readings->table_mask)
        return true;
    table = calloc(count, sizeof(*table));
    if (table == NULL)
        return readings_stop(readings, STATUS_NO_MEMORY);
    free(readings->table);
    readings->table = table;
    readings->table_mask = count - 1;
    for (unsigned i = 0; i < readings->report.parts; i++) {
        uint32_t *place = table_place(readings, readings->parts[i].digest);

        readings->parts[i].next = *place;
        *place = i + 1;
    }
    return true;
}

static bool collection_has(struct readings *readings, const uint8_t digest[32], const char *type,
                           const char *name)
{
    uint32_t next = readings->table == NULL ? 0 : *table_place(readings, digest);

    for (; next != 0; next = readings->parts[next - 1].next) {
        const struct collected *part = &readings->parts[next - 1];

        if (memcmp(part->digest, digest, sizeof(part->digest)) == 0 &&
            strcmp(part->type, type) == 0 && strcmp(part->name, name) == 0)
            return true;
    }
    return false;
}

static bool collection_insert(struct readings *readings, struct collected *part)
{
    void *memory = readings->parts;
    size_t room = readings->part_room;
    uint32_t *place;

    if (!table_grow(readings) ||
        !collection_room(readings, &memory, &room, readings->report.parts, sizeof(*part)))
        return false;
    readings->parts = memory;
    readings->part_room = (unsigned)room;
    place = table_place(readings, part->digest);
    part->next = *place;
    readings->parts[readings->report.parts++] = *part;
    *place = readings->report.parts;
    return true;
}

bool collection_add(struct readings *readings, struct piece bytes, const char *type,
                    const char *name)
{
    struct collected part = {.bytes = bytes, .opened = readings->opened};

    if (bytes.length < COLLECTION_LEAST)
        return true;
    if (!readings_work(readings, bytes.length))
        return false;
    (void)SHA256(bytes.at, bytes.length, part.digest);
    if (collection_has(readings, part.digest, type, name))
        return true;
    if (readings->report.parts >= readings->limits.parts)
        return readings_stop(readings, STATUS_NO_SPACE);
    part.type = strdup(type);
    part.name = strdup(name);
    if (part.type == NULL || part.name == NULL) {
        (void)readings_stop(readings, STATUS_NO_MEMORY);
    } else if (collection_insert(readings, &part)) {
        return true;
    }
    free(part.type);
    free(part.name);
    return false;
}
