/* library.h: what the product's scanner says of a message, and what libclamav looked at for it.
 *
 * Scans with the scanner's own engine.c: the same options and limits. A process has one library at
 * a time.
 *
 * Threads: one. Memory: library_close(). Failures while opening end up in `why`.
 */
#ifndef TESTS_ORACLE_LIBRARY_H
#define TESTS_ORACLE_LIBRARY_H

#include "platform/why.h"
#include "signatures/scanner/engine.h"
#include "tests/oracle/bytes.h"
#include "tests/oracle/witness.h"

struct library;

/* Loads `database` (file or directory), `watched`: for scans that see whole buffers. Null with one
 * line in `why` when it does not load. */
struct library *library_open(const char *database, bool watched, struct why *why);
void library_close(struct library *library);

/* Scans; when opened so, what was matched is in witness.h afterwards. */
void library_scan(struct library *library, const struct bytes *message, struct scan_result *result);

/* "1.4.6": the version this process has loaded. */
const char *library_version(void);

#endif
