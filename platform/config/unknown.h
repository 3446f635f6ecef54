/* unknown.h: keys that the schema does not know, and what was probably meant.
 *
 * Pure functions of the schema and the file's tree. Main thread, start-up.
 */
#ifndef PLATFORM_CONFIG_UNKNOWN_H
#define PLATFORM_CONFIG_UNKNOWN_H

#include "platform/config/locate.h"
#include "platform/config/schema.h"

/* The key of that name, also one of a list whose entry's keys may stand here (schema.h, direct). */
const struct schema_key *unknown_find(const struct schema_group *group, const char *name);

/* Adds an error for each key of the mapping `node` that `group` does not know. `path` is the
 * mapping's, for texts. */
void unknown_report(struct locate *locate, const struct schema_group *group, int node,
                    const char *path);

/* Whether a key of `node` looks like a misspelt `name`: then that is the mistake, and not that
 * `name` is missing. */
bool unknown_means(struct locate *locate, const struct schema_group *group, int node,
                   const char *name);

/* Changes that make one text of the other: a letter more, less, other, or two swapped. Texts of
 * more than 40 bytes are as far apart as can be. */
unsigned unknown_distance(const char *a, const char *b);

#endif
