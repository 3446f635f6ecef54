/* inspection.h: what the files behind inspect.h share.
 *
 *   inspector.c   making and giving out inspections
 *   inspection.c  a message: MIME parts in, decision out
 *
 * Below them: subject.h (a byte string as libclamav would scan it), hashing.h and normal.h (its
 * digests), rules.h (what the prefilter asks), doubt.h (why a message is not settled).
 */
#ifndef SIGNATURES_CONTENT_INSPECT_INSPECTION_H
#define SIGNATURES_CONTENT_INSPECT_INSPECTION_H

#include "signatures/content/inspect/subject.h"
#include "signatures/content/mime/mime.h"

struct inspection {
    struct inspector *inspector;
    struct mime_parser parser;
    struct decoder decoder;
    struct base64_forced base64;
    struct subjects subjects;
    bool taken;
    bool odd;      /* its structure is not what every reader takes it for */
    bool forcing;  /* the part in hand is decoded as base64 besides */
    bool identity; /* ... stands in the message as it is */
    struct type_watch raw_watch;
    size_t head_length; /* the message as a whole has a type, too */
    uint8_t head[TYPE_LOOK];
    uint64_t bytes;
    unsigned part_count; /* of parts[] */
    struct inspect_part parts[INSPECT_PARTS_MAX];
};

struct inspector {
    struct inspect_settings settings;
    struct subject_bench bench;
    struct inspection *inspections;
    struct inspection **free;
    unsigned free_count;
    uint8_t decoded[DECODE_ROOM];
    uint8_t forced[BASE64_ROOM(DECODE_PIECE_MAX)];
};

_Static_assert(BASE64_ROOM(DECODE_PIECE_MAX) <= DECODE_ROOM, "a subject is fed both");

#endif
