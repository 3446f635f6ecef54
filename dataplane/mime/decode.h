/* decode.h: a part's body as libclamav stores it before scanning it, byte for byte.
 *
 * One incremental decoder for every transfer encoding. Beyond undoing the encoding strictly
 * (base64.h, quoted_printable.h) it follows what libclamav's mail parser does to the lines of a
 * part (LF line ends, blank lines run together in multiparts, white-space lines, the last line
 * end), so that hashes and HTML chunk borders are those of the library. Where that cannot be
 * followed it gates. Text is searched squeezed and would not need this; hashes, type detection and
 * HTML do.
 *
 * Threads: one decoder, one thread. Memory: the struct. Hot path: linear.
 */
#ifndef DATAPLANE_MIME_DECODE_H
#define DATAPLANE_MIME_DECODE_H

#include "dataplane/mime/base64.h"
#include "dataplane/mime/mime.h"
#include "dataplane/mime/quoted_printable.h"

#define DECODE_PIECE_MAX 16384u /* bytes a call takes at most */
#define DECODE_ROOM      (DECODE_PIECE_MAX + 1024u)

/* X(NAME, CLASS, "text") */
#define DECODE_GATE_LIST(X)                                   \
    X(NONE, GATE_SCAN, "none")                                \
    X(BASE64, GATE_MALFORMED, "base64 that is not canonical") \
    X(QUOTED_PRINTABLE, GATE_SCAN, "quoted-printable that is not canonical")

enum decode_gate {
#define X(name, class, text) DECODE_GATE_##name,
    DECODE_GATE_LIST(X)
#undef X
        DECODE_GATE_COUNT
};

/* Fixed text, never null. */
const char *decode_gate_text(enum decode_gate gate);
enum gate_class decode_gate_class(enum decode_gate gate);

struct decoder {
    enum decode_gate gate;
    enum mime_encoding encoding;
    bool multipart; /* the part is inside a multipart: blank lines run together */
    struct base64_decoder base64;
    struct qp_decoder quoted_printable;
    /* The line state of stored text is the decoder's own. */
};

/* Starts a part. `part` is read during the call only. */
void decode_begin(struct decoder *decoder, const struct mime_part *part);

/* Takes at most DECODE_PIECE_MAX encoded bytes, writes what they become to `to` (room:
 * DECODE_ROOM); returns how many. Once gated: 0. */
size_t decode_feed(struct decoder *decoder, const uint8_t *from, size_t length, uint8_t *to);

/* Ends the part: writes what was held back (room: 1024), may still gate. */
size_t decode_end(struct decoder *decoder, uint8_t *to);

#endif
