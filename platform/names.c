#include "platform/names.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

struct names_entry {
    const char *key; /* null: free */
    uint32_t scope;
    uint32_t value;
    uint32_t hash;
};

static inline uint8_t names_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : (uint8_t)c;
}

static uint32_t names_hash_more(uint32_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ names_lower(bytes[i])) * 16777619u; /* FNV-1a */
    return hash;
}

static uint32_t names_hash(const struct names_key *key, uint32_t scope)
{
    uint32_t hash = names_hash_more(2166136261u ^ scope * 0x9e3779b1u, key->head, key->head_length);

    if (key->tail != NULL) {
        hash = names_hash_more(hash, "@", 1);
        hash = names_hash_more(hash, key->tail, key->tail_length);
    }
    return hash ^ hash >> 15;
}

static bool names_equal_part(const char *stored, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (stored[i] == '\0' || (uint8_t)stored[i] != names_lower(bytes[i]))
            return false;
    }
    return true;
}

static bool names_equal(const char *stored, const struct names_key *key)
{
    if (!names_equal_part(stored, key->head, key->head_length))
        return false;
    stored += key->head_length;
    if (key->tail != NULL) {
        if (*stored != '@' || !names_equal_part(stored + 1, key->tail, key->tail_length))
            return false;
        stored += 1 + key->tail_length;
    }
    return *stored == '\0';
}

enum status names_create(struct names *names, size_t count)
{
    size_t size = 16;

    while (size < 2 * count)
        size *= 2;
    CHECK(size <= UINT32_MAX / 2);
    *names = (struct names){.entries = calloc(size, sizeof(*names->entries)),
                            .mask = (uint32_t)size - 1,
                            .left = (uint32_t)size / 2};
    return names->entries == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

void names_destroy(struct names *names)
{
    free(names->entries);
    *names = (struct names){0};
}

void names_add(struct names *names, const char *key, uint32_t scope, uint32_t value)
{
    struct names_key whole = {key, strlen(key), NULL, 0};
    uint32_t hash = names_hash(&whole, scope);
    uint32_t probe = 0;

    CHECK(names->left > 0);
    names->left--;
    while (names->entries[(hash + probe) & names->mask].key != NULL)
        probe++; /* ends: at most half of the entries are used */
    names->entries[(hash + probe) & names->mask] =
        (struct names_entry){.key = key, .scope = scope, .value = value, .hash = hash};
    if (probe + 1 > names->probe_max)
        names->probe_max = probe + 1;
}

bool names_find(const struct names *names, const struct names_key *key, uint32_t scope,
                uint32_t *value)
{
    uint32_t hash = names_hash(key, scope);

    for (uint32_t probe = 0; probe < names->probe_max; probe++) {
        const struct names_entry *entry = &names->entries[(hash + probe) & names->mask];

        if (entry->key == NULL)
            return false;
        if (entry->hash == hash && entry->scope == scope && names_equal(entry->key, key)) {
            *value = entry->value;
            return true;
        }
    }
    return false;
}
