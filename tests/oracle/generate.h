/* generate.h: mail by chance: strict MIME for the most part, contents of many kinds.
 *
 * What comes out is meant to pass the prefilter's gates often enough to be worth comparing; what
 * does not pass costs little. Signatures' payloads are strewn in now and then.
 *
 * Threads: one. The same random state gives the same message.
 */
#ifndef TESTS_ORACLE_GENERATE_H
#define TESTS_ORACLE_GENERATE_H

#include "tests/oracle/sample.h"

/* Replaces the content of `message`. `samples` may be empty. */
void generate_message(struct bytes *message, const struct samples *samples, struct random *random);

/* One leaf part: header and body. For the mutations. */
void generate_leaf(struct bytes *to, const struct samples *samples, struct random *random);

#endif
