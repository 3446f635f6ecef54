/* Inputs: seeds and their mutations, a grammar that likes what is odd, and both of them moved to
 * where chunks end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "tests/oracle/html/oracle.h"

#define CHUNK          8191u
#define SEED_BYTES     4000u
#define SEED_BYTES_MAX 40000u

static const char *const tokens[] = {
    "<a href=",
    "<A HREF=",
    "<a href=\"http://Ex.Ample/Path?a=B&amp;c\">",
    "<a title=x href='u v'>",
    "<a href>",
    "<a href href=x>",
    "<img src=",
    "<IMG SRC=\"cid:A@b\" alt=\"\">",
    "<img src='a b'>",
    "<img dynsrc=q src=w>",
    "</a>",
    "<p>",
    "<P Align = \"Center\" >",
    "<br/>",
    "<br >",
    "<td width=5%>",
    "<table border='1' cellpadding=0>",
    "<font face=\"Arial, Helvetica\" size=-1>",
    "<body bgcolor=#FFF>",
    "<!-- ",
    "-->",
    "<!>",
    "<!",
    "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD\">",
    "<![if !vml]>",
    "<!-->",
    "<?xml?>",
    "<% x %>",
    "<%",
    "< a href=x>",
    "<\na\nhref\n=\nx\n>",
    "</ a>",
    "<//a>",
    "<>",
    "</>",
    "<<",
    "<a<b>",
    "<style>",
    "<style type=\"text/css\">",
    "</style>",
    "</STYLE >",
    "</style\n>",
    "<style",
    "</style",
    "p { color: 'Red'; }",
    "<form action=\"x\">",
    "</form>",
    "<base href=x>",
    "<area href=y>",
    "</script>",
    "<iframe src=z>",
    "<title>",
    "<meta http-equiv=Content-Type content=\"text/html; charset=x\">",
    "&nbsp;",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "&copy;",
    "&yuml;",
    "&Auml;",
    "&euro;",
    "&agr;",
    "&epsi;",
    "&bogus;",
    "&NBSP;",
    "&nbsp",
    "&",
    "&;",
    "&&",
    "&amp",
    "&a_b:c-d;",
    "&#",
    "&#;",
    "&#x",
    "&#X41;",
    "&#65;",
    "&#160;",
    "&#xff;",
    "&#255;",
    "&#254;",
    "&#256;",
    "&#x3002;",
    "&#12290;",
    "&#xFF0E;",
    "&#x10041;",
    "&#65536;",
    "&#0;",
    "&#x0x41;",
    "&#00065;",
    "&#99999999999999999999;",
    "&#x7fffffffffffffffff;",
    "&#6A;",
    "&#100;ata:",
    "\xe3\x80\x82",
    "\xef\xbc\x8e",
    "\xef\xb9\x92",
    "\xa1\x43",
    "\xa1\x44",
    "\xa1O",
    "\xa1",
    "\xa1\xa1",
    "\xc3\xa9",
    "\xe2\x82\xac",
    "\xf0\x9f\x98\x80",
    "\xff",
    "\x80\x80\x80\x80\x80",
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\v",
    "\f",
    "\r",
    "\n\n",
    " \n ",
    "\x01",
    "\x7f",
    "\x1f",
    "\\",
    "\\'",
    "\\\"",
    "'",
    "\"",
    "=",
    "==",
    " = ",
    ">",
    ">>",
    "'>",
    "\">",
    "=\"",
    "='",
    "/",
    "/>",
    "x",
    "Hello World",
    "aBc",
    "href=",
    "src=",
    " href=\"A b\" ",
    "style=\"font-family: Arial, sans-serif; color: RED\"",
    "&#13;",
    "&#10;",
    "&#32;",
    "data",
    ":",
    "\xa0",
    "url(x)",
    "url( \xc3\xa9 \")",
    "url(\xe2\x82\xac",
    "url",
    "(",
    ")",
    "image/png;base64,",
    "<a href=\"",
    "<a href='",
    "<a href=\"&#104;&lt;\xc3\xa9\">",
    "<img src=\"&bogus;X\">",
    "<a href=\"&#0;x\">",
};

void bytes_add(struct bytes *bytes, const void *from, size_t length)
{
    if (length == 0)
        return;
    if (bytes->length + length > bytes->room) {
        bytes->room = (bytes->length + length) * 2 + 256;
        bytes->at = realloc(bytes->at, bytes->room);
        CHECK(bytes->at != NULL);
    }
    memmove(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

void bytes_text(struct bytes *bytes, const char *text)
{
    bytes_add(bytes, text, strlen(text));
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->at);
    memset(bytes, 0, sizeof(*bytes));
}

/* splitmix64 */
uint32_t random_below(struct random *random, uint32_t limit)
{
    uint64_t mixed = random->state += 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    return (uint32_t)((mixed >> 32) * limit >> 32);
}

