/* database.h: a signature database made for a test, in a folder of its own.
 *
 * Threads: one. Memory and folder: database_remove().
 */
#ifndef TESTS_ORACLE_DATABASE_H
#define TESTS_ORACLE_DATABASE_H

#include <stdbool.h>

#include "tests/oracle/bytes.h"

struct database {
    char directory[64];
};

/* Makes the folder. */
bool database_make(struct database *database);

/* Writes (replaces) file `name` of it. */
bool database_write(const struct database *database, const char *name, const struct bytes *content);
bool database_write_text(const struct database *database, const char *name, const char *content);

/* Links an existing file (absolute path) into it as `name`. */
bool database_link(const struct database *database, const char *path, const char *name);

void database_remove(struct database *database);

#endif
