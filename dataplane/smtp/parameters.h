/* parameters.h: what may follow the path of MAIL and RCPT: "KEY[=VALUE]", after a blank each.
 *
 * SIZE (RFC 1870) and BODY (RFC 6152) are known; whether the command may have them is its own
 * business. Of extensions that are not offered, AUTH= (RFC 4954 5), RET= and ENVID= (RFC 3461) of
 * MAIL and NOTIFY= and ORCPT= of RCPT can be let pass: senders add them unasked, they mean nothing
 * to a server without the extension, and they are not passed on. Threads: any, no state. Hot path.
 */
#ifndef DATAPLANE_SMTP_PARAMETERS_H
#define DATAPLANE_SMTP_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_parameters {
    bool has_size;
    bool has_body;
    bool eight_bit;
    uint64_t size; /* as announced; UINT64_MAX: more than 64 bits hold */
};

enum smtp_unoffered { SMTP_UNOFFERED_NONE, SMTP_UNOFFERED_MAIL, SMTP_UNOFFERED_RCPT };

/* Reads all of `text`; `pass`: whose parameters are let pass though they are not offered. Returns
 * null, or the reply that refuses it. */
const char *smtp_parameters_parse(struct smtp_parameters *parameters, const char *text,
                                  size_t length, enum smtp_unoffered pass);

#endif
