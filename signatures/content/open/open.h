/* open.h: what libclamav does not open is opened here, or has a name.
 *
 * libclamav says "clean" of what it has no unpacker for: S/MIME, OpenPGP, RAR in some builds, zstd,
 * several methods of zip and 7z. So each byte string that comes out of a mail is looked at here: if
 * it holds what somebody else can take out without a secret, that comes out; if nobody can
 * (encrypted) or we cannot (unsupported), that is a finding, with a kind in one word:
 *
 *   encrypted     mail      S/MIME (RFC 5652: enveloped, encrypted, authenticated-enveloped data),
 *                           OpenPGP (RFC 9580), binary or armored, also inside a text
 *                 archive   7z, RAR, ARJ, zip with an encrypted directory (what else is encrypted
 * in zip the engine says itself) document  Office (MS-OFFCRYPTO), OpenDocument unsupported   rar,
 * 7z, zip, lzop, ace, ...: the name of the format
 *
 * What decides is the content, never a label or a name. What libclamav opens is left to it; so is
 * what is nothing of all this. docs/opening.md has the whole table.
 *
 * One call opens one layer (and what of CMS or OpenPGP is directly in it); what comes out is the
 * caller's to pass in again, one deeper, at once (the sink may call) or later.
 *
 * Threads: any, one an opener. Memory: heap for the call, at most `bytes` of what comes out and the
 * length of the content; nothing is kept. No files, no processes, no system calls but for memory:
 * it runs in the scanner's jail. Limits: struct open_limits; past one of them the content is over a
 * bound, and what came before it has been given out. Not for packet cores.
 */
#ifndef SIGNATURES_CONTENT_OPEN_OPEN_H
#define SIGNATURES_CONTENT_OPEN_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/link/verdict.h"

#define OPEN_NAME_MAX 255u /* bytes of a name; longer ones are cut */

/* Of one message. */
struct open_limits {
    unsigned depth;   /* layers in layers */
    unsigned entries; /* contents that come out */
    uint64_t bytes;   /* of all that comes out; its ratio to what went in does not matter */
};

#define OPEN_LIMITS_DEFAULT \
    ((struct open_limits){.depth = 16, .entries = 10000, .bytes = 128u << 20})

/* What comes out; borrowed for the call. False: enough. */
struct open_sink {
    void *context;
    /* A mail or a part of one, header and body (RFC 8551 3.1), as far as anybody can tell. */
    bool (*mail)(void *context, const uint8_t *bytes, size_t length);
    /* A file. The name is zero-terminated, any bytes, empty when there is none. */
    bool (*file)(void *context, const uint8_t *bytes, size_t length, const char *name);
};

/* In rising order: the last that holds is what a call returns. */
enum open_verdict {
    OPEN_NOTHING,    /* libclamav's business, or nobody's */
    OPEN_FOUND,      /* what it holds has been given out, all of it */
    OPEN_FINDING,    /* something in it cannot be looked into: see the finding */
    OPEN_OVER_BOUND, /* the finding is UNSCANNABLE_LIMIT */
    OPEN_NO_MEMORY,
    OPEN_STOPPED, /* the sink said so */
};

struct open_finding {
    enum unscannable_reason reason; /* NONE; ENCRYPTED, UNSUPPORTED, LIMIT */
    const char *kind;               /* one word, static; "" when there is none */
};

/* One message's. */
struct opener {
    struct open_limits limits;
    unsigned entries; /* so far */
    uint64_t bytes;
    struct open_call {
        const struct open_sink *sink;
        unsigned depth;
        enum open_verdict verdict;
        struct open_finding finding; /* the first of the verdict's */
    } call;                          /* the one at work */
};

/* Copies the limits. */
void open_begin(struct opener *opener, const struct open_limits *limits);

/* Opens one content. `name` is what the mail or the archive calls it, "" for nothing: it is passed
 * on, and never decides alone. `depth`: 0 for what stands in the mail; deeper than the limit,
 * whatever can be opened is over a bound. */
enum open_verdict open_content(struct opener *opener, const struct open_sink *sink,
                               const uint8_t *bytes, size_t length, const char *name,
                               unsigned depth, struct open_finding *finding);

#endif
