/* html.h: libclamav's two normal forms of HTML, made incrementally and to the byte.
 *
 * libclamav never matches HTML as it came: htmlnorm.c writes "nocomment.html" and "notags.html" and
 * matches those. This makes the same bytes (oddities included: chunks of 8,191 bytes, comments that
 * end at the first '>', entities, doubled high bytes) from a decoded part given in pieces of any
 * size. What it does not follow (scripts, data: URLs, ...) sets `gate`, and from then on it takes
 * bytes without looking at them. tests/oracle/html compares it with the library's own function.
 *
 * Threads: one normaliser, one thread. Memory: struct html_normaliser is all of it (tens of KiB),
 * no heap. Hot path: linear in the bytes given.
 */
#ifndef DATAPLANE_MIME_HTML_H
#define DATAPLANE_MIME_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, "text as in reports") */
#define HTML_GATE_LIST(X)                            \
    X(NONE, "none")                                  \
    X(SCRIPT, "HTML with a script")                  \
    X(DATA_URL, "HTML with a data: URL")             \
    X(ENCODED_SCRIPT, "HTML with an encoded script") \
    X(NUL, "HTML with a NUL byte")

enum html_gate {
#define X(name, text) HTML_GATE_##name,
    HTML_GATE_LIST(X)
#undef X
        HTML_GATE_COUNT
};

/* Fixed text, never null. */
const char *html_gate_text(enum html_gate gate);

/* Both forms, in order, cut anywhere; borrowed for the call. */
struct html_sink {
    void *context;
    void (*nocomment)(void *context, const uint8_t *bytes, size_t length);
    void (*notags)(void *context, const uint8_t *bytes, size_t length);
};

struct html_normaliser {
    struct html_sink sink;
    enum html_gate gate;
    /* The rest is the normaliser's own. */
};

void html_begin(struct html_normaliser *html, const struct html_sink *sink);
void html_feed(struct html_normaliser *html, const uint8_t *bytes, size_t length);
void html_end(struct html_normaliser *html);

#endif
