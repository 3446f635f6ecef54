#include "signatures/choose/views.h"

#include <stdlib.h>
#include <string.h>

#include "signatures/choose/squeezed.h"
#include "signatures/prefilter/prefilter.h"

#define VIEWS_BASE64_MIN 40u /* characters in a line: shorter ones are not taken for base64 */

static bool view_reserve(struct view_bytes *view, size_t room)
{
    uint8_t *grown;

    if (room <= view->room)
        return true;
    grown = realloc(view->bytes, room + room / 2);
    if (grown == NULL)
        return false;
    view->bytes = grown;
    view->room = room + room / 2;
    return true;
}

static bool views_text(struct views *views, uint32_t domains, const uint8_t *bytes, size_t length,
                       const struct view_sink *sink)
{
    struct view_bytes *squeezed = &views->squeezed;

    if (!view_reserve(squeezed, length + 1))
        return false;
    squeezed->length = 0;
    for (size_t i = 0; i < length; i++) {
        squeezed->bytes[squeezed->length] = squeezed_byte(bytes[i]);
        squeezed->length += squeezed->bytes[squeezed->length] != 0;
    }
    return sink->piece(sink->context, domains, bytes, length, squeezed->bytes, squeezed->length);
}

static int views_hex(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Undoes quoted-printable in all of the mail, into `decoded`; whether there was any. */
static bool views_quoted(struct views *views, const uint8_t *mail, size_t length)
{
    uint8_t *to = views->decoded.bytes;
    bool any = false;
    size_t i = 0;

    while (i < length) {
        size_t end = i + 1;

        if (mail[i] != '=') {
            *to++ = mail[i++];
            continue;
        }
        if (end < length && mail[end] == '\r')
            end++;
        if (end < length && mail[end] == '\n') {
            i = end + 1;
            any = true;
        } else if (i + 2 < length && views_hex(mail[i + 1]) >= 0 && views_hex(mail[i + 2]) >= 0) {
            *to++ = (uint8_t)(views_hex(mail[i + 1]) * 16 + views_hex(mail[i + 2]));
            i += 3;
            any = true;
        } else {
            *to++ = mail[i++];
        }
    }
    views->decoded.length = (size_t)(to - views->decoded.bytes);
    return any;
}

static int views_sextet(uint8_t character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

/* The length of the line at `from`, its end not counted, and where the next one begins. */
static size_t views_line(const uint8_t *mail, size_t length, size_t from, size_t *next)
{
    const uint8_t *end = memchr(mail + from, '\n', length - from);
    size_t stop = end == NULL ? length : (size_t)(end - mail);

    *next = end == NULL ? length : stop + 1;
    return stop > from && mail[stop - 1] == '\r' ? stop - 1 - from : stop - from;
}

static bool views_base64_line(const uint8_t *line, size_t length)
{
    while (length > 0 && line[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        if (views_sextet(line[i]) < 0)
            return false;
    }
    return length > 0;
}

/* Decodes the block of lines that begins at `from`; returns where it ends. */
static size_t views_base64(struct views *views, const uint8_t *mail, size_t length, size_t from)
{
    uint8_t *to = views->decoded.bytes;
    unsigned bits = 0;
    uint32_t value = 0;

    while (from < length) {
        size_t next;
        size_t line = views_line(mail, length, from, &next);

        if (!views_base64_line(mail + from, line))
            break;
        for (size_t i = from; i < from + line && mail[i] != '='; i++) {
            value = value << 6 | (uint32_t)views_sextet(mail[i]);
            bits += 6;
            if (bits >= 8) {
                bits -= 8;
                *to++ = (uint8_t)(value >> bits);
            }
        }
        from = next;
    }
    views->decoded.length = (size_t)(to - views->decoded.bytes);
    return from;
}

static bool views_looks_text(const struct view_bytes *view)
{
    size_t looked = view->length < 512 ? view->length : 512;
    size_t odd = 0;

    for (size_t i = 0; i < looked; i++)
        odd += squeezed_odd(view->bytes[i]) && view->bytes[i] < 0x80;
    return odd == 0;
}

static bool views_blocks(struct views *views, const uint8_t *mail, size_t length,
                         const struct view_sink *sink)
{
    size_t from = 0;

    while (from < length) {
        size_t next;
        size_t line = views_line(mail, length, from, &next);
        bool ok;

        if (line < VIEWS_BASE64_MIN || !views_base64_line(mail + from, line)) {
            from = next;
            continue;
        }
        from = views_base64(views, mail, length, from);
        if (views_looks_text(&views->decoded))
            ok = views_text(views, PREFILTER_TEXT | PREFILTER_HTML, views->decoded.bytes,
                            views->decoded.length, sink);
        else
            ok = sink->piece(sink->context, PREFILTER_IMAGE | PREFILTER_BINARY,
                             views->decoded.bytes, views->decoded.length, NULL, 0);
        if (!ok)
            return false;
    }
    return true;
}

bool views_of_mail(struct views *views, const uint8_t *mail, size_t length,
                   const struct view_sink *sink)
{
    uint32_t domains = PREFILTER_RAW | PREFILTER_TEXT;

    if (memmem(mail, length, "text/html", 9) != NULL || memmem(mail, length, "<html", 5) != NULL ||
        memmem(mail, length, "<HTML", 5) != NULL)
        domains |= PREFILTER_HTML;
    if (!view_reserve(&views->decoded, length + 1) ||
        !views_text(views, domains, mail, length, sink))
        return false;
    if (views_quoted(views, mail, length) &&
        !views_text(views, domains & ~PREFILTER_RAW, views->decoded.bytes, views->decoded.length,
                    sink))
        return false;
    return views_blocks(views, mail, length, sink);
}

void views_free(struct views *views)
{
    free(views->squeezed.bytes);
    free(views->decoded.bytes);
    *views = (struct views){0};
}
