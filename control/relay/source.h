/* source.h: where a message's envelope and bytes come from: the region the dataplane shares, and
 * whatever else comes to hold messages (a file of a spool). The relay knows no more of it than
 * this.
 *
 * A source is counted: the transaction holds it once, each piece in an output buffer that refers to
 * its bytes once; the last one to let go closes it. Who makes one embeds struct source in its own
 * and fills in `kind` and the facts.
 *
 * Threads: control's loop. Memory: counted, as said. Limits: those of the envelope's fields
 * (platform/link/region.h), which keeps the same form wherever it lies.
 */
#ifndef CONTROL_RELAY_SOURCE_H
#define CONTROL_RELAY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "platform/link/region.h"
#include "platform/status.h"

struct source;

struct source_kind {
    /* Fills up to `count` vectors with bytes from `offset`, at most `length` of them, and says in
     * *filled how many vectors; none at the end. A failing read is STATUS_SYSTEM. */
    enum status (*pieces)(struct source *source, size_t offset, size_t length,
                          struct iovec *vectors, unsigned count, unsigned *filled);
    /* Walks the envelope, from *position 0: STATUS_OK, STATUS_NOT_FOUND at its end,
     * STATUS_BAD_FORMAT. The value is borrowed until the next call. */
    enum status (*field)(struct source *source, size_t *position, enum envelope_field *field,
                         const char **value, size_t *length);
    /* False once whoever owns the message has taken it away: what was read may not be it. */
    bool (*current)(const struct source *source);
    void (*close)(struct source *source);
    /* The pieces stay where they are while the source is held: they are sent from there. Otherwise
     * they are good until the next call, and copied. */
    bool lasting;
};

struct source {
    const struct source_kind *kind;
    unsigned holders;  /* whoever makes it is the first */
    uint32_t flags;    /* MESSAGE_FLAG_... */
    size_t size;       /* bytes, our Received field included */
    size_t trace_size; /* of which the first are our Received field */
};

/* One holder more; returns `source`. */
struct source *source_take(struct source *source);

/* One holder less; null is allowed. */
void source_give(struct source *source);

/* Copies the first field of that kind as a string, cut to `size`. False when there is none. */
bool source_string(struct source *source, enum envelope_field field, char *to, size_t size);

#endif
