#include "tests/oracle/mime/change.h"

#include <stdlib.h>
#include <string.h>

#define RECEIVED "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"
#define TEXT     "Content-Type: text/plain; charset=utf-8\r\n"
#define SEVEN    "Content-Transfer-Encoding: 7bit\r\n"
#define FILE_PART                                                          \
    "Content-Type: application/octet-stream; name=\"a b.bin\"\r\n"         \
    "Content-Transfer-Encoding: base64\r\n"                                \
    "Content-Disposition: attachment;\r\n\tfilename=\"a (b).bin\"\r\n\r\n" \
    "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZw==\r\n"
#define HTML "Content-Type: text/html\r\n\r\n<html><b>The page</b>\r\n</html>\r\n"

static const char *const change_seeds[] = {
    RECEIVED
    "From: a@example.org\r\nSubject: one (two\r\n\r\nThe quick brown fox\r\n\r\njumps.\r\n",
    RECEIVED TEXT SEVEN "\r\nDate of birth\r\n\r\n\r\n-- \r\nfrom me\r\n",
    RECEIVED "Content-Type: text/html; charset=\"a;b\"\r\n"
             "Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>x=3Dy</b> and so =\r\non\r\n",
    RECEIVED "MIME-Version: 1.0\r\n" FILE_PART,
    RECEIVED "Content-Type: multipart/mixed; boundary=\"edge\";\r\nMIME-Version: 1.0\r\n\r\n"
             "preamble\r\n--edge\r\n" TEXT SEVEN "\r\nThe first part\r\n--edge\r\n" FILE_PART
             "--edge--\r\n",
    RECEIVED
    "Content-Type: multipart/alternative;\r\n boundary=\"==e=:_?(1)\"\r\n\r\n--==e=:_?(1)\r\n"
    "\r\n--==e=:_?(1)\r\n" HTML "--==e=:_?(1)--\r\nepilogue of some length\r\n",
    RECEIVED
    "Content-Type: multipart/related; type=\"text/html\"; boundary=r\r\n\r\n--r\r\n" HTML
    "--r\r\nContent-Type: image/gif; name=\"=?utf-8?Q?a=2Egif?=\"\r\n"
    "Content-ID: <x@y>\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lGODlhAQABAAAAACw=\r\n"
    "--r--\r\n",
    RECEIVED "Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\n"
             "Content-Type: multipart/alternative; boundary=r1\r\n\r\n--r1\r\n" TEXT
             "\r\nSome plain text\r\n--r1\r\n" HTML "--r1--\r\n\r\n--r\r\n" FILE_PART "--r--\r\n",
    RECEIVED "Content-Type: multipart/signed; micalg=sha1; boundary=s;\r\n"
             "\tprotocol=\"application/pgp-signature\"\r\n\r\n--s\r\n" TEXT SEVEN
             "\r\nThis text is signed\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n"
             "a signature of some kind\r\n--s--\r\n",
    RECEIVED
    "Content-Type: multipart/report; boundary=edge\r\n\r\n--edge\r\n" TEXT
    "\r\nIt did not arrive\r\n--edge\r\nContent-Type: message/delivery-status\r\n\r\n"
    "Reporting-MTA: dns;x\r\n\r\nAction: failed\r\n--edge\r\nContent-Type: message/rfc822\r\n"
    "\r\nFrom: x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    "what was sent\r\n--edge--\r\n",
    RECEIVED "Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\n"
             "Content-Type: multipart/mixed; boundary=edge2\r\n\r\n--edge2\r\n"
             "Content-Disposition: attachment; size=5; filename*=utf-8''a%20b\r\n\r\n"
             "attached words here\r\n--edge2\r\n" HTML
             "--edge2--\r\ninner epilogue\r\n--edge\r\n" TEXT "\r\nThe last part\r\n",
    RECEIVED "Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\n"
             "Content-Type: text/plain; name=a.txt\r\n\r\nnamed text here\r\n--edge\r\n"
             "Content-Type: x-y/z\r\nContent-Transfer-Encoding: binary\r\n\r\nbinary things\r\n"
             "--edge\r\nContent-Type: text/plain\r\nContent-Disposition: inline\r\n" SEVEN
             "\r\nQUJD inline words\r\n--edge--\r\n",
};

