/* wrap.h: other formats around bytes, so that a search sees them packed, or between bytes of
 * another kind.
 *
 * Threads: one. The same arguments and random state give the same bytes.
 */
#ifndef TESTS_ORACLE_WRAP_H
#define TESTS_ORACLE_WRAP_H

#include "tests/oracle/bytes.h"
#include "tests/simulation/random.h"

/* Appends to `body` format number `format` around `inner`, which holds the payload among words; the
 * few formats that take no words have the payload alone. 0 to 13 pack, 14 to 19 frame; any other
 * number is bytes that are no text. */
void wrap_bytes(struct bytes *body, unsigned format, const struct bytes *inner,
                const struct bytes *payload, struct random *random);

#endif
