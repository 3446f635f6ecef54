/* The other half of encode.h: the same text, worded otherwise. */
#include <ctype.h>
#include <string.h>

#include "tests/oracle/encode.h"

static void wording_entity(struct bytes *to, uint8_t byte, unsigned style)
{
    switch (style) {
    case 0:
        bytes_format(to, "&#%u;", byte);
        break;
    case 1:
        bytes_format(to, "&#x%x;", byte);
        break;
    default:
        bytes_format(to, "&#%05u", byte);
        break;
    }
}

static void wording_between(struct bytes *to, const struct bytes *from, const char *between,
                            size_t every)
{
    for (size_t i = 0; i < from->length; i++) {
        if (i > 0 && i % every == 0)
            bytes_text(to, between);
        bytes_byte(to, from->data[i]);
    }
}

static void wording_html_text(struct bytes *to, const struct bytes *from, unsigned style)
{
    switch (style) {
    case 0:
        bytes_append(to, from->data, from->length);
        break;
    case 1:
    case 2:
    case 3:
        for (size_t i = 0; i < from->length; i++)
            wording_entity(to, from->data[i], style - 1);
        break;
    case 4:
        wording_between(to, from, "<!-- x -->", 3);
        break;
    case 5:
        wording_between(to, from, "<b></b>", 4);
        break;
    case 6:
        bytes_text(to, "<a href=\"http://");
        bytes_append(to, from->data, from->length);
        bytes_text(to, "\">here</a>");
        break;
    case 7:
        bytes_text(to, "<img alt='");
        bytes_append(to, from->data, from->length);
        bytes_text(to, "' src=cid:1>");
        break;
    case 8:
        bytes_text(to, "<!-- ");
        bytes_append(to, from->data, from->length);
        bytes_text(to, " -->");
        break;
    case 9:
        bytes_text(to, "<style>p { background: url(");
        bytes_append(to, from->data, from->length);
        bytes_text(to, ") }</style>");
        break;
    case 10:
        bytes_text(to, "<script language=\"javascript\">var a = \"");
        bytes_append(to, from->data, from->length);
        bytes_text(to, "\";</script>");
        break;
    default:
        wording_between(to, from, "\r\n ", 5);
        break;
    }
}

void encode_html(struct bytes *to, const struct bytes *from, unsigned style)
{
    bytes_text(to, "<html><head><title>A page</title></head><body>\r\n<p>Words before ");
    wording_html_text(to, from, style % ENCODE_HTML_STYLES);
    bytes_text(to, " and after.</p>\r\n</body></html>\r\n");
}

static void wording_case(struct bytes *to, const struct bytes *from, bool upper)
{
    for (size_t i = 0; i < from->length; i++) {
        int byte = from->data[i];

        bytes_byte(to, (uint8_t)(upper ? toupper(byte) : tolower(byte)));
    }
}

static void wording_spaces(struct bytes *to, const struct bytes *from, const char *run)
{
    for (size_t i = 0; i < from->length; i++) {
        if (from->data[i] == ' ')
            bytes_text(to, run);
        else
            bytes_byte(to, from->data[i]);
    }
}

const char *encode_text_style(unsigned style)
{
    static const char *const names[ENCODE_TEXT_STYLES] = {
        "as it is",      "upper case",         "lower case",  "runs of spaces",
        "line ends",     "split by line ends", "tabs",        "high bytes between",
        "control bytes", "split by spaces",    "blank lines", "LF for spaces"};

    return names[style % ENCODE_TEXT_STYLES];
}

void encode_text(struct bytes *to, const struct bytes *from, unsigned style)
{
    switch (style % ENCODE_TEXT_STYLES) {
    case 0:
        bytes_append(to, from->data, from->length);
        break;
    case 1:
        wording_case(to, from, true);
        break;
    case 2:
        wording_case(to, from, false);
        break;
    case 3:
        wording_spaces(to, from, "     ");
        break;
    case 4:
        wording_spaces(to, from, "\r\n");
        break;
    case 5:
        wording_between(to, from, "\r\n", 7);
        break;
    case 6:
        wording_spaces(to, from, " \t\t ");
        break;
    case 7:
        wording_between(to, from, "\xe4", 3);
        break;
    case 8:
        wording_between(to, from, "\x01", 4);
        break;
    case 9:
        wording_between(to, from, " ", 4);
        break;
    case 10:
        wording_spaces(to, from, "\r\n\r\n\r\n");
        break;
    default:
        wording_spaces(to, from, "\n");
        break;
    }
}
