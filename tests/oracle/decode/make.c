#include "tests/oracle/decode/make.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAKE_DEPTH_MAX 3u
#define MAKE_ALPHABET  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

static uint64_t make_state;

static uint32_t make_random(uint32_t below)
{
    make_state ^= make_state << 13;
    make_state ^= make_state >> 7;
    make_state ^= make_state << 17;
    return (uint32_t)(make_state >> 20) % below;
}

static bool make_chance(uint32_t of_100)
{
    return make_random(100) < of_100;
}

void made_append(struct made_text *text, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    if (text->length + length > text->room) {
        text->room = (text->length + length) * 2 + 256;
        text->bytes = realloc(text->bytes, text->room);
        if (text->bytes == NULL)
            abort();
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void make_put(struct made_text *text, const char *string)
{
    made_append(text, string, strlen(string));
}

__attribute__((format(printf, 2, 3))) static void make_format(struct made_text *text,
                                                              const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    // The analyzer loses va_start() here. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized)
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    make_put(text, line);
}

/* A line without its end. */
static void make_line(struct made_text *text)
{
    static const char *const words[] = {
        "a",    "The",      "quick", "brown=fox", "jumps;", "over",
        "QUJD", "Zm9v==",   "1234",  "x=y",       ";",      "<b>",
        "</b>", "\xc3\xa4", "\xff",  "\t",        "  ",     "http://example.com/?a=b",
        "=",    "+/",       ".",     "<html>",    "&amp;",  "\v",
        "-",    "Subject:", "From",  "\x01",      "(x)",    "\"",
    };
    static const char *const odd[] = {
        "",     "",   "",    " ",           "  ",          "\t",          " \t ",  "\v", "\f \v",
        ";",    ";;", " ; ", ";\t;",        "; x",         " ;\v",        "=",     "==", "QUJ",
        "QUJD", "Q",  "A=A", " QUJDRA==  ", "   indented", "trailing   ", "\t\tx",
    };
    unsigned count = make_random(12);

    if (make_chance(50)) {
        make_put(text, odd[make_random(sizeof(odd) / sizeof(odd[0]))]);
        return;
    }
    for (unsigned i = 0; i <= count; i++) {
        make_put(text, words[make_random(sizeof(words) / sizeof(words[0]))]);
        if (make_chance(70))
            make_put(text, " ");
    }
    if (make_chance(5)) {
        for (unsigned i = make_random(700); i > 0; i--)
            make_put(text, make_chance(90) ? "L" : make_chance(50) ? "=" : " ");
    }
}

static void make_plain(struct made_text *text, unsigned depth)
{
    unsigned count = make_chance(10) ? make_random(3) : make_random(make_chance(10) ? 400 : 14);

    for (unsigned i = 0; i < count; i++) {
        make_line(text);
        if (i + 1 < count || (depth == 0 ? make_chance(90) : make_chance(30)))
            make_put(text, "\r\n");
    }
}

static void make_quoted(struct made_text *text, unsigned depth)
{
    static const char *const tokens[] = {
        "=3D",
        "=20",
        "=0A",
        "=0D=0A",
        "=E4=f6",
        "=\r\n",
        "=\r\n",
        "word",
        "Two Words",
        " ",
        "=09",
        "\r\n",
        ";",
        "\t",
        "=\r\n\r\n",
        "\r\n \r\n",
        "\r\n;\r\n",
        "\r\n\r\n\r\n",
        "<a href=3D\"x\">",
        "=2E",
        "=7f",
        "z",
        "=01",
        "\v",
    };
    unsigned count = make_random(make_chance(10) ? 300 : 25);

    for (unsigned i = 0; i < count; i++)
        make_put(text, tokens[make_random(sizeof(tokens) / sizeof(tokens[0]))]);
    if (make_chance(1))
        make_put(text, make_chance(50) ? "=XY" : "= \r\n");
    if (depth == 0 && make_chance(90))
        make_put(text, "\r\n");
}

static void make_base64(struct made_text *text, unsigned depth)
{
    static const unsigned widths[] = {76, 76, 76, 72, 64, 60, 4, 7, 1, 75, 988};
    unsigned width = widths[make_random(sizeof(widths) / sizeof(widths[0]))];
    unsigned length = make_random(make_chance(10) ? 20000 : 300);
    bool binary = make_chance(50);
    unsigned column = 0;

    for (unsigned i = 0; i < length; i += 3) {
        unsigned left = length - i < 3 ? length - i : 3;
        uint32_t bits = 0;

        for (unsigned k = 0; k < 3; k++)
            bits = bits << 8 | (k >= left ? 0
                                : binary  ? make_random(256)
                                          : (uint8_t) "plain text <b> \r\n ;=\tx"[make_random(23)]);
        for (unsigned k = 0; k < 4; k++) {
            char character = k > left ? '=' : MAKE_ALPHABET[bits >> (18 - 6 * k) & 0x3f];

            made_append(text, &character, 1);
            if (++column == width) {
                /* Not inside the padding. */
                if (character != '=' || k == 3) {
                    make_put(text, make_chance(3) ? "\r\n\r\n" : "\r\n");
                    column = 0;
                }
            }
        }
    }
    if (make_chance(1))
        make_put(text, make_chance(50) ? "=" : "A");
    if (depth == 0 || make_chance(20))
        make_put(text, "\r\n");
}

struct make_media {
    const char *type;
    enum mime_media media;
};

static const struct make_media make_medias[] = {
    {"text/plain", MIME_MEDIA_TEXT_PLAIN},
    {"text/plain", MIME_MEDIA_TEXT_PLAIN},
    {"text/html", MIME_MEDIA_TEXT_HTML},
    {"text/html", MIME_MEDIA_TEXT_HTML},
    {"text/csv", MIME_MEDIA_TEXT_OTHER},
    {"image/png", MIME_MEDIA_IMAGE},
    {"audio/mpeg", MIME_MEDIA_AUDIO},
    {"video/mp4", MIME_MEDIA_VIDEO},
    {"application/octet-stream", MIME_MEDIA_APPLICATION},
    {"application/x-thing", MIME_MEDIA_APPLICATION},
    {"x-world/x-vrml", MIME_MEDIA_OTHER},
    {"chemical/x-pdb", MIME_MEDIA_OTHER},
    {"", MIME_MEDIA_TEXT_PLAIN}, /* no field */
};

enum make_place { MAKE_ALONE, MAKE_MIXED, MAKE_RELATED, MAKE_SIGNED };

/* Whether libclamav decodes it as base64 besides (message.c messageExport, mbox.c). */
static bool make_forced(const struct made_part *made, enum make_place place, bool disposition,
                        bool type_name)
{
    enum mime_media media = made->part.media;
    bool application = media == MIME_MEDIA_APPLICATION || media == MIME_MEDIA_OTHER;
    bool text = media == MIME_MEDIA_TEXT_HTML || media == MIME_MEDIA_TEXT_OTHER;
    bool alone = place == MAKE_ALONE || place == MAKE_SIGNED;

    if (disposition)
        return made->part.encoding == MIME_ENCODING_7BIT;
    /* saveTextPart() names it "textportion", do_multipart() "mixedtextportion". */
    if (made->part.encoding == MIME_ENCODING_7BIT)
        return type_name || text || (alone && !application);
    /* But checkURLs() comes before both. */
    return made->part.encoding == MIME_ENCODING_NONE && type_name &&
           (!alone || application || text || media == MIME_MEDIA_TEXT_PLAIN);
}

static void make_leaf(struct made_mail *mail, unsigned depth, enum make_place place,
                      const struct make_media *media)
{
    static const char *const encodings[] = {NULL,    "7bit", "8bit", "binary", "quoted-printable",
                                            "base64"};
    struct made_part *made = &mail->parts[mail->part_count];
    unsigned disposition = make_random(4); /* 0, 1: none; 2: inline; 3: attachment */
    bool type_name = media->type[0] != '\0' && make_chance(25);
    bool file_name = disposition > 1 && make_chance(60);
    unsigned encoding = make_random(6);

    *made = (struct made_part){.scanned = true};
    made->part = (struct mime_part){
        .number = mail->part_count++,
        .depth = depth,
        .media = media->media,
        .encoding = (enum mime_encoding)encoding,
        .attachment = disposition == 3,
        .related = place == MAKE_RELATED,
    };
    (void)snprintf(made->type, sizeof(made->type), "%s", media->type);
    made->part.type = made->type;
    if (media->type[0] != '\0')
        make_format(&mail->text, "Content-Type: %s%s\r\n", media->type,
                    type_name ? "; name=\"t.bin\"" : "");
    else if (depth > 0)
        make_put(&mail->text, "X-Part: yes\r\n");
    if (encodings[encoding] != NULL)
        make_format(&mail->text, "Content-Transfer-Encoding: %s\r\n", encodings[encoding]);
    if (disposition > 1)
        make_format(&mail->text, "Content-Disposition: %s%s\r\n",
                    disposition == 2 ? "inline" : "attachment",
                    file_name ? "; filename=\"f.bin\"" : "");
    if (type_name || file_name) {
        (void)snprintf(made->name, sizeof(made->name), "%s", file_name ? "f.bin" : "t.bin");
        made->part.name = (const uint8_t *)made->name;
        made->part.name_length = 5;
    }
    made->part.unnamed =
        (place == MAKE_MIXED || (place == MAKE_RELATED && media->type[0] == 'i')) &&
        disposition < 2 && !type_name;
    made->forced = make_forced(made, place, disposition > 1, type_name);
    if (encoding == MIME_ENCODING_QUOTED_PRINTABLE)
        make_quoted(&made->body, depth);
    else if (encoding == MIME_ENCODING_BASE64)
        make_base64(&made->body, depth);
    else
        make_plain(&made->body, depth);
    make_put(&mail->text, "\r\n");
    made_append(&mail->text, made->body.bytes != NULL ? made->body.bytes : (const uint8_t *)"",
                made->body.length);
}

static void make_entity(struct made_mail *mail, unsigned depth, enum make_place place);

static const struct make_media *make_some_media(void)
{
    return &make_medias[make_random(sizeof(make_medias) / sizeof(make_medias[0]))];
}

static void make_child(struct made_mail *mail, unsigned depth, unsigned index,
                       enum make_place place, bool inner)
{
    static const struct make_media html = {"text/html", MIME_MEDIA_TEXT_HTML};
    static const struct make_media image = {"image/png", MIME_MEDIA_IMAGE};
    static const struct make_media signature = {"application/pgp-signature",
                                                MIME_MEDIA_APPLICATION};

    if (place == MAKE_RELATED) {
        make_leaf(mail, depth, place, index == 0 ? &html : &image);
    } else if (place == MAKE_SIGNED) {
        if (index == 0 && inner)
            make_entity(mail, depth, MAKE_MIXED);
        else
            make_leaf(mail, depth, place, index == 0 ? make_some_media() : &signature);
        /* The library takes one child only; the signature is not it. */
        if (index > 0)
            mail->parts[mail->part_count - 1].scanned = false;
    } else if (inner) {
        make_entity(mail, depth, place);
    } else {
        make_leaf(mail, depth, place, make_some_media());
    }
}

static void make_multipart(struct made_mail *mail, unsigned depth, enum make_place place)
{
    static const char *const kinds[] = {"mixed", "alternative", "report"};
    unsigned number = make_random(1000000);
    unsigned count = place == MAKE_SIGNED ? 2 : 1 + make_random(3);

    make_format(&mail->text, "Content-Type: multipart/%s; boundary=\"=_b%u.%u\"\r\n\r\n",
                place == MAKE_RELATED  ? "related"
                : place == MAKE_SIGNED ? "signed"
                                       : kinds[make_random(3)],
                depth, number);
    if (make_chance(20))
        make_put(&mail->text, "This is a preamble.\r\n\r\n");
    for (unsigned i = 0; i < count; i++) {
        bool inner = depth + 1 < MAKE_DEPTH_MAX && make_chance(25);

        make_format(&mail->text, "--=_b%u.%u\r\n", depth, number);
        make_child(mail, depth + 1, i, place, inner);
        make_put(&mail->text, "\r\n");
    }
    make_format(&mail->text, "--=_b%u.%u--%s", depth, number, depth == 0 ? "\r\n" : "");
}

/* An entity from its Content- fields on. */
static void make_entity(struct made_mail *mail, unsigned depth, enum make_place place)
{
    unsigned kind = make_random(10);

    if (depth == 0 && kind < 3)
        make_leaf(mail, 0, MAKE_ALONE, make_some_media());
    else if (depth == 0 && kind < 4)
        make_multipart(mail, depth, MAKE_RELATED);
    else if (depth == 0 && kind < 5)
        make_multipart(mail, depth, MAKE_SIGNED);
    else
        make_multipart(mail, depth, place == MAKE_ALONE ? MAKE_MIXED : place);
}

void make_mail(struct made_mail *mail, uint64_t number)
{
    make_state = (number + 1) * 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < 4; i++)
        (void)make_random(2);
    mail->part_count = 0;
    mail->text.length = 0;
    make_put(&mail->text,
             "Received: from a.example by b.example; Sat, 1 Jan 2022 00:00:00 +0000\r\n"
             "From: a@a.example\r\nSubject: generated\r\nMIME-Version: 1.0\r\n");
    make_entity(mail, 0, MAKE_ALONE);
}

void made_free(struct made_mail *mail)
{
    for (unsigned i = 0; i < mail->part_count; i++) {
        free(mail->parts[i].body.bytes);
        mail->parts[i].body = (struct made_text){0};
    }
    mail->part_count = 0;
    mail->over = false;
}
