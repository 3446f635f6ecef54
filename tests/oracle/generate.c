#include "tests/oracle/generate.h"

#include <string.h>

#include "tests/oracle/encode.h"
#include "tests/oracle/mail.h"
#include "tests/oracle/place.h"

#define GENERATE_DEPTH_MAX 4u
#define PICK(random, list) ((list)[random_below((random), sizeof(list) / sizeof((list)[0]))])

struct generate {
    struct bytes *to;
    const struct samples *samples;
    struct random *random;
    unsigned boundaries;
};

static bool chance(const struct generate *work, unsigned percent)
{
    return random_chance(work->random, percent * 100);
}

/* Sometimes one of the payloads. */
static void generate_sample(struct bytes *to, const struct generate *work, unsigned percent)
{
    const struct bytes *payload;
    unsigned style;

    if (work->samples->count == 0 || !chance(work, percent))
        return;
    payload = &work->samples->entries[random_below(work->random, work->samples->count)].payload;
    style = chance(work, 50) ? 0 : (unsigned)random_below(work->random, ENCODE_TEXT_STYLES);
    encode_text(to, payload, style);
}

static void generate_spaces(struct bytes *to, const struct generate *work)
{
    static const char *const spaces[] = {" ",    " ",        "  ",    "\t",
                                         "\r\n", "\r\n\r\n", " \r\n", "\r\n "};

    bytes_text(to, PICK(work->random, spaces));
}

static void generate_text(struct bytes *to, const struct generate *work, size_t length)
{
    static const char *const pieces[] = {
        "caf\xe9",
        "na\xc3\xafve",
        "\xe2\x82\xac",
        "\xa0",
        "\x01",
        "\x7f",
        "e-mail:",
        "Subject: x",
        "http://www.example.org/a?b=c&d=e",
        "user@example.net",
        "-----",
        "=====",
        "> quoted",
        ">From here",
        "1234567890",
        "AAAA",
        "....",
        "{}[]|\\",
        "Content-words",
        "\"quoted\"",
        "(parentheses)",
        "<angle>",
        "&amp;",
        "=3D",
        "%20",
        "begin",
        "end",
        "\r\n--\r\n-- \r\nName",
        "Q29udGVudA==",
        "MIME",
        "Received",
        "Hello, World!",
        "\xff\xfe",
        "\xef\xbb\xbf",
        "~",
        "_",
    };
    size_t end = to->length + length;
    size_t column = 0;

    while (to->length < end) {
        size_t before = to->length;

        if (chance(work, 75))
            place_words(to, 1, work->random);
        else
            bytes_text(to, PICK(work->random, pieces));
        if (to->length > before + 2 && to->data[to->length - 1] == '\n')
            to->length -= 2;
        column += to->length - before;
        if (column > 60) {
            bytes_text(to, "\r\n");
            column = 0;
        } else {
            generate_spaces(to, work);
        }
    }
}

static void generate_attribute(struct bytes *to, const struct generate *work)
{
    static const char *const names[] = {"href", "src",  "class", "style", "alt",  "color",
                                        "HREF", "name", "type",  "value", "width"};
    static const char *const values[] = {"http://www.example.org/",
                                         "x",
                                         "\"a b\"",
                                         "'c d'",
                                         "#fff",
                                         "cid:1",
                                         "\"&#104;&#105;\"",
                                         "\"\"",
                                         "1",
                                         "mailto:a@example.net",
                                         "\"MiXeD\"",
                                         "'a\"b'"};

    bytes_format(to, "%s%s", chance(work, 90) ? " " : "\r\n  ", PICK(work->random, names));
    if (chance(work, 85))
        bytes_format(to, "%s%s", chance(work, 90) ? "=" : " = ", PICK(work->random, values));
}

