#include "tests/oracle/mutate.h"

#include <ctype.h>
#include <string.h>

#include "tests/oracle/encode.h"
#include "tests/oracle/generate.h"
#include "tests/oracle/place.h"

#define MUTATE_BYTES_MAX 600000u /* messages do not grow beyond it */

struct mutate {
    struct bytes *message;
    const struct mails *others;
    const struct samples *samples;
    struct random *random;
};

static const char *const tokens[] = {
    "Content-Type: text/plain\r\n",
    "Content-Type: text/html\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: multipart/mixed; boundary=\"edge\"\r\n",
    "Content-Type: image/gif\r\n",
    "Content-Type: application/octet-stream; name=\"a.exe\"\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: 7bit\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Transfer-Encoding: 8bit\r\n",
    "Content-Transfer-Encoding: x-uuencode\r\n",
    "Content-Transfer-Encoding: bas64\r\n",
    "Content-Disposition: attachment; filename=\"b.txt\"\r\n",
    "Content-Disposition: inline\r\n",
    "MIME-Version: 1.0\r\n",
    "Delivered-To: a@example.net\r\n",
    "Received: from a by b\r\n",
    "From: a@example.net\r\n",
    "Subject: words\r\n",
    "Message-Id: <1@example.net>\r\n",
    "Date: Mon, 3 Jan 2022 10:00:00 +0100\r\n",
    "Return-Path: <a@example.net>\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r\n\r\n\r\n",
    "\n",
    "\r",
    "\r\n \r\n",
    "\r\n\t",
    " ",
    "\t",
    ";",
    "\"",
    "'",
    "(",
    ")",
    "(comment)",
    "\\",
    "=",
    "=\r\n",
    "=3D",
    "=00",
    "=0A",
    "=E9",
    "==",
    "--",
    "--edge",
    "--edge--",
    "--edge\r\n",
    "--edge--\r\n",
    "begin 644 a.txt\r\n",
    "\r\nend\r\n",
    "=ybegin line=128 size=9 name=a\r\n",
    "(This file must be converted with BinHex 4.0)\r\n",
    "-----BEGIN PGP SIGNED MESSAGE-----\r\n",
    "This is a multi-part message in MIME format.\r\n",
    "; boundary=edge",
    "; charset=utf-7",
    "; name=\"a.zip\"",
    "; filename=b",
    "; filename*=utf-8''c.exe",
    "=?utf-8?B?YS5leGU=?=",
    ":",
    ": ",
    "<html>",
    "</html>",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "<a href=\"",
    "\">",
    "<b>",
    "</b>",
    "<",
    ">",
    "&",
    "&#65;",
    "&#x41;",
    "&lt;",
    "&amp;",
    "data:text/html;base64,",
    "<%@",
    "%>",
    "<img src=",
    "<style>",
    "</style>",
    "<title>",
    "<iframe src=x>",
    "<form action=",
    "<meta http-equiv=refresh>",
    "PK\3\4",
    "%PDF-1.4",
    "MZ",
    "\177ELF",
    "GIF89a",
    "\x89PNG\r\n\x1a\n",
    "\xff\xd8\xff\xe0",
    "Rar!",
    "\x1f\x8b\x08",
    "BZh9",
    "7z\xbc\xaf\x27\x1c",
    "{\\rtf",
    "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "<?xml version=",
    "ustar",
    "\xff\xfe",
    "\xfe\xff",
    "\xef\xbb\xbf",
    "\xe9",
    "\xc3\xa9",
    "\x01",
    "\x7f",
    "\x80",
    "\xa0",
    "\xff",
    "070701",
    "070707",
    "\xc7\x71",
    "SIT!",
    "StuffIt",
    "ITSF",
    "SZDD",
    "MSCF",
    "FWS",
    "CWS",
    "#!/bin/sh",
    "Nullsoft",
    "autoit",
    "!<arch>",
    "koly",
    "UEsDBA",
    "TVqQAA",
    "JVBERi",
    "PGh0bWw+",
    "UmFyIR",
};

static const uint8_t *mutate_bytes(const struct mutate *work)
{
    return work->message->data;
}

