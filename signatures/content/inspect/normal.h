/* normal.h: the normal form of a text, for its digests.
 *
 * As libclamav makes it (textnorm.c): runs of white space are one space, letters lower case,
 * control and high bytes dropped, DEL kept. With a Target 7 signature that counts from the end in
 * the database, libclamav holds it against the hash signatures, too. It makes it in pieces of
 * NORMAL_PIECE bytes of text and a little more, and begins each with white space anew.
 *
 * Threads: any. Hot path.
 */
#ifndef SIGNATURES_CONTENT_INSPECT_NORMAL_H
#define SIGNATURES_CONTENT_INSPECT_NORMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NORMAL_PIECE 131072u

/* Writes the normal form of `length` bytes to `to` (room: the same); returns its length. *spaced,
 * false at first, is kept from piece to piece: the form ends with a space. */
size_t normal_make(const uint8_t *from, size_t length, uint8_t *to, bool *spaced);

#endif
