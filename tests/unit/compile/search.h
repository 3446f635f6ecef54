/* Searches buffers with a compiled prefilter as the dataplane does, in a simpler way, for tests. */
#ifndef TESTS_UNIT_COMPILE_SEARCH_H
#define TESTS_UNIT_COMPILE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/prefilter/prefilter.h"

struct searcher;

struct searcher *searcher_create(const struct prefilter *prefilter);
void searcher_destroy(struct searcher *searcher);

/* Forgets what was found. */
void searcher_reset(struct searcher *searcher);

/* Searches one buffer as a part of `domain` (one bit): text squeezed, and exactly around odd bytes;
 * everything else exactly. */
void searcher_buffer(struct searcher *searcher, uint32_t domain, const uint8_t *bytes,
                     size_t length);

/* Whether a group, or "always", of this signature holds for a domain searched. */
bool searcher_fires(const struct searcher *searcher, uint32_t signature);

/* How many leaves were found since the reset. */
unsigned searcher_hits(const struct searcher *searcher);

#endif
