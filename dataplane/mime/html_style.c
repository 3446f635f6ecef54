/* Style sheets: libclamav looks in them for images written as data: URLs. */
#include "dataplane/mime/html_machine.h"

/* The text of all style sheets is put together before it is looked at, and where one ends is not
 * known to the byte: whatever the last one ended with, this one may complete it. */
void html_style_begin(struct html_normaliser *html)
{
    html->style_match = 0x1f;
}

void html_style(struct html_normaliser *html, const uint8_t *from, const uint8_t *to)
{
    static const char wanted[] = "data:";
    unsigned match = html->style_match; /* bit n: the last n bytes may begin it */

    for (const uint8_t *at = from; at < to; at++) {
        unsigned next = 1;

        for (unsigned i = 0; i < 5; i++) {
            if ((match & 1u << i) != 0 && *at == (uint8_t)wanted[i])
                next |= 2u << i;
        }
        match = next;
        if ((match & 0x20) != 0)
            html_gate(html, HTML_GATE_DATA_URL);
    }
    html->style_match = (uint8_t)(match & 0x1f);
}
