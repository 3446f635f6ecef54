/* html_machine.h: the state machine behind html.h; for the files html*.c alone.
 *
 * A chunk is walked with a cursor; every function of a state takes as much as it can and leaves the
 * cursor and the state where the next one goes on. Carriage returns are skipped everywhere and a
 * line feed is a space: each state sees to that itself.
 */
#ifndef SIGNATURES_CONTENT_HTML_HTML_MACHINE_H
#define SIGNATURES_CONTENT_HTML_HTML_MACHINE_H

#include "signatures/content/html/html.h"

/* In this order: text, a tag, the rest. */
enum html_state {
    HTML_TEXT,
    HTML_SPACE, /* in white space of text: one space before what follows */
    HTML_TAG,
    HTML_ARGUMENT,
    HTML_EQUAL, /* behind an argument's name and white space */
    HTML_VALUE,
    HTML_TAG_END,   /* behind '>': what the tag means, once something follows */
    HTML_REFERENCE, /* behind '&' */
    HTML_ENTITY,
    HTML_NUMBER,
    HTML_HIGH, /* in a group of high bytes of text */
    HTML_COMMENT,
};

/* Which argument notags has the value of. */
enum html_asks { HTML_ASKS_NOTHING, HTML_ASKS_HREF, HTML_ASKS_SRC };

#define HTML_HEAD 8u /* bytes of a value by which a data: URL is known */

struct html_cursor {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *style; /* where the chunk's style sheet begins; in a style only */
    uint8_t *nocomment;
    uint8_t *notags;
};

/* Classes of bytes, for table look-ups. */
#define HTML_IS_SPACE  0x01u /* as isspace() */
#define HTML_IS_PLAIN  0x02u /* text that stands for itself, in lower case */
#define HTML_IS_NAME   0x04u /* in a tag's or an argument's name: not space, '>', '=' */
#define HTML_IS_VALUE  0x08u /* in a value, standing for itself */
#define HTML_IS_ENTITY 0x10u /* in an entity's name */
#define HTML_IS_DIGIT  0x20u
#define HTML_IS_HEX    0x40u
extern const uint8_t html_class[256];

static inline uint8_t html_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

static inline void html_put(struct html_cursor *cursor, uint8_t byte)
{
    *cursor->nocomment++ = byte;
}

/* A space in notags, unless one is there already. */
static inline void html_space(struct html_normaliser *html, struct html_cursor *cursor)
{
    if (!html->style && !html->spaced) {
        *cursor->notags++ = ' ';
        html->spaced = true;
    }
}

/* Behind a '<' in text. */
static inline void html_tag_begin(struct html_normaliser *html)
{
    html->state = HTML_TAG;
    html->skip = true;
    html->tag_length = 0;
}

static inline void html_gate(struct html_normaliser *html, enum html_gate gate)
{
    if (html->gate == HTML_GATE_NONE)
        html->gate = gate;
}

/* Ideographic and full-width full stops are written as '.'; `next` is the byte that follows. */
static inline bool html_is_stop(uint32_t high, uint8_t next)
{
    return high == 0xe38082 || high == 0xefbc8e || high == 0xefb992 ||
           (high == 0xa1 && (next == 'C' || next == 'D' || next == 'O'));
}

/* html_text.c */
void html_text(struct html_normaliser *html, struct html_cursor *cursor);
void html_high(struct html_normaliser *html, struct html_cursor *cursor);
void html_comment(struct html_normaliser *html, struct html_cursor *cursor);

/* html_tag.c: the states of a tag, from one to the next. */
void html_tag_states(struct html_normaliser *html, struct html_cursor *cursor);
/* Adds to what is remembered of the value. */
void html_value_add(struct html_normaliser *html, const uint8_t *bytes, size_t length);

/* html_entity.c */
void html_reference(struct html_normaliser *html, struct html_cursor *cursor);
void html_entity(struct html_normaliser *html, struct html_cursor *cursor);
void html_number(struct html_normaliser *html, struct html_cursor *cursor);
/* Writes what has been read of an entity, the part being at its end. */
void html_entity_end(struct html_normaliser *html, struct html_cursor *cursor);

/* html_style.c: a style sheet begins; looks at its text [from, to). */
void html_style_begin(struct html_normaliser *html);
void html_style(struct html_normaliser *html, const uint8_t *from, const uint8_t *to);

/* Bytes that stand for a code point, as libclamav writes it; at most eight. Returns how many. */
size_t html_code_point(uint16_t code, uint8_t to[8]);

/* 0 when libclamav does not know the entity. */
uint16_t html_entity_code(const uint8_t *name, size_t length);

#endif