static size_t mutate_offset(const struct mutate *work)
{
    return (size_t)random_below(work->random, work->message->length + 1);
}

static size_t mutate_line_start(const struct mutate *work, size_t offset)
{
    while (offset > 0 && mutate_bytes(work)[offset - 1] != '\n')
        offset--;
    return offset;
}

static size_t mutate_line_end(const struct mutate *work, size_t offset)
{
    while (offset < work->message->length && mutate_bytes(work)[offset] != '\n')
        offset++;
    return offset < work->message->length ? offset + 1 : offset;
}

/* The header or a part's header more often than its share of the bytes. */
static size_t mutate_place(const struct mutate *work)
{
    size_t found;

    switch (random_below(work->random, 4)) {
    case 0:
        found = bytes_find(work->message, 0, "\r\n\r\n", 4);
        return found == SIZE_MAX ? mutate_offset(work)
                                 : (size_t)random_below(work->random, found + 5);
    case 1:
        found = bytes_find(work->message, mutate_offset(work), "\r\n--", 4);
        return found == SIZE_MAX ? mutate_offset(work)
                                 : found + (size_t)random_below(work->random, 90);
    default:
        return mutate_offset(work);
    }
}

static void mutate_byte(const struct mutate *work)
{
    size_t offset = mutate_place(work);
    uint8_t byte = (uint8_t)random_next(work->random);

    if (offset >= work->message->length)
        return;
    switch (random_below(work->random, 4)) {
    case 0:
        work->message->data[offset] = byte;
        break;
    case 1:
        bytes_splice(work->message, offset, 0, &byte, 1);
        break;
    case 2:
        bytes_splice(work->message, offset, 1, NULL, 0);
        break;
    default:
        work->message->data[offset] ^= (uint8_t)(1u << random_below(work->random, 8));
        break;
    }
}

static void mutate_token(const struct mutate *work)
{
    const char *token = tokens[random_below(work->random, sizeof(tokens) / sizeof(tokens[0]))];
    size_t offset = mutate_place(work);

    if (random_chance(work->random, 5000) && offset <= work->message->length)
        offset = mutate_line_start(work, offset);
    bytes_splice(work->message, offset,
                 random_chance(work->random, 2000) ? (size_t)random_below(work->random, 12) : 0,
                 token, strlen(token));
}

static void mutate_lines(const struct mutate *work)
{
    struct bytes lines = {0};
    size_t start = mutate_line_start(work, mutate_place(work) % (work->message->length + 1));
    size_t end = start;
    size_t count = (size_t)random_size(work->random, 1, 20);

    for (size_t i = 0; i < count; i++)
        end = mutate_line_end(work, end);
    bytes_append(&lines, mutate_bytes(work) + start, end - start);
    switch (random_below(work->random, 3)) {
    case 0:
        bytes_splice(work->message, start, end - start, NULL, 0);
        break;
    case 1:
        bytes_splice(work->message, end, 0, lines.data, lines.length);
        break;
    default:
        bytes_splice(work->message, start, end - start, NULL, 0);
        bytes_splice(work->message, mutate_line_start(work, mutate_offset(work)), 0, lines.data,
                     lines.length);
        break;
    }
    bytes_free(&lines);
}

static void mutate_splice(const struct mutate *work)
{
    const struct bytes *other;
    size_t from;
    size_t length;

    if (work->others->count == 0)
        return;
    other = &work->others->entries[random_below(work->random, work->others->count)].message;
    from = (size_t)random_below(work->random, other->length + 1);
    while (from > 0 && other->data[from - 1] != '\n')
        from--;
    length = (size_t)random_size(work->random, 1, 4000);
    if (length > other->length - from)
        length = other->length - from;
    while (length > 0 && length < other->length - from && other->data[from + length - 1] != '\n')
        length++;
    bytes_splice(work->message, mutate_line_start(work, mutate_offset(work)), 0, other->data + from,
                 length);
}

