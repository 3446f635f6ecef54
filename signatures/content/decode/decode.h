/* decode.h: a part's body as libclamav stores it before scanning it, byte for byte.
 *
 * One incremental decoder for every transfer encoding. Beyond undoing the encoding strictly
 * (base64.h, quoted_printable.h) it follows what libclamav's mail parser does to the lines of a
 * message, so that hashes and HTML chunk borders are those of the library. Where that cannot be
 * followed it gates. Text is searched squeezed and would not need this; hashes, type detection and
 * HTML do.
 *
 * What happens to the lines, before the transfer encoding is undone (mbox.c parseEmailFile,
 * message.c messageAddStr):
 *   - every line is stored with LF, the last one too, whether it had a line end or not; what stands
 *     before a boundary's CRLF is a line even when it is empty;
 *   - a line of white space alone becomes one space;
 *   - of lines of blanks and ';' alone the first is kept and those that follow are dropped, with
 *     empty lines between them or not;
 *   - empty lines in a row become one, and those at the start of a part of a multipart vanish. A
 *     message that is one text/... part keeps all of them.
 * base64 is not touched by any of this. An empty result is not stored at all, and one of up to five
 * bytes is not scanned.
 *
 * Every part is a file of its own (text parts are not put together), with two exceptions that the
 * caller has to see to:
 *   - parts of which decode_forced() says so are decoded as base64 besides, from the bytes
 *     decode_feed() was given (base64.h); the result is one more file, with a type of its own;
 *   - the text of a multipart/related (mime_part.related) is stored a second time, with one more
 *     line end wherever a line was changed by decoding it: soft line breaks are line ends there,
 * and every line of base64 is a line. Without encoding that is the same file. decode_begin_twice()
 *     makes both; decode_begin() gates such a part.
 *
 * Left to the MIME parser: NUL, bare CR or LF, lines of more than MIME_LINE_MAX bytes, lines that
 * begin a uuencoded, yEnc or BinHex file or look like a header, white-space lines and lines of ';'
 * in headers, text in an epilogue, a text/plain part or more than one text part in a
 * multipart/related.
 *
 * Threads: one decoder, one thread. Memory: the struct. Hot path: linear.
 */
#ifndef SIGNATURES_CONTENT_DECODE_DECODE_H
#define SIGNATURES_CONTENT_DECODE_DECODE_H

#include "signatures/content/decode/base64.h"
#include "signatures/content/decode/quoted_printable.h"
#include "signatures/content/mime/mime.h"

#define DECODE_PIECE_MAX 16384u /* bytes a call takes at most */
#define DECODE_ROOM      (DECODE_PIECE_MAX + 1024u)

/* X(NAME, CLASS, "text") */
#define DECODE_GATE_LIST(X)                                                             \
    X(NONE, GATE_SCAN, "none")                                                          \
    X(BASE64, GATE_READERS, "base64 that readers take differently")                     \
    X(BASE64_LOOSE, GATE_SCAN, "base64 that is not canonical")                          \
    X(QUOTED_PRINTABLE, GATE_SCAN, "quoted-printable that is not canonical")            \
    X(LONG_LINE, GATE_SCAN, "long line")                                                \
    X(MEDIA, GATE_SCAN, "unknown media type of the only part")                          \
    X(BOUNCE, GATE_SCAN, "encoded text with a Content-Type field") /* parsed as mail */ \
    X(RELATED, GATE_SCAN, "encoded text in a multipart/related")

enum decode_gate {
#define X(name, class, text) DECODE_GATE_##name,
    DECODE_GATE_LIST(X)
#undef X
        DECODE_GATE_COUNT
};

/* Fixed text, never null. */
const char *decode_gate_text(enum decode_gate gate);
enum gate_class decode_gate_class(enum decode_gate gate);

#define DECODE_HELD_MAX   1000u
#define DECODE_RECENT_MAX 12u

struct decoder {
    enum decode_gate gate;
    enum mime_encoding encoding;
    bool multipart; /* the part is inside a multipart: its last line has no line end */
    struct base64_decoder base64;
    struct qp_decoder quoted_printable;
    /* The lines, as they stand in the message. */
    bool join_empty;      /* empty lines in a row become one */
    bool after_empty;     /* the last line stored was empty */
    bool after_semicolon; /* the last line that was not empty had blanks and ';' alone */
    bool in_line;         /* in a line that is stored as it is */
    bool after_cr;
    uint16_t held_count; /* the start of a line that may be changed or dropped */
    uint8_t held[DECODE_HELD_MAX];
    /* Encoded text/plain is watched for "Content-Type:". */
    bool watched;
    uint8_t recent[DECODE_RECENT_MAX];
    /* The second time: whole lines, as they stand encoded. */
    bool again;
    bool again_over; /* a line of base64 with '=' is the last */
    uint16_t line_count;
    uint8_t line[DECODE_HELD_MAX];
    struct base64_forced lines;
};

/* Starts a part. `part` is read during the call only. */
void decode_begin(struct decoder *decoder, const struct mime_part *part);

/* Whether libclamav stores the part a second time, in other bytes. */
bool decode_twice(const struct mime_part *part);

/* The same for a part of which decode_twice() says so: both are fed with the same bytes, both give
 * a file, and either may gate. */
void decode_begin_twice(struct decoder *decoder, struct decoder *again,
                        const struct mime_part *part);

/* Takes at most DECODE_PIECE_MAX encoded bytes, writes what they become to `to` (room:
 * DECODE_ROOM); returns how many. Once gated: 0; base64 is still looked
 * at, for what is malformed outweighs another gate. */
size_t decode_feed(struct decoder *decoder, const uint8_t *from, size_t length, uint8_t *to);

/* Ends the part: writes what was held back (room: 1100), may still gate. */
size_t decode_end(struct decoder *decoder, uint8_t *to);

/* Whether libclamav may decode the part as base64 besides what its header says. It does when it
 * knows a file name and the encoding is said to be 7bit (it often makes up the name itself), or
 * when the name is the Content-Type field's, no encoding is named, and there is no
 * Content-Disposition field. What struct mime_part cannot tell is answered with true. */
bool decode_forced(const struct mime_part *part);

#endif
