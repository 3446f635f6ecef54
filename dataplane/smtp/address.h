/* address.h: reverse-path and forward-path of RFC 5321 4.1.2, checked and cut into pieces.
 *
 * Says whether a path is well formed and where its parts are; it looks nothing up. A source route
 * ("<@a,@b:user@c>") is accepted and ignored (RFC 5321 C). Not SMTPUTF8: every byte is ASCII.
 * Paths as senders write them who never read the RFC can be parsed, too
 * (smtp_path_parse_loosely()): what comes of them is well formed again, for it is passed on.
 * "<" and ">" inside a quoted local part are refused, though RFC 5321 has them.
 *
 * Threads: any, no state. Memory: results point into the text that was parsed, or into the caller's
 * buffer. Hot path.
 *
 * Limits (RFC 5321 4.5.3.1): local part 64, domain 255, path with brackets 256 octets; over them
 * the path is malformed. Parsed loosely, only the path has a limit.
 */
#ifndef DATAPLANE_SMTP_ADDRESS_H
#define DATAPLANE_SMTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

#define SMTP_LOCAL_BYTES   64u
#define SMTP_DOMAIN_BYTES  255u
#define SMTP_PATH_BYTES    256u                  /* with the angle brackets */
#define SMTP_MAILBOX_BYTES (SMTP_PATH_BYTES - 2) /* without */

struct smtp_path {
    const char *mailbox; /* local-part@domain; length 0 for "<>" */
    size_t mailbox_length;
    const char *local; /* as written, quotes included */
    size_t local_length;
    const char *domain; /* length 0: none was given ("<postmaster>", "<>") */
    size_t domain_length;
    bool literal; /* the domain is an address in square brackets */
};

/* Parses the path at the start of `text`. On STATUS_OK *used is its length with the brackets.
 * STATUS_BAD_FORMAT otherwise. A path without a domain is well formed only as "<>" and as
 * "<postmaster>" in any case. */
enum status smtp_path_parse(const char *text, size_t length, struct smtp_path *path,
                            size_t *used) STATUS_CHECKED;

/* The same for what is no path of RFC 5321 but names a mailbox all the same, as Postfix has it
 * unless told otherwise: without angle brackets, or with blanks inside them; a local part longer
 * than 64 octets, or with dots at its ends or next to each other, which is then put in quotes (the
 * same mailbox, RFC 5321 4.1.2); a dot behind the domain, which is left out; no domain at all
 * (domain_length 0), whatever the local part. The mailbox is written to `to` and is well formed but
 * for a missing domain and the length of its local part. */
enum status smtp_path_parse_loosely(const char *text, size_t length, struct smtp_path *path,
                                    char to[SMTP_MAILBOX_BYTES], size_t *used) STATUS_CHECKED;

/* Gives a path without a domain `domain`, in `to`, where it may lie already. STATUS_BAD_FORMAT: it
 * would be too long. */
enum status smtp_path_complete(struct smtp_path *path, const char *domain,
                               char to[SMTP_MAILBOX_BYTES]) STATUS_CHECKED;

/* The local part without quotes and backslashes, for look-up: "john doe" for "\"john\\ doe\"".
 * Returns its length; no local part is longer than `to`. */
size_t smtp_local_unquoted(const struct smtp_path *path, char to[SMTP_MAILBOX_BYTES]);

#endif
