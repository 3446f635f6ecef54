#include "signatures/scanner/opened.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

struct opened_seen {
    size_t length;
    uint8_t digest[SHA256_DIGEST_LENGTH];
};

/* Room for one more of `size` bytes. Null, and not all is there, without memory. */
static void *opened_room(struct opened *opened, void *memory, unsigned *room, unsigned count,
                         size_t size)
{
    unsigned more = *room == 0 ? 16 : *room * 2;
    void *grown = memory;

    if (count >= *room) {
        grown = realloc(memory, more * size);
        if (grown == NULL)
            opened->no_memory = true;
        else
            *room = more;
    }
    return grown;
}

static bool opened_keep(struct opened *opened, const uint8_t *bytes, size_t length,
                        const char *name, bool mail)
{
    struct opened_item *items =
        opened_room(opened, opened->items, &opened->room, opened->count, sizeof(*opened->items));
    struct opened_item *item;

    if (items == NULL)
        return false;
    opened->items = items;
    item = &items[opened->count];
    *item = (struct opened_item){malloc(length), length, "", opened->depth + 1, mail};
    if (item->bytes == NULL) {
        opened->no_memory = true;
        return false;
    }
    memcpy(item->bytes, bytes, length);
    memcpy(item->name, name, strnlen(name, OPEN_NAME_MAX));
    opened->count++;
    return true;
}

static bool opened_mail(void *context, const uint8_t *bytes, size_t length)
{
    return opened_keep(context, bytes, length, "", true);
}

static bool opened_file(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    return opened_keep(context, bytes, length, name, false);
}

static bool opened_before(const struct opened *opened, const uint8_t *bytes, size_t length)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    bool hashed = false;

    for (unsigned i = 0; i < opened->seen_count; i++) {
        if (opened->seen[i].length != length)
            continue;
        if (!hashed)
            (void)SHA256(bytes, length, digest);
        hashed = true;
        if (memcmp(opened->seen[i].digest, digest, sizeof(digest)) == 0)
            return true;
    }
    return false;
}

static void opened_remember(struct opened *opened, const uint8_t *bytes, size_t length)
{
    struct opened_seen *seen = opened_room(opened, opened->seen, &opened->seen_room,
                                           opened->seen_count, sizeof(*opened->seen));

    if (seen == NULL)
        return;
    opened->seen = seen;
    seen[opened->seen_count].length = length;
    (void)SHA256(bytes, length, seen[opened->seen_count].digest);
    opened->seen_count++;
}

void opened_begin(struct opened *opened)
{
    *opened = (struct opened){.finding = {UNSCANNABLE_NONE, ""}};
    open_begin(&opened->opener, &OPEN_LIMITS_DEFAULT);
}

void opened_look(struct opened *opened, const uint8_t *bytes, size_t length, const char *name)
{
    const struct open_sink sink = {opened, opened_mail, opened_file};
    struct open_finding finding;
    enum open_verdict verdict;

    if (opened_before(opened, bytes, length))
        return;
    verdict = open_content(&opened->opener, &sink, bytes, length, name, opened->depth, &finding);
    if (verdict == OPEN_NO_MEMORY)
        opened->no_memory = true;
    /* Encrypted mail may be delivered all the same: it hides no other finding. */
    if (finding.reason != UNSCANNABLE_NONE &&
        (opened->finding.reason == UNSCANNABLE_NONE || strcmp(opened->finding.kind, "mail") == 0))
        opened->finding = finding;
    if (verdict != OPEN_NOTHING)
        opened_remember(opened, bytes, length);
}

void opened_end(struct opened *opened)
{
    for (unsigned i = 0; i < opened->count; i++)
        free(opened->items[i].bytes);
    free(opened->items);
    free(opened->seen);
}
