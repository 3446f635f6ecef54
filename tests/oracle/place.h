/* place.h: whole messages that carry given bytes in a given place.
 *
 * Each place is one way in which bytes can be in a mail: a header field, a part of some type under
 * some transfer encoding, an archive, a picture, ... What libclamav makes of it decides what the
 * prefilter may say; nothing here knows which places are dangerous.
 *
 * Threads: one. The same payload, place and random state give the same message.
 */
#ifndef TESTS_ORACLE_PLACE_H
#define TESTS_ORACLE_PLACE_H

#include "tests/oracle/bytes.h"
#include "tests/simulation/random.h"

unsigned place_count(void);
const char *place_name(unsigned place);

/* Replaces the content of `message`. */
void place_message(struct bytes *message, unsigned place, const struct bytes *payload,
                   struct random *random);

/* One leaf part, header and body, with CRLF at its end; null strings are left out. The body is
 * encoded as `encoding` says. For the generator too. */
void place_leaf(struct bytes *to, const char *type, const char *encoding, const char *name,
                const struct bytes *body, struct random *random);

/* Some ordinary words, about `length` bytes, lines of mail width. */
void place_words(struct bytes *to, size_t length, struct random *random);

#endif
