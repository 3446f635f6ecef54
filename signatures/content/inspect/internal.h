/* internal.h: what the files of the prefilter's runtime share. See inspect.h.
 *
 *   inspector.c  making and giving out inspections
 *   inspect.c    a message: MIME parts in, decision out
 *   subject.c    a byte string as libclamav would scan it: type, then streams
 *   search.c     streams through Hyperscan, leaves to groups
 *   hashing.c    digests against the hash signatures
 */
#ifndef SIGNATURES_CONTENT_INSPECT_INTERNAL_H
#define SIGNATURES_CONTENT_INSPECT_INTERNAL_H

/* OpenSSL's EVP interface takes memory from the heap whenever a digest begins (3.0: also with the
 * digest a context had before). The functions of each digest work in the memory they are given;
 * that they are "deprecated" since 3.0 only says that providers do not come into it. */
#define OPENSSL_API_COMPAT 0x10101000L

#include <hs/hs_runtime.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include "signatures/content/decode/decode.h"
#include "signatures/content/decode/squeeze.h"
#include "signatures/content/html/html.h"
#include "signatures/content/inspect/inspect.h"
#include "signatures/content/mime/mime.h"
#include "signatures/content/type/type.h"

/* Text is squeezed in strides of this size; the exact search covers strides with odd bytes and
 * SEARCH_TAIL bytes on both sides. */
#define SEARCH_STRIDE   512u
#define SEARCH_TAIL     (PREFILTER_FRAGMENT_MAX - 1)
#define SEARCH_GATHERED 16384u

#define HASHING_HELD 8192u /* bytes */

#define INSPECT_DOMAINS 5u
_Static_assert(PREFILTER_ALL == (1u << INSPECT_DOMAINS) - 1, "a signature for each domain");

/* What a stream's bytes are gathered in, so that Hyperscan is called with long pieces. One for each
 * kind of stream, shared by all inspections: empty between two calls of inspection_feed(). */
struct gatherer {
    size_t length;
    uint8_t bytes[SEARCH_GATHERED + SQUEEZE_SLACK];
};

/* A Hyperscan stream that is reset only when it was used. */
struct search_stream {
    hs_stream_t *hs; /* null when the prefilter has no such database */
    bool used;
};

/* A text: searched squeezed as a whole, exactly around odd bytes. */
struct search_text {
    enum inspect_stream stream;
    uint32_t domains; /* of which its bytes are a part */
    struct search_stream squeezed;
    struct search_stream exact;
    uint8_t head[PREFILTER_START_MAX]; /* the first bytes */
    uint8_t head_length;
    uint8_t tail[SEARCH_TAIL]; /* the last bytes */
    uint8_t tail_length;
    uint8_t after; /* bytes still to be searched exactly behind the last odd stride */
};

/* A subject's normal form stands behind it. */
enum hashing_target {
    HASHING_PART,
    HASHING_PART_NORMAL,
    HASHING_FORCED,
    HASHING_FORCED_NORMAL,
    HASHING_NOCOMMENT,
    HASHING_NOTAGS,
    HASHING_TARGETS
};

/* libclamav normalises a text in pieces of this size and a little more, and begins each with white
 * space anew (textnorm.c). */
#define NORMAL_PIECE 131072u

/* Digests of one byte string. Short ones are kept until they end: only their length tells which
 * digests are needed. */
struct hashing {
    MD5_CTX md5;
    SHA_CTX sha1;
    SHA256_CTX sha256;
    uint64_t length;
    bool started; /* the digests have all bytes so far; until then they are in held[] */
    uint8_t held[HASHING_HELD];
};

/* What libclamav would scan as one file: a stored part, or the forced decoding of one. */
struct subject {
    struct hashing *hashing;
    struct search_text *text;
    bool open;
    bool typed;
    bool in_raw;    /* as text it is a substring of the message, which is searched anyway */
    bool linked;    /* libclamav looks for phishing links in it, whatever its bytes are */
    bool as_text;   /* typed, and searched as text: it is text, or `linked` */
    bool keeps_key; /* its verdict may come from the cache */
    bool spaced;    /* the normal form ends with a space */
    struct part_type type;
    struct type_watch watch; /* text, images and unknown binary */
    uint64_t length;
    size_t look_length;
    uint8_t look[TYPE_LOOK];
};