static const char *const change_tokens[] = {
    "Content-Type: text/plain\r\n",
    "Content-Type: text/html; charset=x\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: multipart/mixed; boundary=edge\r\n",
    "Content-Type: application/x; name=\"c.d\"\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: 7bit\r\n",
    "Content-Transfer-Encoding: 8bit\r\n",
    "Content-Disposition: attachment; filename=\"e.f\"\r\n",
    "Content-Disposition: inline\r\n",
    "Content-Type:\r\n",
    "Content",
    "Content-T",
    "X-A: b;\r\n",
    "X-B: c=d\r\n",
    "X-C: \"\r\n",
    "Received: from\r\n",
    "From: x\r\n",
    "Date: x\r\n",
    "Message-Id: x\r\n",
    "Subject: \r\n",
    "filename=x\r\n",
    "base64",
    "begin 644 x\r\n",
    "=ybegin line=1 name=x\r\n",
    "(This file must be converted with BinHex 4.0)\r\n",
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r\n\r\n\r\n",
    "\r\n ",
    "\r\n\t",
    "\r\n \r\n",
    " ",
    "\t",
    ";",
    ";\r\n",
    ";;",
    "\"",
    "\"\"",
    "(",
    ")",
    "(x)",
    "\\",
    "=",
    "-",
    "--",
    "\r\n--",
    "--edge",
    "\r\n--edge\r\n",
    "\r\n--edge--\r\n",
    "\r\n--edge2\r\n",
    "\r\n---edge\r\n",
    "\r\n--EDGE\r\n",
    "\r\n--edge \r\n",
    "\r\n--edge--x\r\n",
    "\r\n(--edge\r\n",
    "\r\n(x)--edge\r\n",
    "\r\n--r\r\n",
    "\r\n--s\r\n",
    "=?",
    "?=",
    "=?utf-8?Q?x?=",
    "=?x?b?QUJD?=",
    "*",
    "*=",
    "*0=",
    "*0*=",
    "''",
    "%41",
    "%",
    "boundary=",
    "; boundary=edge",
    "; boundary=\"x\"",
    "; name=\"g;h\"",
    "; name=i",
    "; filename=\"j\"",
    "; charset=\"us-ascii\"",
    "; type=x",
    ":",
    ": ",
    "=3D",
    "=\r\n",
    "\xe9",
    "\x01",
    "\x80 ",
    "7bit",
    "multipart/",
    "text/plain",
    "attachment",
    "inline",
    "edge",
    "r",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
};

static uint64_t change_state;

const char *change_seed(unsigned number)
{
    return number < sizeof(change_seeds) / sizeof(change_seeds[0]) ? change_seeds[number] : NULL;
}

static size_t change_random(size_t below)
{
    change_state ^= change_state << 13;
    change_state ^= change_state >> 7;
    change_state ^= change_state << 17;
    return (size_t)((change_state >> 16) % below);
}

static void change_splice(struct made_text *text, size_t at, size_t cut, const void *bytes,
                          size_t length)
{
    struct made_text rest = {0};

    if (cut > text->length - at)
        cut = text->length - at;
    made_append(&rest, text->bytes + at + cut, text->length - at - cut);
    text->length = at;
    made_append(text, bytes, length);
    made_append(text, rest.bytes, rest.length);
    free(rest.bytes);
}

static size_t change_line(const struct made_text *text, size_t at)
{
    while (at > 0 && text->bytes[at - 1] != '\n')
        at--;
    return at;
}

static size_t change_line_end(const struct made_text *text, size_t at)
{
    while (at < text->length && text->bytes[at] != '\n')
        at++;
    return at < text->length ? at + 1 : at;
}

static void change_lines(struct made_text *text)
{
    size_t start = change_line(text, change_random(text->length + 1));
    size_t end = start;
    struct made_text lines = {0};

    for (size_t i = change_random(4) + 1; i > 0; i--)
        end = change_line_end(text, end);
    made_append(&lines, text->bytes + start, end - start);
    if (change_random(3) > 0)
        change_splice(text, start, end - start, "", 0);
    if (change_random(3) > 0)
        change_splice(text, change_line(text, change_random(text->length + 1)), 0, lines.bytes,
                      lines.length);
    free(lines.bytes);
}

static void change_byte(struct made_text *text)
{
    static const char bytes[] = " \t;:=\"()-/\\.,?*%'abAB019_\r\n";
    size_t at = change_random(text->length);

    switch (change_random(4)) {
    case 0:
        change_splice(text, at, 1, "", 0);
        break;
    case 1:
        text->bytes[at] ^= 0x20;
        break;
    default:
        change_splice(text, at, change_random(2), &bytes[change_random(sizeof(bytes) - 1)], 1);
        break;
    }
}

/* A line of some length, for what happens at 999 bytes. */
static void change_long(struct made_text *text)
{
    static uint8_t filler[2048];
    size_t length = 980 + change_random(40) + (change_random(4) == 0 ? 999 : 0);

    memset(filler, 'x', sizeof(filler));
    filler[change_random(length)] = (uint8_t) " ;-=("[change_random(5)];
    change_splice(text, change_random(text->length + 1), 0, filler, length);
}

void change_mail(struct made_text *to, const uint8_t *from, size_t length, uint64_t number)
{
    size_t token_count = sizeof(change_tokens) / sizeof(change_tokens[0]);

    change_state = number * 0x9e3779b97f4a7c15u + 0x1234567u;
    to->length = 0;
    made_append(to, from, length);
    for (size_t count = change_random(5); count > 0 && to->length > 0; count--) {
        size_t at = change_random(to->length + 1);
        const char *token = change_tokens[change_random(token_count)];

        switch (change_random(40)) {
        case 0:
            change_long(to);
            break;
        case 1 ... 9:
            change_byte(to);
            break;
        case 10 ... 18:
            change_lines(to);
            break;
        case 19 ... 28:
            change_splice(to, change_line(to, at), 0, token, strlen(token));
            break;
        default:
            change_splice(to, at, change_random(3) == 0 ? change_random(9) : 0, token,
                          strlen(token));
            break;
        }
    }
}