/* Another part, in front of some boundary. */
static void mutate_part(const struct mutate *work)
{
    size_t found = bytes_find(work->message, mutate_offset(work), "\r\n--", 4);
    struct bytes part = {0};
    size_t end;

    if (found == SIZE_MAX)
        return;
    found += 2;
    end = mutate_line_end(work, found);
    while (end > found && strchr("\r\n", mutate_bytes(work)[end - 1]) != NULL)
        end--;
    if (end - found > 4 && memcmp(mutate_bytes(work) + end - 2, "--", 2) == 0)
        end -= 2;
    bytes_append(&part, mutate_bytes(work) + found, end - found);
    bytes_text(&part, "\r\n");
    generate_leaf(&part, work->samples, work->random);
    bytes_splice(work->message, found, 0, part.data, part.length);
    bytes_free(&part);
}

static void mutate_sample(const struct mutate *work)
{
    struct bytes worded = {0};
    const struct bytes *payload;

    if (work->samples->count == 0)
        return;
    payload = &work->samples->entries[random_below(work->random, work->samples->count)].payload;
    encode_text(&worded, payload, (unsigned)random_below(work->random, ENCODE_TEXT_STYLES));
    bytes_splice(work->message, mutate_place(work), 0, worded.data, worded.length);
    bytes_free(&worded);
}

/* Moves what follows across a border of windows, chunks and pieces. */
static void mutate_filler(const struct mutate *work)
{
    static const size_t borders[] = {1022, 4096, 8191, 16384, 131072};
    struct bytes filler = {0};
    size_t length = borders[random_below(work->random, random_chance(work->random, 9000) ? 3 : 5)];

    if (work->message->length > MUTATE_BYTES_MAX)
        return;
    place_words(&filler, length - (size_t)random_below(work->random, 90), work->random);
    bytes_splice(work->message, mutate_line_start(work, mutate_offset(work)), 0, filler.data,
                 filler.length);
    bytes_free(&filler);
}

static void mutate_case(const struct mutate *work)
{
    size_t offset = mutate_place(work);
    size_t length = (size_t)random_size(work->random, 1, 200);
    bool upper = random_chance(work->random, 5000);

    for (size_t i = offset; i < work->message->length && i < offset + length; i++) {
        int byte = mutate_bytes(work)[i];

        work->message->data[i] = (uint8_t)(upper ? toupper(byte) : tolower(byte));
    }
}

/* One line end, or all of some lines, otherwise. */
static void mutate_line_ends(const struct mutate *work)
{
    size_t found = bytes_find(work->message, mutate_place(work), "\r\n", 2);
    size_t count = (size_t)random_size(work->random, 1, 10);
    static const char *const ends[] = {"\n", "\r",    "\r\r\n", " \r\n",   "\t\r\n",
                                       "",   "\r\n ", "\r\n\t", "\r\n\r\n"};
    const char *end = ends[random_below(work->random, sizeof(ends) / sizeof(ends[0]))];

    while (count-- > 0 && found != SIZE_MAX) {
        bytes_splice(work->message, found, 2, end, strlen(end));
        found = bytes_find(work->message, found + strlen(end), "\r\n", 2);
    }
}

static void mutate_cut(const struct mutate *work)
{
    size_t offset = mutate_offset(work);

    if (random_chance(work->random, 5000)) {
        work->message->length = mutate_line_end(work, offset);
        return;
    }
    bytes_splice(work->message, offset, (size_t)random_size(work->random, 1, 500), NULL, 0);
}

void mutate_message(struct bytes *message, const struct mails *others,
                    const struct samples *samples, unsigned most, struct random *random)
{
    static void (*const ways[])(const struct mutate *work) = {
        mutate_byte,   mutate_token, mutate_token, mutate_token,  mutate_lines,     mutate_lines,
        mutate_splice, mutate_part,  mutate_part,  mutate_sample, mutate_filler,    mutate_case,
        mutate_case,   mutate_byte,  mutate_token, mutate_sample, mutate_line_ends, mutate_cut,
    };
    const struct mutate work = {
        .message = message, .others = others, .samples = samples, .random = random};
    unsigned count = (unsigned)random_between(random, 1, most);

    for (unsigned i = 0; i < count && message->length > 0; i++)
        ways[random_below(random, sizeof(ways) / sizeof(ways[0]))](&work);
}
