/* received.h: our trace field (RFC 5321 4.4), written when DATA is accepted.
 *
 * Threads: any, no state. Hot path: no formatted output, no time-zone data; the date is UTC.
 */
#ifndef DATAPLANE_SMTP_RECEIVED_H
#define DATAPLANE_SMTP_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_RECEIVED_BYTES 1536u /* the longest field, with room to spare */

struct smtp_received {
    const char *helo;
    const char *client; /* "192.0.2.1" or "2001:db8::1" */
    const char *host;
    const char *id;
    const char *recipient; /* null: more than one, none is named */
    bool esmtp;
    int64_t wall_seconds; /* since 1970 */
};

/* Writes the field with its last CRLF; returns its length. */
size_t smtp_received_write(const struct smtp_received *received, char text[SMTP_RECEIVED_BYTES]);

#endif
