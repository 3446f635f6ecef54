/* outgoing.h: a message's bytes as they go to the customer's server.
 *
 * What goes out, in order: our Received field (the first trace_size bytes of the message), the two
 * X-Virus fields, then the message as it came, byte for byte. Nothing is changed but the dots that
 * RFC 5321, section 4.5.2 doubles on the way and the server takes off again.
 *
 * Where the source's bytes last (source.h), long runs go into the output buffer as references to
 * them, each holding the source; runs shorter than OUTGOING_COPY_BYTES are copied, so that a
 * message made of dots costs no more memory than another.
 *
 * A bare CR or LF is refused by the dataplane and so cannot be here; should one be, the message
 * is not sent on (STATUS_BAD_FORMAT), because servers that take a bare LF for a line end would see
 * an end of data, and commands after it, where we see text.
 *
 * Threads: control's loop. Memory: nothing of its own; the buffer and the source are the caller's.
 */
#ifndef CONTROL_RELAY_OUTGOING_H
#define CONTROL_RELAY_OUTGOING_H

#include <event2/buffer.h>

#include "control/relay/source.h"

#define OUTGOING_COPY_BYTES 1024u

/* What the last byte seen means for the next one. */
enum stuffing_position {
    STUFFING_LINE_START, /* at the start of a line: a dot is doubled */
    STUFFING_IN_LINE,
    STUFFING_AFTER_CR,
};

struct stuffing {
    enum stuffing_position position;
};

/* Appends `length` bytes of `source` with dots doubled, by reference where they last and it is
 * worth it. STATUS_BAD_FORMAT for a bare CR or LF, STATUS_NO_MEMORY. `stuffing` starts zeroed and
 * carries the state over any split. */
enum status stuffing_add(struct stuffing *stuffing, struct evbuffer *to, const uint8_t *bytes,
                         size_t length, struct source *source) STATUS_CHECKED;

/* What ends the data after what was added: ".CRLF", with a CRLF before it when the last line has
 * no end of its own. */
const char *stuffing_end(const struct stuffing *stuffing);

struct outgoing {
    struct source *source; /* borrowed; each piece sent off holds it by itself */
    const char *fields;    /* borrowed: the X-Virus fields */
    bool fields_sent;
    size_t offset; /* next byte of the message */
    struct stuffing stuffing;
};

void outgoing_start(struct outgoing *outgoing, struct source *source, const char *fields);

/* Appends until `to` holds `fill_bytes` or everything has been added. STATUS_OK, as
 * stuffing_add(), or STATUS_SYSTEM when the source cannot be read. */
enum status outgoing_fill(struct outgoing *outgoing, struct evbuffer *to,
                          size_t fill_bytes) STATUS_CHECKED;

/* Everything but the end of data has been added. */
bool outgoing_done(const struct outgoing *outgoing);

#endif
