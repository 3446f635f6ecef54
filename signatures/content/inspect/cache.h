/* cache.h: final verdicts of parts that had to be scanned, shared by all workers.
 *
 * The prefilter cannot vouch for a PDF or a ZIP; but when everything else in a message is settled
 * and such a part, with the same bytes, length, type, name class and depth class, was in a message
 * that libclamav called clean (or was the only doubt of one it called infected), the verdict is the
 * same again. Only final verdicts are stored: clean or infected, never what a limit, an error or a
 * time-out touched; and none outlives its generation.
 *
 * A fixed table in shared memory, set-associative, each entry under a sequence lock: readers never
 * wait (a torn entry is a miss), a writer that meets another in the same set gives way. The key
 * covers the generation, so an entry of an older one can only be a miss. Entries replace the oldest
 * of their set.
 *
 * Threads: any number of workers. Memory: cache_create() once, on the main thread; bounded
 * (prefilter.cache_size). Hot path: lookup and store touch one set; no lock, heap or system call.
 */
#ifndef SIGNATURES_CONTENT_INSPECT_CACHE_H
#define SIGNATURES_CONTENT_INSPECT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/link/channel.h"
#include "platform/status.h"

#define CACHE_ENTRIES_MIN 64u
#define CACHE_WAYS        4u

/* What the verdict depends on besides the rules: PREFILTER_DIGEST of the database, library version,
 * profile and limits are folded into `generation` by the caller. */
struct cache_key {
    uint8_t sha256[32]; /* of the part as libclamav stores it */
    uint64_t length;
    uint64_t generation;
    uint32_t type;       /* a number for the detected type's name */
    uint32_t name_class; /* what the .cdb rules said of its file name, and its extension class */
};

struct cache;

/* At most `bytes` of shared memory, rounded down to whole sets. STATUS_NO_MEMORY;
 * STATUS_BAD_ARGUMENT when CACHE_ENTRIES_MIN entries do not fit. */
enum status cache_create(struct cache **cache, size_t bytes) STATUS_CHECKED;
void cache_destroy(struct cache *cache);

struct cache_answer {
    enum verdict_kind verdict; /* VERDICT_CLEAN or VERDICT_INFECTED */
    char name[SCAN_NAME_BYTES];
};

/* False when it is not known; the answer is then meaningless. */
bool cache_lookup(const struct cache *cache, const struct cache_key *key,
                  struct cache_answer *answer);

/* Remembers; a clean verdict never replaces an infected one of the same key. `name` may be null
 * when clean. Returns false when it gave way to another writer, and for any other verdict. */
bool cache_store(struct cache *cache, const struct cache_key *key, enum verdict_kind verdict,
                 const char *name);

#endif
