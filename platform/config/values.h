/* values.h: from a text in the file to a value in machine units.
 *
 * Sizes (`50M`, powers of 1024), times (`30s`, `500ms`), counts, CPU lists, addresses and names.
 * Strict: no signs, blanks, fractions or trailing letters. No position is known here; the caller
 * adds it.
 *
 * Pure functions, any thread, no allocation.
 */
#ifndef PLATFORM_CONFIG_VALUES_H
#define PLATFORM_CONFIG_VALUES_H

#include "platform/config/schema.h"

#define VALUES_WANTED_BYTES 256u
#define VALUES_TEXT_BYTES   320u /* the longest single value: 64 cpus, a domain name, a path */

/* Puts what `text` means at `base` + key->offset. false: the text is not acceptable, and
 * values_wanted() says what is. */
bool values_parse(const struct schema_key *key, const char *text, void *base);

/* The value at `base` + key->offset as one would write it, without quotes; values_parse() reads it
 * back. false: there is none (an optional key that was not given), or it is a group or list. */
bool values_format(const struct schema_key *key, const void *base, char text[VALUES_TEXT_BYTES]);

/* A number of a key with a range in its units, 52428800 of a SCHEMA_SIZE as 50M; and the range,
 * "1K to 100M". */
void values_number_text(const struct schema_key *key, uint64_t value, char *text, size_t size);
void values_range_text(const struct schema_key *key, char *text, size_t size);

/* What would be right for this key, as the end of a sentence: "write a size such as ...". */
void values_wanted(const struct schema_key *key, char wanted[VALUES_WANTED_BYTES]);

/* A domain name in ASCII: labels of letters, digits and inner hyphens, the last not a number. */
bool values_is_domain(const char *text);

/* A local part as RFC 5321's Dot-string, up to 64 bytes; `length` bytes long. */
bool values_is_local_part(const char *text, size_t length);

/* Copies in lower case; false when it does not fit into `size` with its zero. */
bool values_copy_lower(char *to, size_t size, const char *text);

/* Writes bytes the short way, 52428800 as 50M. */
void values_size_text(uint64_t bytes, char *text, size_t size);

#endif
