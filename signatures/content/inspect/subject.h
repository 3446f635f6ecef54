/* subject.h: the byte strings of a message as libclamav would scan them: type, then streams.
 *
 * A subject is what libclamav would scan as one file: a stored part, or the forced decoding of one.
 * Its first bytes tell its type, its type what becomes of the rest: searched as text, as HTML in
 * both its forms, as an image or other binary data, hashed, or left to a full scan.
 *
 * Threads: one, the inspector's. Memory: the structs, and what search.h opened. Hot path: what
 * follows subjects_begin().
 */
#ifndef SIGNATURES_CONTENT_INSPECT_SUBJECT_H
#define SIGNATURES_CONTENT_INSPECT_SUBJECT_H

#include "signatures/content/decode/decode.h"
#include "signatures/content/html/html.h"
#include "signatures/content/inspect/inspect.h"
#include "signatures/content/inspect/rules.h"

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

/* What all messages of a thread share. */
struct subject_bench {
    struct rules rules;
    struct searcher searcher;
    bool cached;         /* there is a cache that may answer */
    uint64_t generation; /* for its keys */
    uint8_t normal[DECODE_ROOM];
};

struct subject {
    struct hashing *hashing;
    struct search_text *text;
    struct search_binary *binary;
    bool forced; /* a part decoded as base64 besides */
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

/* The subjects of one message, and what was found in them. */
struct subjects {
    struct subject_bench *bench;
    struct doubts doubts;
    struct search search;
    struct subject part;
    struct subject forced;
    struct search_text raw;  /* the message itself */
    struct search_text body; /* text, or the nocomment form */
    struct search_text notags;
    struct search_text forced_text;
    struct search_binary binary; /* of the part */
    struct search_binary forced_binary;
    struct html_normaliser html;
    struct hashing hashings[HASHING_TARGETS];
    SHA256_CTX sha256;  /* of a part for the cache */
    unsigned key_count; /* parts that could be settled by the cache */
    struct cache_key keys[INSPECT_CACHED_MAX];
};

/* Main thread. STATUS_NO_MEMORY; subjects_close() takes zeroes and what was opened halfway. */
enum status subjects_open(struct subjects *all, struct subject_bench *bench) STATUS_CHECKED;
void subjects_close(struct subjects *all);

/* A new message. */
void subjects_begin(struct subjects *all);

/* One more doubt about the message (doubt.h); after a final one nothing is searched. */
void subjects_doubt(struct subjects *all, enum inspect_cause cause, const char *what,
                    enum gate_class class, bool keyed);

/* The message as it is: searched, and at its end held against what messages begin with. */
void subjects_raw(struct subjects *all, const uint8_t *bytes, size_t length);
void subjects_raw_end(struct subjects *all);

/* Searches what was gathered: the gatherers serve other messages next. */
void subjects_flush(struct subjects *all);

/* Bytes hashed of this message so far. */
uint64_t subjects_hashed(const struct subjects *all);

/* `subject` is all->part or all->forced. */
void subject_begin(struct subject *subject, bool in_raw, bool linked, bool keeps_key);
/* At most DECODE_ROOM bytes. */
void subject_feed(struct subjects *all, struct subject *subject, const uint8_t *bytes,
                  size_t length);
void subject_end(struct subjects *all, struct subject *subject);

#endif