static void generate_tag(struct bytes *to, const struct generate *work)
{
    static const char *const tags[] = {
        "p",  "b",  "BR", "a",  "img",   "table", "td",    "tr",   "div",   "span",   "font",
        "h1", "li", "ul", "hr", "style", "form",  "input", "meta", "title", "center", "o:p"};

    bytes_format(to, "<%s%s", chance(work, 30) ? "/" : "", PICK(work->random, tags));
    for (unsigned i = 0; i < 3 && chance(work, 40); i++)
        generate_attribute(to, work);
    bytes_text(to, chance(work, 96) ? ">" : " />");
}

static void generate_html(struct bytes *to, const struct generate *work, size_t length)
{
    static const char *const odd[] = {
        "&amp;",
        "&lt;",
        "&nbsp;",
        "&eacute;",
        "&#65;",
        "&#x42;",
        "&#9;",
        "&#233;",
        "&#8364;",
        "&#",
        "&",
        "&unknown;",
        "<!-- comment -->",
        "<!-- a > b -->",
        "<!---->",
        "<!DOCTYPE html>",
        "<![if x]>",
        "\xe9",
        "\xc3\xa9",
        "<",
        ">",
        "%41",
        "&#0065",
        "&#x4g;",
        "<?xml ?>",
        "\x01",
        "<script>var a = 1;</script>",
        "<%@ x %>",
        "<img src=\"data:text/plain;base64,AAAA\">",
    };
    size_t end = to->length + length;

    bytes_text(to, chance(work, 80) ? "<html><body>" : "<HTML>\r\n");
    while (to->length < end) {
        unsigned kind = (unsigned)random_below(work->random, 10);

        if (kind < 5)
            generate_text(to, work, (size_t)random_below(work->random, 60));
        else if (kind < 9)
            generate_tag(to, work);
        else
            bytes_text(to, odd[random_below(work->random, chance(work, 97) ? 26 : 29)]);
        generate_sample(to, work, 1);
    }
    bytes_text(to, "</body></html>\r\n");
}

static void generate_binary(struct bytes *to, const struct generate *work, size_t length)
{
    static const char *const starts[] = {"",
                                         "",
                                         "",
                                         "\x01",
                                         "\x89\x50",
                                         "{",
                                         "\x1f\x8b",
                                         "II*",
                                         "RIFF",
                                         "OggS",
                                         "ID3",
                                         "\xff\xfb",
                                         "%!",
                                         "#!/bin/sh\n",
                                         "BM",
                                         "MZ",
                                         "\xd0\xcf\x11\xe0",
                                         "PK",
                                         "\177ELF",
                                         "ustar"};
    unsigned kind = (unsigned)random_below(work->random, 5);

    bytes_text(to, PICK(work->random, starts));
    for (size_t i = 0; i < length; i++) {
        uint64_t byte = random_next(work->random);

        switch (kind) {
        case 0:
            byte &= 0xff;
            break;
        case 1:
            byte &= 3;
            break;
        case 2:
            byte = chance(work, 50) ? 0 : byte & 0xff;
            break;
        case 3:
            byte = chance(work, 90) ? 'a' + byte % 26 : byte & 0xff;
            break;
        default:
            byte = 0x80 | (byte & 0x7f);
            break;
        }
        bytes_byte(to, (uint8_t)byte);
    }
}

/* A size as parts have them: mostly some hundred bytes, sometimes past the library's windows. */
static size_t generate_size(const struct generate *work)
{
    if (chance(work, 2))
        return (size_t)random_between(work->random, 130000, 150000);
    if (chance(work, 8))
        return (size_t)random_between(work->random, 7900, 8500);
    return (size_t)random_size(work->random, 0, 3000);
}

