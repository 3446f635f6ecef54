/* tap.h: the byte strings that are searched, and how somebody else may look at them.
 *
 * For tests above all: tests/oracle holds everything that is searched against everything that
 * libclamav matches.
 */
#ifndef SIGNATURES_CONTENT_SEARCH_TAP_H
#define SIGNATURES_CONTENT_SEARCH_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum search_kind {
    SEARCH_RAW,       /* h(message), and exactly around odd bytes */
    SEARCH_TEXT,      /* h(text part) */
    SEARCH_NOCOMMENT, /* h(nocomment form) */
    SEARCH_NOTAGS,
    SEARCH_BINARY, /* exact */
    SEARCH_FORCED, /* exact: a part decoded as base64 besides, when that gives no text */
    SEARCH_KINDS
};

/* Sees everything before it is searched. `domains` (PREFILTER_*): whose signatures it is searched
 * for. `exact` tells the original bytes from squeezed ones. A `begin` of a kind ends what was there
 * before. */
struct search_tap {
    void *context;
    void (*begin)(void *context, enum search_kind kind);
    void (*bytes)(void *context, enum search_kind kind, uint32_t domains, bool exact,
                  const uint8_t *bytes, size_t length);
};

#endif
