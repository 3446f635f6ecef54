/* search.h: streams of bytes in, leaves of a prefilter out.
 *
 * A searcher holds what a thread needs to search with one prefilter; a search is what one message
 * (or any other set of byte strings that are judged together) was found to hold so far. It knows
 * nothing of mail, of types, or of what becomes of a message in which something is found: that is
 * its caller's, the inspection of the packet core or a second tier behind it.
 *
 * Text is searched squeezed (squeeze.h) as a whole, and exactly around odd bytes; other bytes are
 * searched exactly. A leaf that is too frequent alone is remembered for the whole search, not for
 * one byte string: more groups may hold than do, never less. With the first group that holds the
 * search is over: what comes later is not looked at.
 *
 * Threads: a searcher and its searches belong to one thread. Memory: made by searcher_init() and
 * the *_open() functions, before the traffic; nothing is allocated later. Hot path: what follows
 * search_begin(); linear in the bytes. Limits: none of its own.
 */
#ifndef SIGNATURES_CONTENT_SEARCH_SEARCH_H
#define SIGNATURES_CONTENT_SEARCH_SEARCH_H

#include <hs/hs_runtime.h>

#include "platform/status.h"
#include "signatures/content/decode/squeeze.h"
#include "signatures/content/search/tap.h"
#include "signatures/prefilter/prefilter.h"

/* Text is squeezed in strides of this size; the exact search covers strides with odd bytes and
 * SEARCH_TAIL bytes on both sides. */
#define SEARCH_STRIDE   512u
#define SEARCH_TAIL     (PREFILTER_FRAGMENT_MAX - 1)
#define SEARCH_GATHERED 16384u

/* What a stream's bytes are gathered in, so that Hyperscan is called with long pieces. One for each
 * kind of stream, shared by all searches: flush a text before another search has its turn. */
struct search_gatherer {
    size_t length;
    uint8_t bytes[SEARCH_GATHERED + SQUEEZE_SLACK];
};

struct searcher {
    const struct prefilter *prefilter;
    struct search_tap tap; /* zeroes: none */
    hs_scratch_t *scratch;
    struct search_gatherer squeezed[SEARCH_KINDS];
    struct search_gatherer exact[SEARCH_KINDS];
};

enum search_state {
    SEARCH_GOING_ON,
    SEARCH_FOUND,   /* all leaves of a group: of `signature` */
    SEARCH_FAILED,  /* Hyperscan refused; possible only by misuse, and no reason to call clean */
    SEARCH_STOPPED, /* by search_stop() */
};

struct search {
    struct searcher *searcher;
    enum search_state state;
    uint32_t signature;
    uint64_t bytes; /* given to Hyperscan */
    uint32_t *weak; /* bits, header->weak_count of them: the frequent leaves that were found */
    size_t weak_bytes;
};

/* A Hyperscan stream that is reset only when it was used. */
struct search_stream {
    hs_stream_t *hs; /* null when the prefilter has no such database */
    bool used;
};

struct search_text {
    enum search_kind kind;
    uint32_t domains; /* of which its bytes are a part */
    struct search_stream squeezed;
    struct search_stream exact;
    uint8_t head[PREFILTER_START_MAX]; /* the first bytes */
    uint8_t head_length;
    uint8_t tail[SEARCH_TAIL]; /* the last bytes */
    uint8_t tail_length;
    uint8_t after; /* bytes still to be searched exactly behind the last odd stride */
};

struct search_binary {
    enum search_kind kind;
    uint32_t domains;
    struct search_stream stream;
};

/* `prefilter` is borrowed. STATUS_NO_MEMORY. Main thread; free with searcher_fini(), which takes
 * zeroes, too, after everything opened with it was closed. */
enum status searcher_init(struct searcher *searcher, const struct prefilter *prefilter,
                          const struct search_tap *tap) STATUS_CHECKED;
void searcher_fini(struct searcher *searcher);

/* Holds a cleaned file name (type_clean_name()) against the name rules: *signature is the first
 * that holds, or UINT32_MAX. False: Hyperscan refused. */
bool searcher_name(const struct searcher *searcher, const uint8_t *name, size_t length,
                   uint32_t *signature);

/* Main thread. False: no memory; close what was opened all the same. Closing takes zeroes. */
bool search_open(struct search *search, struct searcher *searcher);
void search_close(struct search *search);
bool search_text_open(const struct searcher *searcher, struct search_text *text);
void search_text_close(struct search_text *text);
bool search_binary_open(const struct searcher *searcher, struct search_binary *binary);
void search_binary_close(struct search_binary *binary);

/* A new message: nothing was found yet. */
void search_begin(struct search *search);

/* Nothing is searched any more. What was found stays. */
void search_stop(struct search *search);

/* `domains` are those of which the bytes are a part; the caller may change text->domains between
 * two flushes. */
void search_text_begin(struct search *search, struct search_text *text, enum search_kind kind,
                       uint32_t domains);
void search_text_feed(struct search *search, struct search_text *text, const uint8_t *bytes,
                      size_t length);
/* Searches what was gathered of `text`: at its end, and before another search has its turn. */
void search_text_flush(struct search *search, struct search_text *text);

void search_binary_begin(struct search *search, struct search_binary *binary, enum search_kind kind,
                         uint32_t domains);
void search_binary_feed(struct search *search, struct search_binary *binary, const uint8_t *bytes,
                        size_t length);

#endif
