/* text.h: putting replies and our Received field together without formatted output.
 *
 * A text is a bounded buffer: what does not fit is cut off, never written elsewhere. Everything
 * that somebody else supplied goes through smtp_text_safe(), so that what we say is printable ASCII
 * on one line.
 *
 * Threads: any, no state. Memory: the caller's buffer. Hot path.
 */
#ifndef DATAPLANE_SMTP_TEXT_H
#define DATAPLANE_SMTP_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct smtp_text {
    char *bytes;
    size_t size;
    size_t used; /* <= size */
};

/* Bytes of our own. */
void smtp_text_put(struct smtp_text *text, const char *bytes, size_t length);
static inline void smtp_text_string(struct smtp_text *text, const char *string)
{
    smtp_text_put(text, string, strlen(string));
}

/* At most `max` of the `length` bytes; those outside printable ASCII become '?'. */
void smtp_text_safe(struct smtp_text *text, const char *bytes, size_t length, size_t max);

/* Decimal, at least `digits` digits. */
void smtp_text_number(struct smtp_text *text, uint64_t number, unsigned digits);

/* Upper-case hexadecimal, at least `digits` digits. */
void smtp_text_hex(struct smtp_text *text, uint64_t number, unsigned digits);

#endif