void seeds_load(struct seeds *seeds, const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t head[4];

    CHECK(file != NULL);
    while (fread(head, 1, 4, file) == 4) {
        size_t length =
            head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        struct bytes seed = {.at = malloc(length + 1), .length = length, .room = length + 1};

        CHECK(seed.at != NULL && fread(seed.at, 1, length, file) == length);
        seeds->list = realloc(seeds->list, (seeds->count + 1) * sizeof(seed));
        CHECK(seeds->list != NULL);
        seeds->list[seeds->count++] = seed;
    }
    (void)fclose(file);
}

void seeds_free(struct seeds *seeds)
{
    for (size_t i = 0; i < seeds->count; i++)
        bytes_free(&seeds->list[i]);
    free(seeds->list);
}

static void add_token(struct bytes *into, struct random *random)
{
    static const char *const gated[] = {
        "<script>", "<script ",      "<scr", "ipt>",
        "data:",    "<img src=\"da", "ta:",  "<%@ language=JScript.Encode>"};
    uint32_t kind = random_below(random, 400);
    uint8_t byte = (uint8_t)(1 + random_below(random, 255));

    if (kind < 10) {
        bytes_add(into, &byte, 1);
    } else if (kind == 10) {
        bytes_text(into, gated[random_below(random, sizeof(gated) / sizeof(gated[0]))]);
    } else if (kind < 15) {
        /* Longer than anything that is remembered. */
        uint32_t count = 1000 + random_below(random, 60);

        byte = random_below(random, 2) != 0 ? 'Q' : byte;
        for (uint32_t i = 0; i < count; i++)
            bytes_add(into, &byte, 1);
    } else {
        bytes_text(into, tokens[random_below(random, sizeof(tokens) / sizeof(tokens[0]))]);
    }
}

static void add_tokens(struct bytes *into, struct random *random, uint32_t most)
{
    uint32_t count = 1 + random_below(random, most);

    while (count-- > 0)
        add_token(into, random);
}

static void add_seed(struct bytes *into, const struct seeds *seeds, struct random *random)
{
    const struct bytes *seed;
    size_t first = 0;
    size_t length;

    if (seeds->count == 0) {
        add_tokens(into, random, 2000);
        return;
    }
    seed = &seeds->list[random_below(random, (uint32_t)seeds->count)];
    length = random_below(random, 4) != 0 ? SEED_BYTES : SEED_BYTES_MAX;
    if (seed->length > length)
        first = random_below(random, (uint32_t)(seed->length - length));
    else
        length = seed->length;
    bytes_add(into, seed->at + first, length);
}

/* Replaces `gone` bytes at `at` by `with`. */
static void replace(struct bytes *bytes, size_t at, size_t gone, const struct bytes *with)
{
    struct bytes made = {0};

    if (gone > bytes->length - at)
        gone = bytes->length - at;
    bytes_add(&made, bytes->at, at);
    bytes_add(&made, with->at, with->length);
    bytes_add(&made, bytes->at + at + gone, bytes->length - at - gone);
    bytes_free(bytes);
    *bytes = made;
}

