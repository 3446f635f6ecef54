/* gate.h: why the MIME parser does not vouch for a message.
 *
 * Two classes. GATE_SCAN: libclamav knows what to do with it, only we do not prove that we do the
 * same: the full scan's verdict holds. GATE_MALFORMED: mail programs are known to differ on what
 * such a message contains, and libclamav reads one way only: a full scan that finds nothing proves
 * nothing, and the message is unscannable(malformed).
 */
#ifndef DATAPLANE_MIME_GATE_H
#define DATAPLANE_MIME_GATE_H

enum gate_class { GATE_SCAN, GATE_MALFORMED };

/* X(NAME, CLASS, "text as in reports and counters") */
#define MIME_GATE_LIST(X)                \
    X(NONE, GATE_SCAN, "none")           \
    X(LONG_LINE, GATE_SCAN, "long line") \
    X(NUL, GATE_SCAN, "NUL byte")        \
    X(BARE_CR, GATE_SCAN, "bare CR or LF")

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
