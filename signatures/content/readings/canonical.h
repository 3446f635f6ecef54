/* canonical.h: what has been read, written as a mail that all readers read alike.
 *
 * Our Received field, a multipart/mixed with a boundary that is in nothing it holds, and each byte
 * string as one part: one Content-Type, base64, its name where it has one. So rules on mail, on
 * what is inside a mail, on names and on links apply to it as to any other mail.
 *
 * Threads: any; one writer, one thread. Memory: heap, grown to what the mail takes, freed by
 * canonical_free(). Limits: CANONICAL_PARTS parts and CANONICAL_BYTES of content a mail, but always
 * one part.
 */
#ifndef SIGNATURES_CONTENT_READINGS_CANONICAL_H
#define SIGNATURES_CONTENT_READINGS_CANONICAL_H

#include "signatures/content/readings/readings.h"

#define CANONICAL_PARTS 64u
#define CANONICAL_BYTES (32u << 20)

struct canonical {
    uint8_t *bytes;
    size_t length;
    size_t room;
    size_t content; /* bytes of parts */
    unsigned parts;
};

/* Zeroes are an empty one; a written one is emptied and its memory kept. STATUS_NO_MEMORY. */
enum status canonical_begin(struct canonical *mail) STATUS_CHECKED;

/* Whether one more part of that length belongs into another mail. */
bool canonical_full(const struct canonical *mail, size_t length);

enum status canonical_add(struct canonical *mail, const struct reading_part *part) STATUS_CHECKED;
enum status canonical_end(struct canonical *mail) STATUS_CHECKED;
void canonical_free(struct canonical *mail);

#endif
