/* text.h: bytes and letters of mail, without a locale, and the encoded words of its fields.
 *
 * Threads: any, no state. Hot path.
 */
#ifndef SIGNATURES_CONTENT_MIME_TEXT_H
#define SIGNATURES_CONTENT_MIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool mime_is_blank(uint8_t byte); /* space or tab */
bool mime_is_token(uint8_t byte); /* RFC 2045 5.1, but neither '(' nor any other special */
uint8_t mime_lower(uint8_t byte);

/* Of a letter of base64 (RFC 2045 6.8), or -1. */
int mime_base64_value(uint8_t byte);

bool mime_is(const char *type, const char *other); /* zero-terminated, the same */

/* Whether both are the same but for case. */
bool mime_same(const uint8_t *bytes, size_t length, const char *word);
bool mime_starts(const uint8_t *bytes, size_t length, const char *word); /* case ignored */
bool mime_contains(const uint8_t *bytes, size_t length, const char *word);

/* Undoes the encoded words of a field's value in place (the value shrinks); *found is set when
 * there is one. False: a word that is not canonical, or that hides a special character; it is
 * left as it is. */
bool mime_words_decode(uint8_t *value, size_t *length, bool *found);

#endif
