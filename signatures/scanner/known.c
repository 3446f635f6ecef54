#include "signatures/scanner/known.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "signatures/scanner/verdict.h"

#define KNOWN_ROOM_MIN 8192u

static bool known_begin_with(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* What the official set calls the EICAR test file, and a copy of it. Others may mean by that word
 * what they like. */
static bool known_mean_eicar(const char *name)
{
    static const char *const eicar[] = {"Eicar-Signature", "Eicar-Test-Signature",
                                        "Win.Test.EICAR_HDB-1", "Win.Test.EICAR_NDB-1",
                                        "Win.Test.EICAR_HSB-1"};

    for (size_t i = 0; i < sizeof(eicar) / sizeof(eicar[0]); i++) {
        size_t length = strlen(eicar[i]);

        if (strncmp(name, eicar[i], length) == 0 &&
            (name[length] == '\0' || strcmp(name + length, ".UNOFFICIAL") == 0))
            return true;
    }
    return false;
}

static uint64_t known_hash(const struct known *known, const char *name)
{
    size_t left = strlen(name);
    uint64_t hash = known->table[0] ^ left;

    while (left > 0) {
        size_t size = left < sizeof(uint64_t) ? left : sizeof(uint64_t);
        uint64_t piece = 0;

        memcpy(&piece, name, size);
        hash = (hash ^ piece) * UINT64_C(0x9e3779b97f4a7c15);
        hash = (hash ^ hash >> 29 ^ known->table[0]) * UINT64_C(0xbf58476d1ce4e5b9);
        hash ^= hash >> 32;
        name += size;
        left -= size;
    }
    return hash;
}

static size_t known_map_bytes(size_t room)
{
    return (room + 1) * sizeof(uint64_t);
}

/* Room for `room` names. */
static bool known_resize(struct known *known, size_t room)
{
    void *table;

    if (known->table == NULL) {
        table = mmap(NULL, known_map_bytes(room), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (table == MAP_FAILED)
            return false;
        if (getrandom(table, sizeof(uint64_t), 0) != (ssize_t)sizeof(uint64_t)) {
            (void)munmap(table, known_map_bytes(room));
            return false;
        }
    } else {
        table = mremap(known->table, known_map_bytes(known->room), known_map_bytes(room),
                       MREMAP_MAYMOVE);
        if (table == MAP_FAILED)
            return false;
    }
    known->table = table;
    known->room = room;
    return true;
}

void known_fini(struct known *known)
{
    if (known->table != NULL)
        (void)munmap(known->table, known_map_bytes(known->room));
    *known = (struct known){0};
}

void known_add(struct known *known, const char *name)
{
    char word[SCAN_NAME_BYTES];

    if (known->count == known->room &&
        !known_resize(known, known->room == 0 ? KNOWN_ROOM_MIN : known->room * 2)) {
        known->failed = true;
        return;
    }
    verdict_name(word, name);
    known->eicar = known->eicar || known_mean_eicar(word);
    known->table[1 + known->count++] = known_hash(known, word);
}

static int known_compare(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one;
    uint64_t b = *(const uint64_t *)other;

    return (a > b) - (a < b);
}

enum status known_seal(struct known *known)
{
    size_t kept = 0;
    uint64_t *hashes;

    if (known->failed)
        return STATUS_NO_MEMORY;
    if (known->count == 0)
        return STATUS_OK;
    hashes = known->table + 1;
    qsort(hashes, known->count, sizeof(*hashes), known_compare);
    for (size_t i = 0; i < known->count; i++) {
        if (kept == 0 || hashes[i] != hashes[kept - 1])
            hashes[kept++] = hashes[i];
    }
    known->count = kept;
    return known_resize(known, kept) ? STATUS_OK : STATUS_NO_MEMORY;
}

bool known_has(const struct known *known, const char *name)
{
    uint64_t hash;

    if (known_begin_with(name, "Heuristics.") || known_begin_with(name, "BC."))
        return true;
    if (known->count == 0)
        return false;
    hash = known_hash(known, name);
    return bsearch(&hash, known->table + 1, known->count, sizeof(hash), known_compare) != NULL;
}

size_t known_bytes(const struct known *known)
{
    return known->table == NULL ? 0 : known_map_bytes(known->room);
}

bool known_keep_from_children(const struct known *known)
{
    return known->table == NULL ||
           madvise(known->table, known_map_bytes(known->room), MADV_DONTFORK) == 0;
}
