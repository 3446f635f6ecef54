/* read.h: from the file's tree to struct config, by the table of schema.h.
 *
 * Walks table and tree together: what is in the tree and not in the table is an unknown key, what
 * is mandatory and not in the tree is missing, what is optional takes its default. Every mistake
 * becomes an error of `locate`, with its place; the walk goes on.
 *
 * Main thread, start-up. Memory: lists are allocated into the configuration and freed by
 * read_free().
 */
#ifndef PLATFORM_CONFIG_READ_H
#define PLATFORM_CONFIG_READ_H

#include "platform/config/locate.h"
#include "platform/config/schema.h"

/* `config` is zeroed. STATUS_BAD_CONFIG when an error was added, STATUS_NO_MEMORY. */
enum status read_file_tree(struct locate *locate, struct config *config) STATUS_CHECKED;

/* What a file without `group` gives: the defaults of its keys, none of them mandatory. */
void read_defaults(const struct schema_group *group, void *base);

/* Frees all lists below `base`, a struct of `group`; also after a failure. */
void read_free(const struct schema_group *group, void *base);

/* The entries of a list: their number, and the first. */
unsigned read_count(const struct schema_key *list, const void *base);
void *read_entries(const struct schema_key *list, const void *base);

#endif
