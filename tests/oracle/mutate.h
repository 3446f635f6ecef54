/* mutate.h: small changes of whole messages.
 *
 * Bytes, tokens of MIME, HTML and mail headers, lines, and pieces of other messages. A few at a
 * time: a message that is changed too much is no longer one the prefilter vouches for.
 *
 * Threads: one. The same random state gives the same change.
 */
#ifndef TESTS_ORACLE_MUTATE_H
#define TESTS_ORACLE_MUTATE_H

#include "tests/oracle/mail.h"
#include "tests/oracle/sample.h"

/* Changes `message` in 1 to `most` ways; `others` (may be empty) give pieces to put in. */
void mutate_message(struct bytes *message, const struct mails *others,
                    const struct samples *samples, unsigned most, struct random *random);

#endif
