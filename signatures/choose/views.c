#include "signatures/choose/views.h"

#include <stdlib.h>
#include <string.h>

#include "signatures/content/decode/base64.h"
#include "signatures/content/decode/quoted_printable.h"
#include "signatures/content/decode/squeeze.h"
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
    bool odd = false;

    if (!view_reserve(squeezed, length + SQUEEZE_SLACK))
        return false;
    squeezed->length = squeeze(bytes, length, squeezed->bytes, &odd);
    return sink->piece(sink->context, domains, bytes, length, squeezed->bytes, squeezed->length);
}

/* Undoes quoted-printable in all of the mail, into `decoded`; whether there was any. */
static bool views_quoted(struct views *views, const uint8_t *mail, size_t length)
{
    views->decoded.length = qp_decode_loose(mail, length, views->decoded.bytes);
    return views->decoded.length < length;
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
        if (!base64_is_character(line[i]))
            return false;
    }
    return length > 0;
}

/* Decodes the block of lines that begins at `from`; returns where it ends. */
static size_t views_base64(struct views *views, const uint8_t *mail, size_t length, size_t from)
{
    struct base64_forced decoder = {0};
    size_t used = 0;

    while (from < length) {
        size_t next;
        size_t line = views_line(mail, length, from, &next);

        if (!views_base64_line(mail + from, line))
            break;
        used += base64_force(&decoder, mail + from, next - from, views->decoded.bytes + used);
        from = next;
    }
    views->decoded.length = used + base64_force_end(&decoder, views->decoded.bytes + used);
    return from;
}

static bool views_looks_text(const struct view_bytes *view)
{
    size_t looked = view->length < 512 ? view->length : 512;
    size_t odd = 0;

    for (size_t i = 0; i < looked; i++)
        odd += squeeze_is_odd(view->bytes[i]) && view->bytes[i] < 0x80;
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
    if (!view_reserve(&views->decoded, length + BASE64_SLACK) ||
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
