/* Formats by their magic numbers: which the engine calls clean without having opened them, and who
 * opens them then. docs/opening.md has the table of what was tried.
 */
#include <string.h>

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

#define MAGIC(text) text, sizeof(text) - 1

static const struct format formats[] = {
    {"rar", 0, MAGIC("Rar!\x1a\x07"), FORMATS_RAR, UNPACK_RAR},
    {"rar", 0, MAGIC("RE\x7e\x5e"), FORMATS_NAME, UNPACK_RAR}, /* of before 1.50 */
    {"7z", 0, MAGIC("7z\xbc\xaf\x27\x1c"), FORMATS_UNPACK, UNPACK_7ZIP},
    {"ar", 0, MAGIC("!<arch>\n"), FORMATS_UNPACK, UNPACK_AR},
    {"warc", 0, MAGIC("WARC/"), FORMATS_UNPACK_IF, UNPACK_WARC},
    {"zstd", 0, MAGIC("\x28\xb5\x2f\xfd"), FORMATS_UNPACK, UNPACK_COMPRESSED},
    {"zstd", 1, MAGIC("\x2a\x4d\x18"), FORMATS_UNPACK_IF, UNPACK_COMPRESSED}, /* skipped frames */
    {"lzip", 0, MAGIC("LZIP\x01"), FORMATS_UNPACK, UNPACK_COMPRESSED},
    {"lz4", 0, MAGIC("\x04\x22\x4d\x18"), FORMATS_UNPACK, UNPACK_COMPRESSED},
    {"lz4", 0, MAGIC("\x02\x21\x4c\x18"), FORMATS_UNPACK, UNPACK_COMPRESSED},
    {"compress", 0, MAGIC("\x1f\x9d"), FORMATS_UNPACK_IF, UNPACK_COMPRESSED},
    {"lzma", 0, MAGIC("\x5d\0\0"), FORMATS_UNPACK_IF, UNPACK_COMPRESSED},
    {"rpm", 0, MAGIC("\xed\xab\xee\xdb"), FORMATS_UNPACK, UNPACK_COMPRESSED},
    {"lzop", 0, MAGIC("\x89LZO\0\r\n\x1a\n"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"lrzip", 0, MAGIC("LRZI\0"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"rzip", 0, MAGIC("RZIP\x02"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"zoo", 20, MAGIC("\xdc\xa7\xc4\xfd"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"ace", 7, MAGIC("**ACE**"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"zpaq", 0, MAGIC("7kSt\xa0\x31\x83\xd3\x8c\xb2\x28\xb0\xd3"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"zpaq", 0, MAGIC("zPQ\x01\x01"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"zpaq", 0, MAGIC("zPQ\x02\x01"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"stuffit", 0, MAGIC("StuffIt (c)1997"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"stuffit", 10, MAGIC("rLau"), FORMATS_NAME, UNPACK_COMPRESSED}, /* SIT!, and a count */
    {"squashfs", 0, MAGIC("hsqs"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"wim", 0, MAGIC("MSWIM\0\0\0\xd0\0\0\0"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"vhd", 0, MAGIC("conectix"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"vhdx", 0, MAGIC("vhdxfile"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"vmdk", 0, MAGIC("KDMV"), FORMATS_NAME, UNPACK_COMPRESSED},
    {"qcow", 0, MAGIC("QFI\xfb\0\0\0"), FORMATS_NAME, UNPACK_COMPRESSED},
};

#undef MAGIC

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
