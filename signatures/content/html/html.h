/* html.h: libclamav's two normal forms of HTML, made incrementally and to the byte.
 *
 * libclamav never matches HTML as it came: scanners.c (cli_scanhtml) lets htmlnorm.c
 * (cli_html_normalise) write "nocomment.html" and "notags.html" and matches those, as HTML and by
 * hash. This makes the same bytes from a part as libclamav stores it, given in pieces of any size.
 * tests/oracle/html compares it with the library's own functions.
 *
 * What the forms are, where it is not obvious:
 * - Input is taken in chunks of at most 8,191 bytes; a chunk that the next byte would not let end
 *   at white space ends after its last white space. A chunk's leading white space is dropped, so
 *   words, tags and attributes can run together at its border.
 * - nocomment: tags in lower case with one space before an attribute, quotes as '"', white space
 *   runs as one space, character references resolved (above U+00FE written as "&#xhhhh;"),
 *   comments left out up to the first '>'. An attribute value is in quotes only up to its first
 *   white space or '>'.
 * - notags: text in lower case, a space for a tag, for white space and for a reference; the href
 *   of <a> and the src of <img> in their own case. Of high bytes the last of a group is replaced
 *   by the one before it, a single one by a zero byte.
 * - <style>...</style> is in both forms only as far as the above makes it so; libclamav also looks
 *   for images in it. It gives up, and both forms end, where a chunk begins inside "</style>".
 *
 * What else cli_scanhtml() matches is gated, as is what cannot be followed: scripts (the normalised
 * script is a file of its own), data: URLs in attributes and style sheets (files, scanned as such),
 * encoded scripts (<%@), NUL bytes, and a chunk whose end is decided by a byte that the library may
 * not have read (map_page). Not here: HTML in UTF-16, which is converted first (the type tables
 * tell), and the library's limits, above which it matches less: no form of HTML over 40 MB, no
 * notags over 8 MB.
 * The library's own switches (dconf: ENTCONV, JSNORM, HTMLSKIPRAW) are taken to be at their
 * defaults: a signature database that changes them must not be used with this.
 *
 * Threads: one normaliser, one thread. Memory: struct html_normaliser is all of it (48 KiB), no
 * heap. Hot path: linear in the bytes given.
 */
#ifndef SIGNATURES_CONTENT_HTML_HTML_H
#define SIGNATURES_CONTENT_HTML_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, "text as in reports") */
#define HTML_GATE_LIST(X)                            \
    X(NONE, "none")                                  \
    X(SCRIPT, "HTML with a script")                  \
    X(DATA_URL, "HTML with a data: URL")             \
    X(ENCODED_SCRIPT, "HTML with an encoded script") \
    X(NUL, "HTML with a NUL byte")                   \
    X(MAP_PAGE, "HTML with a chunk that ends with a map's page")

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

#define HTML_CHUNK_MAX 8191u /* bytes */
#define HTML_VALUE_MAX 1024u /* bytes of an attribute value or an entity's name that are kept */
/* What a chunk can become: at most two bytes for one, and what was held back before it. */
#define HTML_FORM_ROOM (2u * (HTML_CHUNK_MAX + 1u) + 2u * HTML_VALUE_MAX)

struct html_normaliser {
    struct html_sink sink;
    enum html_gate gate;
    /* The rest is the normaliser's own. */
    uint8_t state;        /* enum html_state */
    uint8_t back;         /* state after a character reference */
    bool skip;            /* white space before the next state means nothing */
    bool stopped;         /* where libclamav gives up */
    bool style;           /* inside <style> */
    bool spaced;          /* notags ends with a space */
    uint8_t quote;        /* what the value began with, 0: nothing, or no longer in force */
    bool keep;            /* the value is one that notags may need */
    bool kept;            /* the tag has such a value already, maybe an empty one */
    uint8_t asks;         /* enum html_asks: of the tag */
    bool hex;             /* numeric reference */
    uint8_t style_length; /* of style_last: what the sheet so far ends with */
    uint8_t style_last[4];
    uint32_t text_high; /* high bytes not written yet, in text and in values */
    uint32_t value_high;
    int64_t number; /* of a numeric reference */
    uint32_t tag_length;
    uint32_t argument_length;
    size_t value_length;
    uint32_t entity_length;
    uint32_t kept_length;
    uint32_t held_length;
    uint64_t offset; /* of held[0] in the part */
    uint8_t tag[8];  /* the first bytes, lower case, zeroes behind */
    uint8_t argument[8];
    uint8_t head[24];              /* of the value, in its own case; what counts is eight bytes */
    uint8_t value[HTML_VALUE_MAX]; /* the one to keep */
    uint8_t entity[HTML_VALUE_MAX];
    uint8_t held[HTML_CHUNK_MAX + 1u];       /* of the next chunk, and the byte after it */
    uint8_t nocomment[HTML_FORM_ROOM + 64u]; /* written sixteen at a time, past the end */
    uint8_t notags[HTML_FORM_ROOM + 64u];
};

/* Starts a part. `sink` is copied. */
void html_begin(struct html_normaliser *html, const struct html_sink *sink);

/* Takes the next bytes. Once gated it does nothing. What it becomes may be given out later. */
void html_feed(struct html_normaliser *html, const uint8_t *bytes, size_t length);

/* The part ends here: gives out the rest, may still gate. The forms of a gated part are
 * incomplete. */
void html_end(struct html_normaliser *html);

#endif
