/* sealed.h: a kind of stream that is built as TLS will be: a handshake before the application hears
 * of it, records that may come in pieces, bytes changed on the way, plaintext in blocks of its own.
 *
 * Each record is two bytes of length and that many bytes, each one xor'ed with a key that depends
 * on its place in the stream. The peer says "SEAL" first and is answered the same.
 */
#ifndef TESTS_UNIT_STREAM_SEALED_H
#define TESTS_UNIT_STREAM_SEALED_H

#include "dataplane/stream/stream.h"

#define SEALED_HELLO       "SEAL"
#define SEALED_HELLO_BYTES 4u
#define SEALED_RECORD_MAX  1000u
#define SEALED_BLOCKS_MAX  24u

/* `kind` is what streams point to: a kind of each worker's, for its store. */
struct sealed_kind {
    struct stream_kind kind;
    struct store *store;
};

void sealed_kind_init(struct sealed_kind *kind, struct store *store);

/* The byte of the key for place `at` of a direction. */
uint8_t sealed_key(uint32_t at);

/* For the peer: one record with `length` (<= SEALED_RECORD_MAX) bytes, whose first stands at place
 * `*at`. Returns its length on the wire. */
uint32_t sealed_record(uint8_t *record, const void *bytes, uint32_t length, uint32_t *at);

#endif
