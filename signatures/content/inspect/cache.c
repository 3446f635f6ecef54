#include "signatures/content/inspect/cache.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CACHE_LINE       64u
#define CACHE_KEY_WORDS  (sizeof(struct cache_key) / sizeof(uint64_t))
#define CACHE_NAME_WORDS (SCAN_NAME_BYTES / sizeof(uint64_t))

/* The sequence is odd while a writer is at work. Everything else is in atomic words, because
 * readers look while it is being written: they notice afterwards. Stores of words release and loads
 * acquire, so that whoever has seen a word of a write also sees the odd sequence before it; on x86
 * these are plain moves. */
struct cache_entry {
    alignas(CACHE_LINE) _Atomic uint64_t sequence;
    _Atomic uint64_t key[CACHE_KEY_WORDS];
    _Atomic uint64_t verdict; /* 0: empty */
    _Atomic uint64_t stamp;   /* the set's clock when it was written; its writers' alone */
    _Atomic uint64_t name[CACHE_NAME_WORDS];
};

/* One writer at a time in a set: so no key is in it twice. */
struct cache_set {
    alignas(CACHE_LINE) _Atomic uint32_t writer; /* 1: at work */
    uint64_t clock;                              /* of stores; the writer's */
    struct cache_entry entries[CACHE_WAYS];
};

struct cache {
    struct cache_set *sets;
    uint64_t set_count;
    size_t mapped_bytes;
};

static_assert(sizeof(struct cache_key) == CACHE_KEY_WORDS * sizeof(uint64_t), "whole words");
static_assert(offsetof(struct cache_key, name_class) + sizeof(uint32_t) == sizeof(struct cache_key),
              "no padding: keys are compared as bytes");
static_assert(SCAN_NAME_BYTES % sizeof(uint64_t) == 0, "whole words");

enum status cache_create(struct cache **cache, size_t bytes)
{
    uint64_t set_count = bytes / sizeof(struct cache_set);
    struct cache *made;
    void *memory;

    *cache = NULL;
    if (set_count < CACHE_ENTRIES_MIN / CACHE_WAYS)
        return STATUS_BAD_ARGUMENT;
    made = malloc(sizeof(*made));
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->set_count = set_count;
    made->mapped_bytes = set_count * sizeof(struct cache_set);
    /* Populated: a worker must not stop for a page. Zeroed pages are empty entries. */
    memory = mmap(NULL, made->mapped_bytes, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        free(made);
        return STATUS_NO_MEMORY;
    }
    made->sets = memory;
    *cache = made;
    return STATUS_OK;
}

void cache_destroy(struct cache *cache)
{
    if (cache == NULL)
        return;
    (void)munmap(cache->sets, cache->mapped_bytes);
    free(cache);
}

/* The digest's own bits spread the keys; a sender who makes parts that meet in one set drives out
 * four entries, and gains scans. */
static struct cache_set *cache_set_of(const struct cache *cache, const struct cache_key *key)
{
    uint64_t spread;

    memcpy(&spread, key->sha256, sizeof(spread));
    return &cache->sets[(uint64_t)(((unsigned __int128)spread * cache->set_count) >> 64)];
}

static void cache_read_words(void *to, const _Atomic uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_acquire);

        memcpy((uint8_t *)to + i * sizeof(word), &word, sizeof(word));
    }
}

static void cache_write_words(_Atomic uint64_t *words, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word;

        memcpy(&word, (const uint8_t *)from + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&words[i], word, memory_order_release);
    }
}

/* The answer when the entry is of that key and was whole while we looked. */
static bool cache_entry_read(const struct cache_entry *entry, const struct cache_key *key,
                             struct cache_answer *answer)
{
    uint64_t sequence = atomic_load_explicit(&entry->sequence, memory_order_acquire);
    struct cache_key found;
    uint64_t verdict;

    if ((sequence & 1) != 0)
        return false;
    cache_read_words(&found, entry->key, CACHE_KEY_WORDS);
    if (memcmp(&found, key, sizeof(found)) != 0)
        return false;
    verdict = atomic_load_explicit(&entry->verdict, memory_order_acquire);
    cache_read_words(answer->name, entry->name, CACHE_NAME_WORDS);
    if (atomic_load_explicit(&entry->sequence, memory_order_relaxed) != sequence)
        return false;
    answer->verdict = (enum verdict_kind)verdict;
    return verdict != 0;
}

bool cache_lookup(const struct cache *cache, const struct cache_key *key,
                  struct cache_answer *answer)
{
    const struct cache_set *set = cache_set_of(cache, key);

    for (unsigned way = 0; way < CACHE_WAYS; way++) {
        if (cache_entry_read(&set->entries[way], key, answer))
            return true;
    }
    return false;
}

/* The set's writer: the entry of that key, or else the one written longest ago. */
static struct cache_entry *cache_place(struct cache_set *set, const struct cache_key *key)
{
    struct cache_entry *oldest = &set->entries[0];

    for (unsigned way = 0; way < CACHE_WAYS; way++) {
        struct cache_entry *entry = &set->entries[way];
        struct cache_key found;

        if (atomic_load_explicit(&entry->verdict, memory_order_relaxed) != 0) {
            cache_read_words(&found, entry->key, CACHE_KEY_WORDS);
            if (memcmp(&found, key, sizeof(found)) == 0)
                return entry;
        }
        if (atomic_load_explicit(&entry->stamp, memory_order_relaxed) <
            atomic_load_explicit(&oldest->stamp, memory_order_relaxed))
            oldest = entry;
    }
    return oldest;
}

static void cache_entry_write(struct cache_entry *entry, const struct cache_key *key,
                              enum verdict_kind verdict, const char *name, uint64_t stamp)
{
    char text[SCAN_NAME_BYTES] = "";
    uint64_t sequence = atomic_load_explicit(&entry->sequence, memory_order_relaxed);

    if (name != NULL)
        memcpy(text, name, strnlen(name, sizeof(text) - 1));
    atomic_store_explicit(&entry->sequence, sequence + 1, memory_order_relaxed);
    cache_write_words(entry->key, key, CACHE_KEY_WORDS);
    atomic_store_explicit(&entry->verdict, (uint64_t)verdict, memory_order_release);
    cache_write_words(entry->name, text, CACHE_NAME_WORDS);
    atomic_store_explicit(&entry->stamp, stamp, memory_order_release);
    atomic_store_explicit(&entry->sequence, sequence + 2, memory_order_release);
}

/* Whether it is the infected verdict of that key: the set's writer asks. */
static bool cache_entry_infected(struct cache_entry *entry, const struct cache_key *key)
{
    struct cache_answer answer;

    return cache_entry_read(entry, key, &answer) && answer.verdict == VERDICT_INFECTED;
}

bool cache_store(struct cache *cache, const struct cache_key *key, enum verdict_kind verdict,
                 const char *name)
{
    struct cache_set *set = cache_set_of(cache, key);
    struct cache_entry *entry;

    if (verdict != VERDICT_CLEAN && verdict != VERDICT_INFECTED)
        return false;
    if (atomic_exchange_explicit(&set->writer, 1, memory_order_acquire) != 0)
        return false;
    entry = cache_place(set, key);
    if (verdict == VERDICT_INFECTED || !cache_entry_infected(entry, key))
        cache_entry_write(entry, key, verdict, verdict == VERDICT_INFECTED ? name : NULL,
                          ++set->clock);
    atomic_store_explicit(&set->writer, 0, memory_order_release);
    return true;
}
