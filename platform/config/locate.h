/* locate.h: the file as a tree in which every value knows where it stands, and its errors.
 *
 * The text is parsed into libyaml's node tree, and every complaint names a node of it. The tree
 * carries the checks that concern YAML itself, not our keys: syntax, one document, no aliases, no
 * key twice, no control characters, bounded depth. The first of those ends the reading; complaints
 * about keys and values are collected.
 *
 * Nodes are numbers as libyaml counts them, from 1; LOCATE_NONE is no node. Main thread, start-up.
 */
#ifndef PLATFORM_CONFIG_LOCATE_H
#define PLATFORM_CONFIG_LOCATE_H

#include <yaml.h>

#include "platform/config/config.h"

#define LOCATE_NONE  0
#define LOCATE_DEPTH 16u /* nesting of the file; ours needs 6 */

struct locate {
    const char *path; /* borrowed, for texts */
    yaml_document_t document;
    bool loaded;
    struct config_errors *errors;
};

/* Parses and checks `size` bytes of text. STATUS_BAD_CONFIG (an error added) or STATUS_NO_MEMORY.
 * locate_fini() is needed in every case. */
enum status locate_init(struct locate *locate, const char *path, const unsigned char *text,
                        size_t size, struct config_errors *errors) STATUS_CHECKED;
void locate_fini(struct locate *locate);

int locate_root(struct locate *locate);

/* The value of `key` in the mapping `node`; the key itself for locate_key(). */
int locate_child(struct locate *locate, int node, const char *key);
int locate_key(struct locate *locate, int node, const char *key);

/* Entry `index` (from 0) of the sequence `node`. */
int locate_item(struct locate *locate, int node, unsigned index);

unsigned locate_items(struct locate *locate, int node); /* 0 for what is no sequence */

/* Key `index` (from 0) of the mapping `node`, or LOCATE_NONE past the last (or for no mapping). */
int locate_key_at(struct locate *locate, int node, unsigned index);

/* The text of a single value; null for what is none. */
const char *locate_text(struct locate *locate, int node);

enum locate_kind { LOCATE_TEXT, LOCATE_LIST, LOCATE_MAPPING };
enum locate_kind locate_kind(struct locate *locate, int node);

/* "a list", "a mapping", "a single value". */
const char *locate_kind_text(enum locate_kind kind);

/* Adds an error: "FILE:LINE:COLUMN: " of `node` (of the document for LOCATE_NONE) and the
 * text. Returns STATUS_BAD_CONFIG. */
enum status locate_fail(struct locate *locate, int node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a place given by numbers from 1; 0 when the file could not be read. */
enum status locate_fail_at(const char *path, struct config_errors *errors, unsigned line,
                           unsigned column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
