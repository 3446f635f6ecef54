/* hint.h: whether a content may be one that signatures/content/open opens or has a name for, by its
 * first bytes.
 *
 * For packet cores: what may be one is not settled there, but sent to a scanner, which looks at all
 * of it. So a hint may be wrong where it says yes, and must not be where it says no. What
 * libclamav's own tables call an archive or a document is sent on for its type, and is none of this
 * one's.
 *
 * Threads: any. No memory. Hot path: a look at the first bytes of text and unknown data.
 */
#ifndef SIGNATURES_CONTENT_HINT_HINT_H
#define SIGNATURES_CONTENT_HINT_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `start`: the first bytes, as many as there are, 64 at least unless that is all. */
bool hint_content(const uint8_t *start, size_t length);

/* A line of a text, and a text: OpenPGP or CMS in armor. */
bool hint_line(const uint8_t *line, size_t length);
bool hint_text(const uint8_t *text, size_t length);

/* Brotli has nothing but its name. */
bool hint_name(const uint8_t *name, size_t length);

#endif
