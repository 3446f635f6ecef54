/* databases.h: what the compiler wants of Hyperscan.
 *
 * Literal databases for streams, ids = position in the array; one database of regular expressions
 * for file names, block mode. For the CPU the compiler runs on. Serialised: the file holds bytes.
 *
 * Threads: any, no state. Memory: results are freed with free().
 */
#ifndef SIGNATURES_DRAFT_DATABASES_H
#define SIGNATURES_DRAFT_DATABASES_H

#include "platform/why.h"
#include "signatures/draft/draft.h"

/* The leaves of one sort (`squeezed` or exact), each with its index as id. No such leaf: length 0.
 * STATUS_NO_MEMORY, STATUS_BAD_FORMAT with Hyperscan's words in `why`. */
enum status database_of_leaves(const struct draft_leaf *leaves, size_t count, bool squeezed,
                               struct draft_database *database, struct why *why) STATUS_CHECKED;

enum status database_of_names(char *const *patterns, const unsigned *ids, size_t count,
                              struct draft_database *database, struct why *why) STATUS_CHECKED;

/* A POSIX extended regular expression (as libclamav's regex/ reads it) in Hyperscan's syntax, or
 * one for any name when it has no counterpart there: then *widened is set. `pattern` null: any
 * name. `*translated` is freed with free(). */
enum status database_name_pattern(const char *pattern, char **translated,
                                  bool *widened) STATUS_CHECKED;

#endif