struct inspection {
    struct mime_parser parser;
    struct decoder decoder;
    struct html_normaliser html;
    struct base64_forced forced;
    struct subject part;
    struct subject forced_part;
    bool forcing;   /* the part in hand is decoded as base64 besides */
    bool identity;  /* ... stands in the message as it is */
    bool body_open; /* `body` (and with HTML, `notags`) is in use */
    bool taken;
    struct search_text raw;
    struct type_watch raw_watch;
    size_t head_length; /* the message as a whole has a type, too */
    uint8_t head[TYPE_LOOK];
    struct search_text body; /* text, or the nocomment form */
    struct search_text notags;
    struct search_text forced_text;
    struct search_stream binary; /* of the part */
    struct search_stream forced_binary;
    struct hashing hashings[HASHING_TARGETS];
    SHA256_CTX sha256; /* of a part for the cache */
    uint64_t bytes;
    uint64_t searched_bytes;
    uint64_t hashed_bytes;
    /* Doubts. `final`: a scan whatever else comes. */
    bool final; /* nothing is searched any more; the structure is still looked at */
    enum gate_class class;
    enum inspect_cause cause; /* the first */
    char reason[INSPECT_REASON_BYTES];
    unsigned part_count; /* of parts[] */
    struct inspect_part parts[INSPECT_PARTS_MAX];
    unsigned key_count; /* parts that could be settled by the cache */
    struct cache_key keys[INSPECT_CACHED_MAX];
    uint32_t *weak; /* bits, prefilter->header->weak_count of them */
};

struct inspector {
    struct inspect_settings settings;
    const struct prefilter *prefilter;
    struct type_table *types;
    hs_scratch_t *scratch;
    /* Digests with so few sizes listed that a long byte string of such a size is better sent on
     * than every long one hashed. */
    bool sparse[PREFILTER_DIGESTS];
    uint8_t normal_of[256]; /* what a byte of text is in the normal form; 0: nothing */
    uint8_t normal[SEARCH_GATHERED];
    uint32_t always[INSPECT_DOMAINS]; /* [domain's bit]: a signature, or UINT32_MAX */
    uint8_t starts[256];              /* [first byte]: domains of signatures that begin with it */
    uint32_t made_name; /* of a rule that holds for a name libclamav makes up, or UINT32_MAX */
    bool hashes[PREFILTER_DIGESTS]; /* there are signatures of that kind */
    bool links;                     /* phishing links are looked for */
    struct inspection *inspections;
    struct inspection **free;
    unsigned free_count;
    size_t weak_bytes;
    struct gatherer squeezed[INSPECT_STREAM_COUNT];
    struct gatherer exact[INSPECT_STREAM_COUNT];
    uint8_t decoded[DECODE_ROOM];
    uint8_t forced[BASE64_ROOM(DECODE_PIECE_MAX)];
};

/* What the sinks of an inspection get: both. Lives for one call. */
struct inspect_call {
    struct inspector *inspector;
    struct inspection *inspection;
};

/* inspect.c: notes a doubt; the first one is the reason. `keyed`: the cache may take it away. */
void inspect_doubt(struct inspection *inspection, enum inspect_cause cause, const char *what,
                   enum gate_class class, bool keyed);

/* subject.c */
/* Signatures that match from the first byte of a buffer of `domain`. */
void subject_starts(struct inspect_call *call, uint32_t domain, const uint8_t *bytes,
                    size_t length);
void subject_begin(struct subject *subject, struct hashing *hashing, struct search_text *text,
                   bool in_raw, bool linked, bool keeps_key);
void subject_feed(struct inspect_call *call, struct subject *subject, const uint8_t *bytes,
                  size_t length);
void subject_end(struct inspect_call *call, struct subject *subject);

/* search.c. `domains` are those of which the bytes are a part. */
void search_text_begin(struct inspect_call *call, struct search_text *text,
                       enum inspect_stream stream, uint32_t domains);
void search_text_feed(struct inspect_call *call, struct search_text *text, const uint8_t *bytes,
                      size_t length);
/* Searches what was gathered of `text`: at its end, and before the call returns. */
void search_text_flush(struct inspect_call *call, struct search_text *text);
void search_exact(struct inspect_call *call, struct search_stream *stream, uint32_t domains,
                  const uint8_t *bytes, size_t length);
void search_stream_reset(struct search_stream *stream);

/* hashing.c */
void hashing_begin(struct hashing *hashing);
void hashing_feed(struct inspect_call *call, struct hashing *hashing, const uint8_t *bytes,
                  size_t length);
void hashing_end(struct inspect_call *call, struct hashing *hashing);
/* The same, for a byte string of which up to `more` white-space bytes may be missing: no length it
 * may have is listed, or it is a doubt. */
void hashing_end_about(struct inspect_call *call, struct hashing *hashing, uint64_t more);

#endif
