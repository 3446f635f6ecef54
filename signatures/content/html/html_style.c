/* Style sheets: libclamav looks in them for images written as data: URLs. */
#include <string.h>

#include "signatures/content/html/html_machine.h"

static const uint8_t scheme[] = {'d', 'a', 't', 'a'}; /* in front of ':' */

void html_style_begin(struct html_normaliser *html)
{
    html->style_length = 0;
}

/* ':' at `colon`: are the bytes in front of it the scheme? Those before `from` are remembered. The
 * text of all sheets is put together before it is looked at, and where one ends is not known to the
 * byte: whatever was in front of this one may have been its beginning. */
static bool html_style_data(const struct html_normaliser *html, const uint8_t *from,
                            const uint8_t *colon)
{
    for (size_t back = 1; back <= sizeof(scheme); back++) {
        size_t here = (size_t)(colon - from);
        uint8_t byte;

        if (back <= here)
            byte = colon[-(ptrdiff_t)back];
        else if (back - here <= html->style_length)
            byte = html->style_last[html->style_length - (back - here)];
        else
            return true;
        if (byte != scheme[sizeof(scheme) - back])
            return false;
    }
    return true;
}

void html_style(struct html_normaliser *html, const uint8_t *from, const uint8_t *to)
{
    const uint8_t *colon = from;
    uint8_t last[2 * sizeof(scheme)];
    size_t length = (size_t)(to - from) < sizeof(scheme) ? (size_t)(to - from) : sizeof(scheme);
    size_t all = html->style_length + length;
    size_t keep = all < sizeof(scheme) ? all : sizeof(scheme);

    while (colon < to && (colon = memchr(colon, ':', (size_t)(to - colon))) != NULL) {
        if (html_style_data(html, from, colon)) {
            html_gate(html, HTML_GATE_DATA_URL);
            return;
        }
        colon++;
    }
    memcpy(last, html->style_last, html->style_length);
    memcpy(last + html->style_length, to - length, length);
    memcpy(html->style_last, last + all - keep, keep);
    html->style_length = (uint8_t)keep;
}
