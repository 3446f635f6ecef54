/* witness.h: sees every buffer that the unmodified libclamav matches against signatures.
 *
 * The library calls its own exported functions through its procedure linkage table, so functions of
 * the same name in this program stand in front of them: they write down what they are given and
 * call the real ones. Not a byte of the library is changed. What is watched:
 *
 *   cli_scan_fmap    a whole file, matched window by window
 *   cli_scan_buff    bytes in memory (normalised text and scripts)
 *   cli_ac_scanbuff  each window of both, for each set of signatures: the bytes themselves
 *   cli_matchmeta    file names that are held against .cdb rules
 *   and, through the public call-back, every layer with the type it was taken for
 *
 * The library leaves out the beginning of a window in which, by a filter of its own (its option
 * PREFILTERING), nothing can match. witness_unfiltered() turns that off where the library reads the
 * option (cli_ac_init): it then matches more, never less, and the buffers here are whole.
 * witness_whole() says whether they were.
 *
 * Threads: one. Memory: grows with what is seen; witness_begin() forgets it.
 */
#ifndef TESTS_ORACLE_WITNESS_H
#define TESTS_ORACLE_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/oracle/bytes.h"

#define WITNESS_NAME_BYTES 64u

/* What was matched: ClamAV's Target numbers besides 0, which every buffer is held against. */
struct witness_buffer {
    size_t start; /* in witness_bytes() */
    size_t length;
    char type[WITNESS_NAME_BYTES]; /* as the library called it: "CL_TYPE_TEXT_ASCII" */
    unsigned target;               /* the Target matched besides 0, or 0 */
    bool normalised;               /* cli_scan_buff() rather than a whole file */
};

struct witness_layer {
    char type[WITNESS_NAME_BYTES];
    char name[256]; /* file name, or empty */
    unsigned level;
    size_t bytes;
};

struct witness_name {
    char name[256];
    size_t bytes;
};

struct cl_engine;

/* Before cl_engine_compile(): asks for the layers. */
void witness_engine(struct cl_engine *engine);

/* Before the engine is made. */
void witness_unfiltered(bool unfiltered);

void witness_begin(void);
void witness_end(void);

size_t witness_buffer_count(void);
const struct witness_buffer *witness_buffer(size_t index);
const uint8_t *witness_bytes(const struct witness_buffer *buffer);
size_t witness_layer_count(void);
const struct witness_layer *witness_layer(size_t index);
size_t witness_name_count(void);
const struct witness_name *witness_name(size_t index);

/* False when a window came without its beginning, or a buffer with a hole. */
bool witness_whole(void);

#endif