static void mutate(struct bytes *bytes, struct random *random)
{
    struct bytes with = {0};
    size_t at = random_below(random, (uint32_t)bytes->length + 1);
    size_t gone = 0;

    switch (random_below(random, 8)) {
    case 0:
        gone = 1;
        with.length = 0;
        add_token(&with, random);
        break;
    case 1:
        gone = 1 + random_below(random, 4);
        break;
    case 2:
        gone = 1 + random_below(random, 2000);
        break;
    case 3: {
        size_t from = random_below(random, (uint32_t)bytes->length + 1);
        size_t length = 1 + random_below(random, 300);

        if (length > bytes->length - from)
            length = bytes->length - from;
        bytes_add(&with, bytes->at + from, length);
        break;
    }
    case 4:
        if (at < bytes->length)
            bytes->at[at] = (uint8_t)(1 + random_below(random, 255));
        break;
    default:
        add_tokens(&with, random, 3);
        break;
    }
    replace(bytes, at, gone, &with);
    bytes_free(&with);
}

/* So many bytes that are all alike to the machine, or nearly. */
static void add_filler(struct bytes *into, struct random *random, size_t length)
{
    static const char *const patterns[] = {"a",   "x y ",   "ab cd efghi ", " ",
                                           "\n",  "word\n", "=a",           "&#65;",
                                           "<p>", "\xe9",   "a\r\n",        "\xe3\x80\x82"};
    const char *pattern = patterns[random_below(random, sizeof(patterns) / sizeof(patterns[0]))];
    size_t size = strlen(pattern);

    for (size_t i = 0; i < length; i++)
        bytes_add(into, pattern + i % size, 1);
}

static void make_border(struct bytes *into, struct random *random)
{
    static const char *const openings[] = {"",           "<a href=", "<a href=\"", "<!-- ",
                                           "<style>",    "<p ",      "<",          "&",
                                           "<img src='", "&#x",      "<style>a b", "text "};
    uint32_t chunks = 1 + random_below(random, 3);

    bytes_text(into, openings[random_below(random, sizeof(openings) / sizeof(openings[0]))]);
    while (chunks-- > 0) {
        size_t target = CHUNK - random_below(random, 40);

        if (random_below(random, 6) == 0)
            target = 4096 + random_below(random, 3) - 1;
        if (random_below(random, 4) == 0)
            add_tokens(into, random, 12);
        if (target > into->length % CHUNK)
            add_filler(into, random, target - into->length % CHUNK);
        add_tokens(into, random, 12);
    }
    add_tokens(into, random, 6);
}

/* A second chunk that ends where a page does, or nearly, with white space behind it: the library
 * may not have read that page. */
static void make_page(struct bytes *into, struct random *random)
{
    uint32_t off = random_below(random, 3);

    while (into->length < 4095 + off)
        bytes_text(into, "x");
    bytes_text(into, " ");
    add_filler(into, random, 8000);
    add_tokens(into, random, 3);
    while (into->length < (size_t)3 * 4096)
        bytes_text(into, "y");
    into->length = (size_t)3 * 4096;
    bytes_text(into, random_below(random, 2) != 0 ? " " : "\n");
    add_tokens(into, random, 12);
}

void case_make(struct bytes *into, const struct seeds *seeds, struct random *random)
{
    uint32_t kind = random_below(random, 32);
    uint32_t changes;

    into->length = 0;
    if (kind < 22 && random_below(random, 64) == 0) {
        make_page(into, random);
    } else if (kind < 22) {
        add_tokens(into, random, 40);
    } else if (kind < 26) {
        make_border(into, random);
    } else if (kind == 26) {
        make_border(into, random);
        add_seed(into, seeds, random);
    } else {
        add_seed(into, seeds, random);
        changes = random_below(random, 8);
        while (changes-- > 0)
            mutate(into, random);
    }
}
