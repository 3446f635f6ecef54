/* hashing.h: digests of byte strings against the hash signatures.
 *
 * Only what could be listed is hashed: digests of kinds that have signatures, of byte strings whose
 * length is listed. A short byte string is kept until it ends, for only then its length is known. A
 * long one is hashed from its first byte on, unless so few sizes are listed (HASHING_SPARSE) that
 * it is better taken for a listed one when it turns out to be of such a size.
 *
 * Threads: the table is read-only once made; a hashing belongs to one thread. Memory: the structs.
 * Hot path: all but hashing_table_make().
 */
#ifndef SIGNATURES_CONTENT_INSPECT_HASHING_H
#define SIGNATURES_CONTENT_INSPECT_HASHING_H

/* OpenSSL's EVP interface takes memory from the heap whenever a digest begins (3.0: also with the
 * digest a context had before). The functions of each digest work in the memory they are given;
 * that they are "deprecated" since 3.0 only says that providers do not come into it. */
#define OPENSSL_API_COMPAT 0x10101000L

#include <openssl/md5.h>
#include <openssl/sha.h>

#include "signatures/prefilter/prefilter.h"

#define HASHING_HELD   8192u /* bytes */
#define HASHING_SPARSE 256u  /* listed sizes */

/* What a prefilter's hash signatures ask for. */
struct hashing_table {
    const struct prefilter *prefilter;
    bool wanted[PREFILTER_DIGESTS]; /* there are signatures of that kind */
    bool sparse[PREFILTER_DIGESTS]; /* with less than HASHING_SPARSE sizes, and a size each */
};

/* Digests of one byte string. */
struct hashing {
    MD5_CTX md5;
    SHA_CTX sha1;
    SHA256_CTX sha256;
    uint64_t length;
    uint64_t hashed; /* bytes given to digests since hashing_reset() */
    bool started;    /* the digests have all bytes so far; until then they are in held[] */
    uint8_t held[HASHING_HELD];
};

/* The prefilter is borrowed. */
void hashing_table_make(struct hashing_table *table, const struct prefilter *prefilter);

/* Whether there is any hash signature. */
bool hashing_wanted(const struct hashing_table *table);

/* Begins to count what is hashed, and then one byte string. */
void hashing_reset(struct hashing *hashing);
void hashing_begin(struct hashing *hashing);
void hashing_feed(const struct hashing_table *table, struct hashing *hashing, const uint8_t *bytes,
                  size_t length);

/* The byte string ends. The kind of digest ("MD5") that is listed or may be; null: none is. */
const char *hashing_end(const struct hashing_table *table, struct hashing *hashing);

/* The same, for a byte string of which up to `more` white-space bytes may be missing: whether a
 * length that it may have is listed. */
bool hashing_end_about(const struct hashing_table *table, const struct hashing *hashing,
                       uint64_t more);

#endif
