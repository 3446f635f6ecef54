/* parameters.h: what may follow the path of MAIL and RCPT: "KEY[=VALUE]", after a blank each.
 *
 * SIZE (RFC 1870) and BODY (RFC 6152) are known; whether the command may have them is its own
 * business. Threads: any, no state. Hot path.
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

/* Reads all of `text`. Returns null, or the reply that refuses it. */
const char *smtp_parameters_parse(struct smtp_parameters *parameters, const char *text,
                                  size_t length);

#endif
