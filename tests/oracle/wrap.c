#include "tests/oracle/wrap.h"

#include "tests/oracle/encode.h"
#include "tests/oracle/place.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FRAME_FIRST  14u /* the format that is the first of wrap_frames */
#define FRAME_BASE64 18u

/* Formats that pack the payload: false when the format is none of these. */
static bool wrap_pack(struct bytes *body, unsigned format, const struct bytes *inner,
                      const struct bytes *payload, struct random *random)
{
    struct bytes packed = {0};

    switch (format) {
    case 0:
        encode_zip(body, inner, "inside.txt");
        break;
    case 1:
        encode_zip(&packed, inner, "inside.txt");
        encode_zip(body, &packed, "inside.zip");
        break;
    case 2:
        encode_png(body, inner);
        break;
    case 3:
        encode_gif(body, inner);
        break;
    case 4:
        bytes_text(&packed, "words");
        encode_png(body, &packed);
        encode_zip(body, inner, "inside.txt");
        break;
    case 5:
        bytes_text(&packed, "words");
        encode_gif(body, &packed);
        encode_html(body, payload, 0);
        break;
    case 6:
        place_words(body, 100, random);
        encode_zip(body, inner, "inside.txt");
        break;
    case 7:
        encode_utf16(body, inner, random_chance(random, 5000), true);
        break;
    case 9:
        encode_utf16(body, inner, false, false);
        break;
    case 10:
        encode_html(&packed, payload, 0);
        encode_utf16(body, &packed, random_chance(random, 5000), true);
        break;
    case 11:
        place_words(body, 100, random);
        encode_uuencode(body, inner, "file.txt");
        break;
    case 12:
        place_words(body, 100, random);
        encode_yenc(body, inner, "file.txt");
        break;
    case 13:
        place_words(body, 100, random);
        encode_binhex(body, inner, "file.txt");
        break;
    default:
        return false;
    }
    bytes_free(&packed);
    return true;
}

/* Formats that show the payload as it is, between bytes of their own. */
static const struct wrap_frame {
    const char *before;
    size_t before_bytes;
    const char *after;
} wrap_frames[] = {
#define FRAME(before, after)              \
    {                                     \
        before, sizeof(before) - 1, after \
    }
    FRAME("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xfe\x01\x10", "\xff\xd9"),
    FRAME("{\\rtf1 ", "}"),
    FRAME("%PDF-1.4\r\n1 0 obj\r\n<< >>\r\nstream\r\n",
          "endstream\r\nendobj\r\ntrailer << >>\r\n%%EOF\r\n"),
    FRAME("<?xml version=\"1.0\"?>\r\n<doc>", "</doc>\r\n"),
    FRAME("<html><body><img src=\"data:image/png;base64,", "\"></body></html>\r\n"),
    FRAME("From: x@example.net\r\nTo: y@example.org\r\nSubject: inner\r\n\r\n", ""),
#undef FRAME
};

static void wrap_between(struct bytes *body, const struct wrap_frame *frame,
                         const struct bytes *inner, bool base64)
{
    bytes_append(body, frame->before, frame->before_bytes);
    if (base64)
        encode_base64(body, inner->data, inner->length, 4096);
    else
        bytes_append(body, inner->data, inner->length);
    bytes_text(body, frame->after);
}

void wrap_bytes(struct bytes *body, unsigned format, const struct bytes *inner,
                const struct bytes *payload, struct random *random)
{
    if (format >= FRAME_FIRST && format < FRAME_FIRST + COUNT(wrap_frames)) {
        wrap_between(body, &wrap_frames[format - FRAME_FIRST], inner, format == FRAME_BASE64);
    } else if (!wrap_pack(body, format, inner, payload, random)) {
        for (unsigned i = 0; i < 64; i++)
            bytes_append(body, "\0\1\xf0\x90", 4);
        bytes_append(body, payload->data, payload->length);
        bytes_append(body, "\0\0\xff\3", 4);
    }
}
