/* rig.h: runs the MIME parser over a text and writes down what it says, so that a test compares
 * strings:
 *
 *   "0 text/plain 7bit depth=1 attachment related name=a.txt\n<bytes>$\n"
 *
 * for each part (a part that was not ended has no '$'), then the gate's text. */
#ifndef TESTS_UNIT_MIME_RIG_H
#define TESTS_UNIT_MIME_RIG_H

#include "signatures/content/mime/mime.h"

struct rig_result {
    enum mime_gate gate;
    unsigned part_count;
    char *text; /* zero-terminated; free() it */
    size_t length;
    size_t size;
};

/* Runs the parser over `bytes` in pieces: first `first` bytes, then the rest (first <= length). */
void rig_run(struct rig_result *result, const char *bytes, size_t length, size_t first);

/* The same in random pieces of up to `piece_max` bytes. */
void rig_run_random(struct rig_result *result, const char *bytes, size_t length, size_t piece_max,
                    uint32_t seed);

void rig_free(struct rig_result *result);

/* Runs every split in two and byte by byte; all must say the same. Returns the result. */
void rig_run_all(struct rig_result *result, const char *bytes, size_t length);

#endif
