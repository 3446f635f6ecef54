/* digest.h: which database is it? One SHA-256 over what libclamav would load from a path.
 *
 * Scanner and compiler compute it on their own; the prefilter is used only while both say the same,
 * so it never speaks for other signatures than the engine has. Over the names (sorted, bytewise),
 * sizes and contents of the files libclamav loads from a directory, or of the one file; its name is
 * part of it because the ending says how it is read.
 *
 * A database that changes while it is read (freshclam at work) would give the digest of one that
 * never was: times and sizes are compared before and after, and it is read again, three times in
 * all.
 *
 * Threads: any. Memory: DIGEST_BUFFER_BYTES on the heap and the list of names, freed on return. Not
 * for the hot path. Limits: DIGEST_FILES_MAX files; more are STATUS_NO_SPACE.
 */
#ifndef SIGNATURES_PREFILTER_DIGEST_H
#define SIGNATURES_PREFILTER_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "signatures/prefilter/prefilter.h"

#define DIGEST_FILES_MAX    4096u
#define DIGEST_BUFFER_BYTES 262144u

/* STATUS_NOT_FOUND, STATUS_SYSTEM (errno), STATUS_NO_MEMORY, STATUS_NO_SPACE; STATUS_BAD_ARGUMENT
 * for what is neither file nor directory or holds such a thing under a database's name;
 * STATUS_AGAIN when it keeps changing. On any of them `digest` is all zero. */
enum status database_digest(const char *path,
                            uint8_t digest[PREFILTER_DIGEST_BYTES]) STATUS_CHECKED;

/* Whether libclamav loads a file of that name from a database directory (by its ending). */
bool database_file(const char *name);

#endif
