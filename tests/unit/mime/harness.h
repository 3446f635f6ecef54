/* harness.h: runs the MIME parser over a text and writes down what it says, so that a test compares
 * strings:
 *
 *   "0 text/plain 7bit depth=1 attachment related name=a.txt\n<bytes>$\n"
 *
 * for each part (a part that was not ended has no '$'), then the gate's text. */
#ifndef TESTS_UNIT_MIME_HARNESS_H
#define TESTS_UNIT_MIME_HARNESS_H

#include "signatures/content/mime/mime.h"

struct harness_result {
    enum mime_gate gate;
    unsigned part_count;
    char *text; /* zero-terminated; free() it */
    size_t length;
    size_t size;
};

/* Runs the parser over `bytes` in pieces: first `first` bytes, then the rest (first <= length). */
void harness_run(struct harness_result *result, const char *bytes, size_t length, size_t first);

/* The same in random pieces of up to `piece_max` bytes. */
void harness_run_random(struct harness_result *result, const char *bytes, size_t length,
                        size_t piece_max, uint32_t seed);

void harness_free(struct harness_result *result);

/* Runs every split in two and byte by byte; all must say the same. Returns the result. */
void harness_run_all(struct harness_result *result, const char *bytes, size_t length);

#endif
