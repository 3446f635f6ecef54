/* encode.h: the forms that bytes take in mail, for making messages with known content.
 *
 * Each function appends to `to`. Line ends are CRLF. What is random comes from `random` only.
 *
 * Threads: one.
 */
#ifndef TESTS_ORACLE_ENCODE_H
#define TESTS_ORACLE_ENCODE_H

#include <stdbool.h>

#include "tests/oracle/bytes.h"
#include "tests/simulation/random.h"

/* Lines of `width` characters (a multiple of 4), each with a line end. */
void encode_base64(struct bytes *to, const void *from, size_t length, size_t width);

/* `loose`: sometimes encodes what need not be, and breaks lines early. CRLF stays CRLF. */
void encode_quoted_printable(struct bytes *to, const struct bytes *from, bool loose,
                             struct random *random);

void encode_uuencode(struct bytes *to, const struct bytes *from, const char *name);
void encode_yenc(struct bytes *to, const struct bytes *from, const char *name);
void encode_binhex(struct bytes *to, const struct bytes *from, const char *name);

/* One stored member. */
void encode_zip(struct bytes *to, const struct bytes *from, const char *name);

/* A small valid picture with the bytes in a comment. */
void encode_png(struct bytes *to, const struct bytes *from);
void encode_gif(struct bytes *to, const struct bytes *from);

/* Text as HTML: the wordings differ by `style` (ENCODE_HTML_STYLES of them). */
#define ENCODE_HTML_STYLES 12u
void encode_html(struct bytes *to, const struct bytes *from, unsigned style);

void encode_utf16(struct bytes *to, const struct bytes *from, bool big_endian, bool mark);

/* Text at the same meaning to libclamav's normalisation, or not: white space, case, line ends, high
 * bytes, ... by `style` (ENCODE_TEXT_STYLES of them; 0: unchanged). */
#define ENCODE_TEXT_STYLES 12u
void encode_text(struct bytes *to, const struct bytes *from, unsigned style);
const char *encode_text_style(unsigned style);

#endif
