#include "dataplane/smtp/text.h"

#include <string.h>

#include "dataplane/smtp/session.h"

void smtp_text_put(struct smtp_text *text, const char *bytes, size_t length)
{
    if (length > text->size - text->used)
        length = text->size - text->used;
    memcpy(text->bytes + text->used, bytes, length);
    text->used += length;
}

void smtp_text_safe(struct smtp_text *text, const char *bytes, size_t length, size_t max)
{
    char *to = text->bytes + text->used;

    if (length > max)
        length = max;
    if (length > text->size - text->used)
        length = text->size - text->used;
    for (size_t i = 0; i < length; i++)
        to[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
    text->used += length;
}

/* Inlined, so that no division is by a number that is not known. */
static inline void text_digits(struct smtp_text *text, uint64_t number, unsigned digits,
                               unsigned base)
{
    char room[24];
    size_t first = sizeof(room);

    while ((number > 0 || sizeof(room) - first < digits) && first > 0) {
        room[--first] = "0123456789ABCDEF"[number % base];
        number /= base;
    }
    smtp_text_put(text, room + first, sizeof(room) - first);
}

void smtp_text_number(struct smtp_text *text, uint64_t number, unsigned digits)
{
    text_digits(text, number, digits, 10);
}

void smtp_text_hex(struct smtp_text *text, uint64_t number, unsigned digits)
{
    text_digits(text, number, digits, 16);
}

static const char *text_fault(enum smtp_fault fault)
{
    switch (fault) {
    case SMTP_FAULT_LOOP:
        return "554 5.4.6 Too many hops";
    case SMTP_FAULT_NUL:
        return "550 5.5.2 NUL in message data";
    default:
        return "550 5.5.2 Bare CR or LF in message data: lines end with CRLF";
    }
}

const char *smtp_refusal_text(enum mail_outcome outcome, enum smtp_fault fault)
{
    switch (outcome) {
    case MAIL_TOO_LARGE:
        return "552 5.3.4 Message size exceeds fixed limit";
    case MAIL_NO_ROOM:
        return "452 4.3.1 Insufficient system storage";
    case MAIL_MALFORMED:
        return text_fault(fault);
    case MAIL_CUT_OFF:
        return "421 4.4.2 Connection lost before end of data";
    default:
        return "451 4.4.2 Connection lost while waiting for the reply";
    }
}
