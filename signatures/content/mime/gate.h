/* gate.h: why the MIME parser does not vouch for a message.
 *
 * Two classes. GATE_SCAN: libclamav knows what to do with it, only we do not prove that we do the
 * same. GATE_READERS: mail programs are known to differ on what such a message contains. Either way
 * its structure is not known to be what every reader takes it for: it is scanned in every reading
 * (signatures/content/readings). The class only says which doubt is told, and where looking further
 * is of no use.
 */
#ifndef SIGNATURES_CONTENT_MIME_GATE_H
#define SIGNATURES_CONTENT_MIME_GATE_H

enum gate_class { GATE_SCAN, GATE_READERS };

/* X(NAME, CLASS, "text as in reports and counters") */
#define MIME_GATE_LIST(X)                                                           \
    X(NONE, GATE_SCAN, "none")                                                      \
    X(LONG_LINE, GATE_SCAN, "long line")                                            \
    X(NUL, GATE_SCAN, "NUL byte")                                                   \
    X(BARE_CR, GATE_SCAN, "bare CR or LF")                                          \
    X(NO_RECEIVED, GATE_SCAN, "no Received field in front")                         \
    X(HEADER_ENDS, GATE_SCAN, "header without an end")                              \
    X(HEADER_SIZE, GATE_SCAN, "large header")                                       \
    X(HEADER_LINE, GATE_READERS, "header line that is no field")                    \
    X(HEADER_NAME, GATE_READERS, "MIME field name with something more")             \
    X(HEADER_WHITE, GATE_READERS, "white line in a header")                         \
    X(HEADER_JOINED, GATE_READERS, "semicolon that joins header lines")             \
    X(HEADER_NONE, GATE_SCAN, "part without a header")                              \
    X(FIELD_TWICE, GATE_READERS, "MIME field twice")                                \
    X(ENCODING_TWICE, GATE_SCAN, "two transfer encodings")                          \
    X(FIELD_SYNTAX, GATE_SCAN, "MIME field that is not canonical")                  \
    X(FIELD_COMMENT, GATE_READERS, "comment in a MIME field")                       \
    X(FIELD_EMPTY, GATE_READERS, "empty MIME field")                                \
    X(FIELD_QUOTES, GATE_READERS, "odd quotes in a MIME field")                     \
    X(PARAMETER, GATE_SCAN, "unusual parameter")                                    \
    X(PARAMETERS, GATE_SCAN, "many parameters")                                     \
    X(PARAMETER_TWICE, GATE_READERS, "parameter twice")                             \
    X(ENCODED_NAME, GATE_SCAN, "encoded word that is not canonical")                \
    X(ENCODING, GATE_SCAN, "unknown transfer encoding")                             \
    X(DISPOSITION, GATE_READERS, "unknown disposition")                             \
    X(MEDIA_TYPE, GATE_SCAN, "unusual media type")                                  \
    X(MESSAGE, GATE_SCAN, "message inside the message")                             \
    X(MESSAGE_HIDDEN, GATE_READERS, "message inside the message, not known as one") \
    X(MULTIPART_TYPE, GATE_READERS, "unknown kind of multipart")                    \
    X(MULTIPART_SYNTAX, GATE_READERS, "multipart whose field is not canonical")     \
    X(MULTIPART_ENCODED, GATE_SCAN, "multipart with a transfer encoding")           \
    X(MULTIPART_DEPTH, GATE_SCAN, "multiparts nested deeply")                       \
    X(MULTIPART_DEEP, GATE_READERS, "multiparts nested too deeply")                 \
    X(MULTIPART_EMPTY, GATE_SCAN, "multipart without parts")                        \
    X(PARTS, GATE_SCAN, "too many parts")                                           \
    X(BOUNDARY_NONE, GATE_READERS, "multipart without a boundary")                  \
    X(BOUNDARY_VALUE, GATE_SCAN, "unusual boundary")                                \
    X(BOUNDARY_BLANK, GATE_READERS, "blank before a boundary")                      \
    X(BOUNDARY_LINE, GATE_READERS, "line that some take for a boundary")            \
    X(BOUNDARY_CLOSED, GATE_SCAN, "boundary after its end")                         \
    X(BOUNDARY_NESTED, GATE_READERS, "boundary used twice")                         \
    X(RELATED, GATE_SCAN, "related parts in unusual order")                         \
    X(RELATED_ROOT, GATE_READERS, "part before the root of related parts")          \
    X(SIGNED, GATE_READERS, "signed message with other parts")                      \
    X(LATE_HEADER, GATE_SCAN, "body that starts like a header")                     \
    X(BASE64_LINE, GATE_READERS, "base64 with a line that is none")                 \
    X(EMBEDDED_HEADER, GATE_SCAN, "MIME field in a body")                           \
    X(EMBEDDED_FILE, GATE_SCAN, "uuencode, yEnc or BinHex")                         \
    X(EMBEDDED_ARMOR, GATE_SCAN, "OpenPGP or CMS in a text")                        \
    X(EMPTY_OPTIONS, GATE_SCAN, "lines of semicolons")                              \
    X(FOLDS, GATE_SCAN, "too many indented lines")

enum mime_gate {
#define X(name, class, text) MIME_GATE_##name,
    MIME_GATE_LIST(X)
#undef X
        MIME_GATE_COUNT
};

/* Fixed text, never null. */
const char *mime_gate_text(enum mime_gate gate);
enum gate_class mime_gate_class(enum mime_gate gate);

#endif
