/* doubt.h: why a message is not settled.
 *
 * A doubt is one reason to have a message scanned. The first one is told; only what is malformed
 * takes the place of another.
 *
 * Threads: the caller's. Memory: the struct. Hot path.
 */
#ifndef SIGNATURES_CONTENT_INSPECT_DOUBT_H
#define SIGNATURES_CONTENT_INSPECT_DOUBT_H

#include <stdbool.h>

#include "signatures/content/mime/gate.h"

#define INSPECT_REASON_BYTES 192u

/* What sent a message on: the first cause, in this order of the message. X(NAME, "text") */
#define INSPECT_CAUSE_LIST(X) \
    X(NONE, "none")           \
    X(GATE, "gate")           \
    X(TYPE, "type")           \
    X(SIGNATURE, "signature") \
    X(ALWAYS, "always")       \
    X(HASH, "hash")           \
    X(NAME, "name")           \
    X(LIMIT, "limit")         \
    X(ABSENT, "no prefilter")

enum inspect_cause {
#define X(name, text) INSPECT_CAUSE_##name,
    INSPECT_CAUSE_LIST(X)
#undef X
        INSPECT_CAUSE_COUNT
};

/* Fixed text, never null. */
const char *inspect_cause_text(enum inspect_cause cause);

/* The doubts about one message. */
struct doubts {
    bool final; /* a scan whatever else comes: what is in the parts matters no more */
    enum gate_class class;
    enum inspect_cause cause;          /* the first */
    char reason[INSPECT_REASON_BYTES]; /* "gate: long line" */
};

/* None yet. */
void doubts_begin(struct doubts *doubts);

/* One more. `what` is copied. `keyed`: the cache may take it away; all others are final. */
void doubts_add(struct doubts *doubts, enum inspect_cause cause, const char *what,
                enum gate_class class, bool keyed);

#endif
