/* internal.h: what the files of signatures/prefilter share. */
#ifndef SIGNATURES_PREFILTER_INTERNAL_H
#define SIGNATURES_PREFILTER_INTERNAL_H

#include "signatures/prefilter/prefilter.h"

/* Null when every offset, count and index of the mapped file (`prefilter->bytes` bytes from
 * `prefilter->header`) stays inside it, and sets the pointers of `prefilter`; otherwise what is
 * wrong. The databases' insides are not looked at. */
const char *prefilter_check(struct prefilter *prefilter);

#endif
