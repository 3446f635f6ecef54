/* Formats by their magic numbers: which the engine calls clean without having opened them, and who
 * opens them then. docs/opening.md has the table of what was tried.
 */
#include <string.h>

#include "signatures/content/hint/formats.h"
#include "signatures/content/open/internal.h"

enum formats_way {
    FORMATS_UNPACK,
    FORMATS_UNPACK_IF, /* the magic is short: it may be something else */
    FORMATS_RAR,
    FORMATS_NAME, /* nobody here opens it */
};

struct format {
    const char *kind;
    size_t offset;
    const char *magic;
    size_t length;
    enum formats_way way;
    enum unpack_format unpack;
};

static const struct format formats[] = {
#define X(kind, offset, magic, way, unpack) \
    {kind, offset, magic, sizeof(magic) - 1, FORMATS_##way, UNPACK_##unpack},
    HINT_FORMAT_LIST(X)
#undef X
};

/* Programs that unpack themselves carry a RAR archive behind them. */
#define FORMATS_RAR_MAGIC "Rar!\x1a\x07"

static bool formats_has(struct open_span span, const struct format *format)
{
    return span.length >= format->offset + format->length &&
           memcmp(span.at + format->offset, format->magic, format->length) == 0;
}

static bool formats_one(struct opener *opener, struct open_span span, const struct format *format,
                        const char *name)
{
    if (format->way == FORMATS_NAME) {
        open_finds(opener, UNSCANNABLE_UNSUPPORTED, format->kind);
        return true;
    }
    if (format->way == FORMATS_RAR)
        return rar_open(opener, span, false, name);
    return unpack_open(opener, span, format->unpack, format->kind, format->way == FORMATS_UNPACK_IF,
                       name);
}

/* In a program: archives that somebody has put behind it. */
static bool formats_behind(struct opener *opener, struct open_span span, const char *name)
{
    const uint8_t *found;

    if (!open_starts(span, "MZ", 2) && !open_starts(span, "\x7f\x45LF", 4))
        return true;
    found = memmem(span.at, span.length, FORMATS_RAR_MAGIC, strlen(FORMATS_RAR_MAGIC));
    while (found != NULL) {
        size_t left = span.length - (size_t)(found - span.at);

        if (left > 16 && (found[6] == 0 || (found[6] == 1 && found[7] == 0)))
            return rar_open(opener, (struct open_span){found, left}, true, name);
        found = memmem(found + 1, left - 1, FORMATS_RAR_MAGIC, strlen(FORMATS_RAR_MAGIC));
    }
    return true;
}

bool formats_open(struct opener *opener, struct open_span span, const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (formats_has(span, &formats[i]))
            return formats_one(opener, span, &formats[i], name);
    }
    if (open_starts(span, "PK", 2))
        return zip_open(opener, span, name);
    if (open_starts(span, "\x60\xea", 2))
        arj_look(opener, span);
    else if (open_starts(span, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8))
        ole2_look(opener, span);
    else if (arc_is(span))
        open_finds(opener, UNSCANNABLE_UNSUPPORTED, "arc");
    else
        return formats_behind(opener, span, name) && unpack_brotli(opener, span, name);
    return true;
}
