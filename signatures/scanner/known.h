/* known.h: what the signatures of a generation are called.
 *
 * A child that a message has taken over may call its message anything; the name goes into replies,
 * headers and logs. So whoever is not a child holds the name against those that were loaded. A name
 * is kept as 64 bits, keyed by chance: a child has neither the key nor the table, so it can make up
 * no name that is taken for one (but of those that there are it may say any).
 *
 * Known without having been loaded: what libclamav itself calls things ("Heuristics.", "BC." with
 * what bytecode adds to its name).
 *
 * Threads: the parent's one, before it forks; then everybody reads. Memory: 8 bytes a name, in
 * pages of their own, which a keeper keeps from its children.
 */
#ifndef SIGNATURES_SCANNER_KNOWN_H
#define SIGNATURES_SCANNER_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"

struct known {
    uint64_t *table; /* the key, then the names: as they come, sorted once sealed */
    size_t count;
    size_t room;
    bool failed; /* there was no memory for all */
    bool eicar;  /* there is one of the EICAR test file's */
};

/* Forgets all. Zeroes are an empty one. */
void known_fini(struct known *known);

/* Adds what a signature is called in an answer; cut to SCAN_NAME_BYTES and made printable as that
 * is. */
void known_add(struct known *known, const char *name);

/* No more come. STATUS_NO_MEMORY when some were lost. */
enum status known_seal(struct known *known) STATUS_CHECKED;

/* Of a sealed one. */
bool known_has(const struct known *known, const char *name);

/* Bytes of memory. */
size_t known_bytes(const struct known *known);

/* From now on children that are forked do not have it. False with errno. */
bool known_keep_from_children(const struct known *known);

#endif
