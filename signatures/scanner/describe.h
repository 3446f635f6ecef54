/* describe.h: what the loaded libclamav is, for whoever compiles a prefilter for it.
 *
 * `postern-scanner --describe` prints
 *
 *   version 1.4.6      cl_retver()
 *   flevel 216         cl_retflevel()
 *   type LINE          for each line of the file-type table built into the library, in its order
 *
 * No function of the library gives the table out; it is found in the library's own memory: an array
 * of pointers to strings of that form (magictype:offset:hex:name:CL_TYPE_X:CL_TYPE_Y[:n[:m]]),
 * closed by a null pointer. So what is printed is what this very library will use.
 *
 * Threads: one. Memory: nothing is allocated; strings are the library's. Not hot.
 */
#ifndef SIGNATURES_SCANNER_DESCRIBE_H
#define SIGNATURES_SCANNER_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/status.h"

#define DESCRIBE_LINES_MIN 100u /* a shorter array is not the table */
#define DESCRIBE_RANGES    16u

/* A mapped part of the library. Pointers are looked for in writable ones, what they point to in the
 * others. */
struct describe_range {
    const uint8_t *begin;
    size_t bytes;
    bool writable; /* as linked: relocated pointers are there, though protected by now */
};

/* The first array of at least DESCRIBE_LINES_MIN table lines; null when there is none. */
const char *const *describe_find(const struct describe_range *ranges, unsigned range_count,
                                 unsigned *line_count);

/* Prints all of it. STATUS_NOT_FOUND: no table was found in the library (nothing is printed);
 * STATUS_SYSTEM: writing failed. */
enum status describe_print(FILE *to) STATUS_CHECKED;

#endif
