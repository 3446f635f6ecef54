/* address.h: reverse-path and forward-path of RFC 5321 4.1.2, checked and cut into pieces.
 *
 * Says whether a path is well formed and where its parts are; it looks nothing up. A source route
 * ("<@a,@b:user@c>") is accepted and ignored (RFC 5321 C). Not SMTPUTF8: every byte is ASCII.
 * "<" and ">" inside a quoted local part are refused, though RFC 5321 has them.
 *
 * Threads: any, no state. Memory: results point into the text that was parsed. Hot path.
 *
 * Limits (RFC 5321 4.5.3.1): local part 64, domain 255, path with brackets 256 octets; over them
 * the path is malformed.
 */
#ifndef DATAPLANE_SMTP_ADDRESS_H
#define DATAPLANE_SMTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/status.h"

#define SMTP_LOCAL_BYTES  64u
#define SMTP_DOMAIN_BYTES 255u
#define SMTP_PATH_BYTES   256u /* with the angle brackets */

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

/* The local part without quotes and backslashes, for look-up: "john doe" for "\"john\\ doe\"".
 * Returns its length; `to` has room for SMTP_LOCAL_BYTES. */
size_t smtp_local_unquoted(const struct smtp_path *path, char to[SMTP_LOCAL_BYTES]);

#endif
