/* mime.h: an incremental parser for the strict subset of MIME that the prefilter vouches for.
 *
 * It takes a message as it was received (RFC 5322 header, CRLF line ends, our Received field in
 * front) in pieces of any size and says what leaf parts it has and which bytes belong to each. It
 * does not decode, decide or repair: the first thing it would not vouch for sets `gate`. Behind a
 * doubt it goes on with the structure as it understands it, so that nothing malformed can hide
 * there; at something malformed, and where lines are not lines, it has `stopped` and takes bytes
 * without looking at them. Everything it lets pass, libclamav (mbox.c, message.c) takes apart into
 * the same parts; tests/oracle/mime holds it to that.
 *
 * What cannot be seen in encoded bytes is left to those that see decoded ones: base64 and
 * quoted-printable that is not canonical, and a Content-Type field in encoded text (decode.h), and
 * what the library's type tables make of a part, a mail inside a text above all: "Delivered-To:"
 * and then "Received:", or a few header fields near the start (type.h, type_watch_feed()).
 *
 * Threads: one parser, one thread. Memory: struct mime_parser is all of it, no heap. Hot path:
 * every call takes time linear in the bytes given; no gate needs more than one line and the
 * boundaries in force to be remembered. Limits: MIME_*_MAX below; beyond them the message is gated,
 * not cut.
 */
#ifndef SIGNATURES_CONTENT_MIME_MIME_H
#define SIGNATURES_CONTENT_MIME_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIME_LINE_MAX       998u /* bytes without CRLF (RFC 5322 2.1.1) */
#define MIME_DEPTH_MAX      6u   /* multiparts inside each other */
#define MIME_DEPTH_ROOM     32u  /* ... that are still looked at; more are malformed */
#define MIME_PARAMETERS_MAX 128u /* of a Content-Type; libclamav gives up at 256 */
#define MIME_BOUNDARY_MAX   70u  /* RFC 2046 5.1.1 */
#define MIME_PARTS_MAX      256u /* leaf parts of a message; more are a doubt, and given out */
#define MIME_NAME_MAX       255u /* decoded bytes of a file name */

#include "signatures/content/mime/gate.h" /* enum mime_gate, enum gate_class, mime_gate_text() */

enum mime_encoding {
    MIME_ENCODING_NONE, /* no Content-Transfer-Encoding field */
    MIME_ENCODING_7BIT, /* said so: libclamav decodes such text as base64 besides */
    MIME_ENCODING_8BIT,
    MIME_ENCODING_BINARY,
    MIME_ENCODING_QUOTED_PRINTABLE,
    MIME_ENCODING_BASE64,
};

/* What the Content-Type field says; what the bytes are is the type tables' business. */
enum mime_media {
    MIME_MEDIA_TEXT_PLAIN, /* also: no Content-Type at all */
    MIME_MEDIA_TEXT_HTML,
    MIME_MEDIA_TEXT_OTHER,
    MIME_MEDIA_IMAGE,
    MIME_MEDIA_AUDIO,
    MIME_MEDIA_VIDEO,
    MIME_MEDIA_APPLICATION,
    MIME_MEDIA_OTHER,
};

/* A leaf part as its header describes it. Valid during part_begin() only. */
struct mime_part {
    unsigned number; /* from 0 */
    unsigned depth;  /* multiparts around it */
    enum mime_media media;
    enum mime_encoding encoding;
    bool attachment;  /* Content-Disposition: attachment */
    bool related;     /* text that may be a multipart/related's root: libclamav stores it twice */
    bool unnamed;     /* one part of several, to which libclamav knows no file name: no name, no
                         Content-Disposition, not a multipart/related's root, not signed */
    const char *type; /* "text/plain", lower case, zero-terminated; empty when there is none */
    const uint8_t *name; /* file name (Content-Disposition's before Content-Type's), decoded as
                            libclamav does: seven bits of each byte, '_' of RFC 2047 stays. It calls
                            the part "unknown", "attachment", "textportion" or "mixedtextportion"
                            where it has no name, or where another parameter comes before it */
    size_t name_length;  /* 0: no name */
};

/* What the parser calls. `bytes` are the part's body as it stands in the message, transfer encoding
 * and all, in order, cut anywhere, CRLF line ends; the CRLF before a boundary belongs to the
 * boundary (RFC 2046 5.1.1). After each 999 bytes of a longer line there is a CRLF that does not
 * stand in the message: there libclamav cuts lines. Preambles, headers and message/... parts are
 * not given out; an epilogue that has text is, as a part without a header: to libclamav it is one.
 * Borrowed for the call. */
