/* digest.h: which database is it? One SHA-256 over what libclamav would load from a path.
 *
 * Scanner and compiler compute it on their own; the prefilter is used only while both say the same,
 * so it never speaks for other signatures than the engine has. Over the names (sorted, bytewise),
 * sizes and contents of the files libclamav loads from a directory, or of the one file.
 *
 * Threads: any. Not for the hot path.
 */
#ifndef SIGNATURES_PREFILTER_DIGEST_H
#define SIGNATURES_PREFILTER_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "signatures/prefilter/prefilter.h"

/* STATUS_NOT_FOUND, STATUS_SYSTEM (errno), STATUS_NO_MEMORY. */
enum status database_digest(const char *path,
                            uint8_t digest[PREFILTER_DIGEST_BYTES]) STATUS_CHECKED;

/* Whether libclamav loads a file of that name from a database directory (by its ending). */
bool database_file(const char *name);

#endif
