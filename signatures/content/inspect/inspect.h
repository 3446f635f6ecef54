/* inspect.h: the prefilter at work on one message.
 *
 * A message's bytes go in as they arrive, in order, in pieces of any size; at its end comes the
 * decision: settled clean, settled by the cache, or sent on, with the first reason. The same
 * objects run in the worker, in `postern scan`, in the oracle and in the fuzzers.
 *
 *   bytes -> mime.h -> decode.h -> type.h -> streams (squeezed, exact, HTML forms, forced base64,
 *   raw message) -> Hyperscan leaves -> groups; names; hashes -> decision
 *
 * Threads: an inspector and its inspections belong to one thread. Memory: all of it is made by
 * inspector_create() (some 115 KB and ten Hyperscan stream states for each inspection);
 * nothing is allocated later. Hot path: every call is linear in the bytes given, at most
 * INSPECT_PIECE_MAX. Limits: those of mime.h; prefilter.message_size (larger messages are sent on);
 * when all inspections are taken a message waits for one once it is complete.
 */
#ifndef SIGNATURES_CONTENT_INSPECT_INSPECT_H
#define SIGNATURES_CONTENT_INSPECT_INSPECT_H

#include "platform/link/link.h"
#include "signatures/content/inspect/cache.h"
#include "signatures/content/inspect/doubt.h"
#include "signatures/content/search/tap.h"
#include "signatures/prefilter/prefilter.h"

#define INSPECT_PIECE_MAX  16384u
#define INSPECT_TYPE_BYTES 24u
#define INSPECT_PARTS_MAX  16u /* reported; more are counted */
#define INSPECT_CACHED_MAX 8u  /* parts of a message that the cache may answer for */

enum inspect_decision {
    INSPECT_UNDECIDED, /* still arriving */
    INSPECT_SETTLED,   /* clean, proven */
    INSPECT_CACHED,    /* every doubt is a part whose verdict is known: `verdict` */
    INSPECT_SENT_ON,   /* a full scan decides */
};

/* A part as it was typed, for reports. */
struct inspect_part {
    char type[INSPECT_TYPE_BYTES]; /* "CL_TYPE_HTML"; empty when it was not looked at */
    uint64_t bytes;                /* stored */
};

struct inspect_result {
    enum inspect_decision decision;
    enum inspect_cause cause;
    char reason[INSPECT_REASON_BYTES]; /* "gate: long line", "type: CL_TYPE_PDF", "signature: NAME"
                                        */
    bool clear; /* its structure was seen to the end, and every reader takes it for the same: the
                   message as it came is all there is to scan */
    enum verdict_kind verdict;  /* INSPECT_CACHED */
    char name[SCAN_NAME_BYTES]; /* INSPECT_CACHED and infected */
    unsigned part_count;
    struct inspect_part parts[INSPECT_PARTS_MAX];
    uint64_t bytes;          /* of the message */
    uint64_t searched_bytes; /* given to Hyperscan */
    uint64_t hashed_bytes;
    /* For cache_store() once the full scan's verdict is known: only then not 0 when these parts are
     * the message's only doubts. */
    unsigned key_count;
    struct cache_key keys[INSPECT_CACHED_MAX];
};

struct inspect_settings {
    const struct prefilter *prefilter; /* borrowed; must outlive the inspector */
    struct cache *cache;               /* may be null */
    uint64_t generation;               /* for cache keys */
    unsigned inspection_count;
    uint64_t message_bytes_max; /* larger messages are sent on */
    unsigned parts_max;         /* more are sent on: below the engine's limit of files */
    struct search_tap tap;      /* zeroes: none */
};

struct inspector;
struct inspection;

/* Main thread. STATUS_NO_MEMORY. */
enum status inspector_create(struct inspector **inspector,
                             const struct inspect_settings *settings) STATUS_CHECKED;
void inspector_destroy(struct inspector *inspector);

/* Whether what it settles is what a scanner of that identity would have called clean: the same
 * database, the library it was proven for, and limits that such messages do not reach. */
bool inspector_speaks_for(const struct inspector *inspector, const struct link_identity *identity);

/* A fresh inspection, or null when all are taken. */
struct inspection *inspection_take(struct inspector *inspector);
void inspection_give(struct inspector *inspector, struct inspection *inspection);
unsigned inspection_free_count(const struct inspector *inspector);

/* Takes the next bytes (length <= INSPECT_PIECE_MAX). Returns false once the outcome can no longer
 * be "settled" and nothing later in the message matters: feeding on is allowed and does nothing. */
bool inspection_feed(struct inspector *inspector, struct inspection *inspection,
                     const uint8_t *bytes, size_t length);

/* The message is complete. */
void inspection_end(struct inspector *inspector, struct inspection *inspection,
                    struct inspect_result *result);

#endif