struct mime_sink {
    void *context;
    void (*part_begin)(void *context, const struct mime_part *part);
    void (*part_bytes)(void *context, const uint8_t *bytes, size_t length);
    void (*part_end)(void *context);
};

/* --- The parser's own, down to mime_begin(). --- */

#define MIME_FIELD_MAX  2048u   /* bytes of one MIME field's value */
#define MIME_HEADER_MAX 131072u /* bytes of one header; libclamav gives up at 256 KiB */
#define MIME_HELD       1024u

enum mime_multipart_kind {
    MIME_MULTIPART_MIXED, /* and whatever libclamav treats alike */
    MIME_MULTIPART_RELATED,
    MIME_MULTIPART_SIGNED,
};

/* A multipart whose boundary is in force. */
struct mime_multipart {
    enum mime_multipart_kind kind;
    uint8_t boundary[MIME_BOUNDARY_MAX];
    uint8_t boundary_length;
    bool closed;          /* --boundary-- was seen: what follows is the epilogue */
    unsigned child_count; /* parts begun, multiparts too */
    bool html_seen;       /* a text/html child */
    bool text_last_plain; /* the last text child is text/plain */
    bool text_seen;       /* any text child */
    bool multipart_first; /* the first child is a multipart */
    bool multipart_seen;
};

/* What one header has said so far. */
struct mime_entity {
    bool has_type;
    bool has_encoding;
    bool has_disposition;
    bool multipart;
    bool message;
    bool words;             /* the last field had encoded words */
    bool other_disposition; /* neither inline nor attachment */
    enum mime_media media;
    enum mime_encoding encoding;
    bool attachment;
    char type[128]; /* RFC 6838 4.2 allows 255, no registered one is longer */
    uint8_t boundary[MIME_BOUNDARY_MAX];
    uint8_t boundary_length; /* 0: none */
    uint8_t type_name[MIME_NAME_MAX];
    uint8_t type_name_length;
    uint8_t file_name[MIME_NAME_MAX];
    uint8_t file_name_length;
};

/* Which field a header line belongs to. */
enum mime_field {
    MIME_FIELD_FIRST, /* no line yet */
    MIME_FIELD_OTHER,
    MIME_FIELD_TYPE,
    MIME_FIELD_ENCODING,
    MIME_FIELD_DISPOSITION,
};

enum mime_state {
    MIME_STATE_HEADER,
    MIME_STATE_BODY,    /* of a leaf part */
    MIME_STATE_MESSAGE, /* of a message/... part: nothing of it is given out */
    MIME_STATE_PREAMBLE,
    MIME_STATE_EPILOGUE, /* only blank lines so far */
};

struct mime_parser {
    struct mime_sink sink;
    enum mime_gate gate; /* MIME_GATE_NONE as long as all is well; the first reason otherwise, or
                            the first that is malformed */
    bool stopped;        /* nothing is looked at any more */
    bool nul;            /* there was one */
    bool unseen;         /* there was a message/... part, which nobody has looked into */
    unsigned part_count; /* leaf parts begun */

    enum mime_state state;
    unsigned depth; /* multiparts in force */
    struct mime_multipart multiparts[MIME_DEPTH_ROOM];
    struct mime_entity entity;
    /* Header. */
    enum mime_field field;
    bool semicolon; /* the header line before ends with one */
    bool joined;    /* libclamav reads this field as the end of the one before */
    bool field_odd; /* there is a doubt about what the field in hand says */
    size_t header_length;
    size_t value_length;
    uint8_t value[MIME_FIELD_MAX];
    /* Body. */
    bool known_message;    /* libclamav takes the message/... part at hand for a message */
    size_t message_length; /* bytes of it so far */
    bool chopped;          /* the line at hand goes on from one that libclamav cuts */
    bool root;             /* struct mime_part's related */
    bool first_line;       /* no line but blank ones yet in this body */
    bool pending_crlf;     /* the last line end was not given out yet */
    bool options_only;     /* the last line that was not empty is white space and semicolons */
    unsigned folds;        /* lines in a row that start with white space */
    const uint8_t *run;    /* whole lines of the piece at hand that were not given out yet */
    size_t run_length;
    /* A line that the end of a piece cut. */
    size_t held_length;
    uint8_t held[MIME_HELD];
};

/* Starts a message. `sink` is copied. */
void mime_begin(struct mime_parser *parser, const struct mime_sink *sink);

/* Takes the next bytes. Once stopped it does nothing, and a part that was open stays open. */
void mime_feed(struct mime_parser *parser, const uint8_t *bytes, size_t length);

/* The message ends here: ends an open part, gates what must not end so (a boundary never closed).
 * A message at which it stopped is not ended: no part_end(). */
void mime_end(struct mime_parser *parser);

#endif