static void generate_content(struct bytes *body, const struct generate *work, unsigned kind)
{
    struct bytes inner = {0};
    size_t length = generate_size(work);

    switch (kind) {
    case 0:
        generate_html(body, work, length);
        break;
    case 1:
        generate_binary(body, work, length);
        generate_sample(body, work, 15);
        break;
    case 2:
        generate_text(&inner, work, length % 500);
        generate_sample(&inner, work, 15);
        if (chance(work, 50))
            encode_png(body, &inner);
        else
            encode_gif(body, &inner);
        break;
    case 3:
        generate_binary(&inner, work, length);
        generate_sample(&inner, work, 15);
        encode_base64(body, inner.data, inner.length, 76);
        break;
    default:
        generate_text(body, work, length / 2);
        generate_sample(body, work, 15);
        generate_text(body, work, length / 2);
        break;
    }
    bytes_free(&inner);
}

static void generate_header(const struct generate *work, const char *type, const char *encoding,
                            const char *name)
{
    static const char *const extra[] = {
        "Content-ID: <part1@example.net>\r\n", "Content-Description: a part\r\n",
        "Content-Language: en\r\n", "X-Part: 1\r\n", "Content-Location: a.html\r\n"};
    struct bytes *to = work->to;

    if (type != NULL) {
        bytes_format(to, "%s: %s", chance(work, 90) ? "Content-Type" : "content-type", type);
        if (strncmp(type, "text/", 5) == 0 && chance(work, 60))
            bytes_format(to, ";%scharset=%s", chance(work, 70) ? " " : "\r\n\t",
                         chance(work, 50) ? "us-ascii" : "\"utf-8\"");
        if (name != NULL && chance(work, 60))
            bytes_format(to, "; name=%s%s%s", chance(work, 80) ? "\"" : "", name,
                         to->data[to->length - 1] == '"' ? "\"" : "");
        while (to->data[to->length - 1] == ' ')
            to->length--;
        bytes_text(to, "\r\n");
    }
    if (encoding != NULL)
        bytes_format(to, "Content-Transfer-Encoding: %s\r\n", encoding);
    if (name != NULL && chance(work, 60))
        bytes_format(to, "Content-Disposition: %s;\r\n filename=\"%s\"\r\n",
                     chance(work, 70) ? "attachment" : "inline", name);
    if ((type == NULL && encoding == NULL && name == NULL) || chance(work, 15))
        bytes_text(to, PICK(work->random, extra));
    if (chance(work, 5))
        generate_sample(to, work, 50);
}

static void generate_body(const struct generate *work, const char *encoding,
                          const struct bytes *body)
{
    struct bytes *to = work->to;

    if (encoding != NULL && strcmp(encoding, "base64") == 0)
        encode_base64(to, body->data, body->length, chance(work, 80) ? 76 : 64);
    else if (encoding != NULL && strcmp(encoding, "quoted-printable") == 0)
        encode_quoted_printable(to, body, chance(work, 50), work->random);
    else
        bytes_append(to, body->data, body->length);
    if (body->length > 0 && to->data[to->length - 1] != '\n')
        bytes_text(to, "\r\n");
}

static void generate_entity_leaf(const struct generate *work)
{
    static const char *const texts[] = {"text/plain", "text/plain",   "text/plain",
                                        "text/csv",   "text/x-diff",  "text/calendar",
                                        "text/css",   "text/enriched"};
    static const char *const files[] = {"application/octet-stream",
                                        "application/x-data",
                                        "audio/basic",
                                        "video/mpeg",
                                        "application/pgp-signature",
                                        "model/x",
                                        "application/json"};
    static const char *const encodings[] = {"7bit",   "8bit", "quoted-printable",
                                            "base64", "8bit", "binary"};
    static const char *const names[] = {"notes.txt",   "a.bin",     "planted-name.exe",
                                        "photo.png",   "page.html", "x",
                                        "invoice.pdf", "a b.doc",   "r\xe9sum\xe9.txt"};
    unsigned kind = (unsigned)random_below(work->random, 8);
    const char *type = PICK(work->random, texts);
    const char *encoding = PICK(work->random, encodings);
    const char *name = chance(work, 25) ? PICK(work->random, names) : NULL;
    struct bytes body = {0};

    if (kind == 0)
        type = chance(work, 90) ? "text/html" : type;
    else if (kind == 1)
        type = PICK(work->random, files);
    else if (kind == 2)
        type = chance(work, 50) ? "image/png" : "image/gif";
    if (kind == 1 || kind == 2)
        encoding = chance(work, 95) ? "base64" : encoding;
    if (chance(work, 5))
        type = NULL;
    if (chance(work, 10) && kind != 1 && kind != 2)
        encoding = NULL;
    generate_content(&body, work, kind);
    generate_header(work, type, encoding, name);
    bytes_text(work->to, "\r\n");
    generate_body(work, encoding, &body);
    bytes_free(&body);
}

