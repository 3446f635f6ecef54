/* change.h: small mails of every accepted form, and small changes to their structure.
 *
 * Threads: one. A mail follows from its number and the mails it starts from.
 */
#ifndef TESTS_ORACLE_MIME_CHANGE_H
#define TESTS_ORACLE_MIME_CHANGE_H

#include <stdint.h>

#include "tests/oracle/decode/make.h"

/* Our own mails; null past the last. */
const char *change_seed(unsigned number);

/* Writes a changed form of `from` to `to` (emptied first). */
void change_mail(struct made_text *to, const uint8_t *from, size_t length, uint64_t number);

#endif
