/* library_version.h: which libclamav is installed, before a scanner says what it has.
 *
 * Asks `postern-scanner --describe` (its first line is "version 1.4.6"), which loads the library
 * and no signatures: some 20 ms.
 *
 * Threads: main, at the start, before there are others and before the process is confined. Waits
 * LIBRARY_VERSION_MS at most.
 */
#ifndef DATAPLANE_MAIN_LIBRARY_VERSION_H
#define DATAPLANE_MAIN_LIBRARY_VERSION_H

#include <stddef.h>

#include "platform/status.h"

#define LIBRARY_VERSION_MS 5000

/* Writes it, zero-terminated. STATUS_NOT_FOUND, STATUS_SYSTEM, STATUS_TIMED_OUT, STATUS_BAD_FORMAT:
 * it is empty, and nothing is known. */
enum status library_version(char *version, size_t size) STATUS_CHECKED;

#endif
