/* readings.h: every byte string that some mail reader may take out of a message.
 *
 * Mail readers differ: on where a header ends, which of two fields counts, what is a boundary,
 * where base64 stops. libclamav reads one way. So that nothing passes because somebody else reads
 * another way, what *any* of them would take out is collected here, each byte string once, and
 * scanned.
 *
 * It is not done by imitating readers one by one. Every reading of a mail cuts it at lines that
 * start with "--", ends headers at lines that are empty, white or no fields, and undoes an encoding
 * that it has read in a field or knows by its looks. So all such cuts are made, alone and together:
 *
 *   text -> lines.c: lines that start with "--", values that may be boundaries
 *        -> entity.c: from each to each line that may end it: where may its header end, which
 *           encodings, types and names does it mention
 *        -> base64.c, quoted.c, uuencode.c, plain.c: what its body may be under each encoding
 *        -> collection.c: each byte string once
 *
 * and whatever comes out and may be a mail is a text again. Doubts so add up, they do not multiply.
 *
 * Threads: any, one a call. Memory: heap, at most `bytes` of what comes out and some 64 bytes a
 * line that may be a boundary; freed by readings_free(). The message must outlive it. Work is
 * counted in bytes looked at, so that the same message comes to the same end on every machine. Not
 * for packet cores.
 */
#ifndef SIGNATURES_CONTENT_READINGS_READINGS_H
#define SIGNATURES_CONTENT_READINGS_READINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/link/verdict.h"
#include "platform/status.h"

#define READINGS_KIND_BYTES 48u
#define READINGS_NAME_BYTES 256u
#define READINGS_TYPE_BYTES 128u

/* Past any of them the message is malformed. */
struct readings_limits {
    unsigned depth; /* mails inside mails, and encodings inside encodings */
    unsigned forks; /* entities looked at */
    unsigned parts; /* byte strings */
    uint64_t bytes; /* of all that come out */
    uint64_t work;  /* bytes looked at */
    /* Asked now and then; false: there is no time left. Null: there is. */
    bool (*go_on)(void *context);
    void *context;
};

/* For a message of that many bytes. */
struct readings_limits readings_limits(size_t length);

struct reading_part {
    const uint8_t *bytes;
    size_t length;
    const char *type; /* "text/html", lower case; empty: none was named */
    const char *name; /* any bytes but zero; empty: none was named */
    bool opened;      /* the engine does not find it in the message (signatures/content/open) */
};

struct readings_report {
    unsigned forks;
    unsigned parts;
    uint64_t bytes;
    enum unscannable_reason finding; /* of what cannot be read at all; NONE mostly */
    char kind[READINGS_KIND_BYTES];  /* of the finding */
};

struct readings;

/* STATUS_OK; STATUS_NO_SPACE past a bound; STATUS_NO_MEMORY; STATUS_TIMED_OUT when it was not to go
 * on.
 * `collected` is to be freed whatever comes, and holds what was found so far. */
enum status readings_collect(const uint8_t *message, size_t length,
                             const struct readings_limits *limits,
                             struct readings **collected) STATUS_CHECKED;
void readings_free(struct readings *readings);

const struct readings_report *readings_report(const struct readings *readings);
unsigned readings_count(const struct readings *readings);
struct reading_part readings_part(const struct readings *readings, unsigned number);

#endif