static void generate_entity(struct generate *work, unsigned depth)
{
    static const char *const kinds[] = {"mixed",   "mixed",  "alternative", "alternative",
                                        "related", "report", "signed",      "digest"};
    static const char *const stems[] = {
        "----=_NextPart_000_0001", "edge", "=_", "Apple-Mail-1", "--b", "0123456789", "a.b-c_d"};
    char boundary[64] = "";
    unsigned parts = (unsigned)random_between(work->random, 1, 4);
    struct bytes name = {0};

    if (depth >= GENERATE_DEPTH_MAX || chance(work, depth == 0 ? 40 : 75)) {
        generate_entity_leaf(work);
        return;
    }
    bytes_format(&name, "%s%u", PICK(work->random, stems), work->boundaries++);
    memcpy(boundary, name.data, name.length < sizeof(boundary) ? name.length : 63);
    bytes_free(&name);
    bytes_format(work->to, "Content-Type: multipart/%s;%sboundary=\"%s\"\r\n\r\n",
                 PICK(work->random, kinds), chance(work, 50) ? " " : "\r\n\t", boundary);
    if (chance(work, 40))
        bytes_text(work->to, "This is a multi-part message in MIME format.\r\n");
    if (chance(work, 3))
        generate_text(work->to, work, 60);
    for (unsigned i = 0; i < parts; i++) {
        bytes_format(work->to, "%s--%s\r\n", chance(work, 70) ? "\r\n" : "", boundary);
        generate_entity(work, depth + 1);
    }
    if (chance(work, 99))
        bytes_format(work->to, "\r\n--%s--\r\n", boundary);
    if (chance(work, 3))
        generate_text(work->to, work, 60);
}

void generate_message(struct bytes *message, const struct samples *samples, struct random *random)
{
    static const char *const fields[] = {
        "Message-ID: <1@example.net>\r\n",
        "X-Mailer: Words 1.0\r\n",
        "Reply-To: b@example.net\r\n",
        "X-Long: folded\r\n\tfield of\r\n several lines\r\n",
        "Date: Mon, 3 Jan 2022 10:00:00 +0100\r\n",
        "Subject: =?utf-8?Q?caf=C3=A9?=\r\n",
        "Subject: plain words (here)\r\n",
        "To: <user@example.org>\r\n",
        "From: \"A, B\" <a@example.net>\r\n",
        "Return-Path: <a@example.net>\r\n",
        "Received: from a by b; Mon, 3 Jan 2022 10:00:00 +0100\r\n",
        "List-Id: x <y.example.net>\r\n"};
    struct generate work = {.to = message, .samples = samples, .random = random};
    unsigned count = (unsigned)random_between(random, 1, 5);

    message->length = 0;
    mail_trace(message);
    for (unsigned i = 0; i < count; i++)
        bytes_text(message, PICK(random, fields));
    if (chance(&work, 5)) {
        bytes_text(message, "X-Words: ");
        generate_sample(message, &work, 100);
        bytes_text(message, "\r\n");
    }
    if (chance(&work, 85))
        bytes_text(message, "MIME-Version: 1.0\r\n");
    generate_entity(&work, 0);
}

void generate_leaf(struct bytes *to, const struct samples *samples, struct random *random)
{
    const struct generate work = {.to = to, .samples = samples, .random = random};

    generate_entity_leaf(&work);
}
