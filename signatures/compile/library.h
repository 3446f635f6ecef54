/* library.h: what the scanner's libclamav is: its version, functionality level and file types.
 *
 * As `postern-scanner --describe` prints it (signatures/scanner/describe.h): from the program
 * beside our own, or from a file that holds its output.
 *
 * Threads: one. Memory: freed with library_free().
 */
#ifndef SIGNATURES_COMPILE_LIBRARY_H
#define SIGNATURES_COMPILE_LIBRARY_H

#include <stddef.h>

#include "platform/status.h"
#include "platform/why.h"
#include "signatures/prefilter/prefilter.h"

#define LIBRARY_TEXT_MAX (1u << 20) /* bytes of a description */

struct library {
    char version[PREFILTER_LIBRARY_BYTES];
    unsigned flevel;
    char *text;   /* the description, cut into lines */
    char **types; /* lines of the file-type table */
    size_t type_count;
};

/* `file` null: asks the scanner. STATUS_NOT_FOUND, STATUS_SYSTEM, STATUS_NO_MEMORY,
 * STATUS_BAD_FORMAT when something is missing in it; `why` gets one line. */
enum status library_describe(struct library *library, const char *file,
                             struct why *why) STATUS_CHECKED;

void library_free(struct library *library);

#endif
