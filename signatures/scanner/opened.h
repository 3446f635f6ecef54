/* opened.h: what is found in a message that the engine does not open.
 *
 * The engine shows each file that it looks at, the message itself and all that it takes out of it,
 * however deep (engine_watch()). Each goes through signatures/content/open; what comes out is kept
 * here, to be scanned behind the message, and shown by the engine again. What cannot be looked into
 * is the finding.
 *
 * Threads: the child's one. Memory: heap, copies of what comes out, within OPEN_LIMITS_DEFAULT.
 */
#ifndef SIGNATURES_SCANNER_OPENED_H
#define SIGNATURES_SCANNER_OPENED_H

#include "signatures/content/open/open.h"

struct opened_item {
    uint8_t *bytes;
    size_t length;
    char name[OPEN_NAME_MAX + 1];
    unsigned depth; /* layers that were opened to get it */
    bool mail;      /* else a file */
};

struct opened {
    struct opener opener;
    struct opened_item *items;
    unsigned count;
    unsigned room;
    struct opened_seen *seen; /* contents that have been opened: the engine may show one again */
    unsigned seen_count;
    unsigned seen_room;
    unsigned depth; /* of what the engine looks at now */
    bool no_memory; /* it is not all */
    struct open_finding finding;
};

void opened_begin(struct opened *opened);

/* Looks at one file that the engine shows. */
void opened_look(struct opened *opened, const uint8_t *bytes, size_t length, const char *name);

void opened_end(struct opened *opened);

#endif
