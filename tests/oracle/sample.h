/* sample.h: signatures, and bytes that satisfy them.
 *
 * Two sources: a database of our own with a signature of every kind that can match mail, each with
 * its payload; and ClamAV's files, out of whose hexadecimal patterns bytes are made that should
 * satisfy them (what cannot be made, such as a regular expression, is left out: the library then
 * finds nothing, which proves nothing and hurts nobody).
 *
 * Threads: one. Memory: samples_free().
 */
#ifndef TESTS_ORACLE_SAMPLE_H
#define TESTS_ORACLE_SAMPLE_H

#include <stdbool.h>

#include "tests/oracle/bytes.h"
#include "tests/simulation/random.h"

#define SAMPLE_NAME_BYTES 96u

struct sample {
    char name[SAMPLE_NAME_BYTES];
    struct bytes payload;
};

struct samples {
    struct sample *entries;
    size_t count;
    size_t room;
};

/* Writes the database of our own into a folder. */
bool samples_own_write(const char *directory);

/* Adds its payloads. */
void samples_own(struct samples *samples);

/* Adds payloads for every `step`th signature that can apply to mail of a .ndb or .ldb file; false
 * when it cannot be read. */
bool samples_read(struct samples *samples, const char *path, unsigned step, struct random *random);

/* Bytes for one body pattern; false when it has something that is not followed. */
bool sample_pattern(struct bytes *to, const char *pattern, size_t length, struct random *random);

void samples_free(struct samples *samples);

/* Room for one more. For sample_own.c. */
struct sample *samples_add(struct samples *samples, const char *name);

#endif
