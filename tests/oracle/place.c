#include "tests/oracle/place.h"

#include <string.h>

#include "tests/oracle/encode.h"
#include "tests/oracle/mail.h"
#include "tests/oracle/wrap.h"

#define PLACE_FIELDS "From: <a@example.net>\r\nTo: <user@example.org>\r\nMIME-Version: 1.0\r\n"

struct place_work {
    struct bytes *to;
    const struct bytes *payload;
    struct random *random;
};

/* How a place builds its message; `type` and `encoding` are the parameters of a few of them. */
struct place {
    const char *name;
    void (*make)(struct place_work *work, const struct place *place);
    const char *type;
    const char *encoding;
    const char *file;
    unsigned number;
};

void place_words(struct bytes *to, size_t length, struct random *random)
{
    static const char *const words[] = {
        "the",   "meeting", "is",    "moved",  "to",  "Tuesday,", "please", "bring",
        "your",  "notes",   "about", "budget", "and", "answer",   "until",  "Friday.",
        "Thank", "you",     "very",  "much",   "for", "reading",  "this",   "(again)",
        "a=b",   "100%",    "[1]",   "x/y",    "A&B", "1 < 2",    "\"so\"", "--",
    };
    size_t end = to->length + length;
    size_t column = 0;

    while (to->length < end) {
        const char *word = words[random_below(random, sizeof(words) / sizeof(words[0]))];

        bytes_text(to, word);
        column += strlen(word) + 1;
        bytes_text(to, column > 66 ? "\r\n" : " ");
        column = column > 66 ? 0 : column;
    }
    bytes_text(to, "\r\n");
}

static void place_body(struct bytes *to, const char *encoding, const struct bytes *body,
                       struct random *random)
{
    if (encoding != NULL && strcmp(encoding, "base64") == 0)
        encode_base64(to, body->data, body->length, 76);
    else if (encoding != NULL && strcmp(encoding, "quoted-printable") == 0)
        encode_quoted_printable(to, body, random_chance(random, 5000), random);
    else if (encoding != NULL && strcmp(encoding, "x-uuencode") == 0)
        encode_uuencode(to, body, "file.txt");
    else
        bytes_append(to, body->data, body->length);
    if (to->length < 2 || to->data[to->length - 1] != '\n')
        bytes_text(to, "\r\n");
}

void place_leaf(struct bytes *to, const char *type, const char *encoding, const char *name,
                const struct bytes *body, struct random *random)
{
    if (type != NULL)
        bytes_format(to, "Content-Type: %s", type);
    if (type != NULL && name != NULL && random_chance(random, 5000))
        bytes_format(to, "; name=\"%s\"", name);
    if (type != NULL)
        bytes_text(to, "\r\n");
    if (encoding != NULL)
        bytes_format(to, "Content-Transfer-Encoding: %s\r\n", encoding);
    if (name != NULL)
        bytes_format(to, "Content-Disposition: attachment; filename=\"%s\"\r\n", name);
    bytes_text(to, "\r\n");
    place_body(to, encoding, body, random);
}

static void place_head(struct place_work *work)
{
    work->to->length = 0;
    mail_trace(work->to);
    bytes_text(work->to, PLACE_FIELDS);
}

/* The header of a multipart and a first part of plain words. */
static void place_open(struct place_work *work, const char *type)
{
    struct bytes words = {0};

    bytes_format(work->to, "Content-Type: multipart/%s; boundary=\"=_edge\"\r\n\r\n", type);
    if (random_chance(work->random, 5000))
        bytes_text(work->to, "This is a message in MIME format.\r\n");
    bytes_text(work->to, "\r\n--=_edge\r\n");
    place_words(&words, 200, work->random);
    place_leaf(work->to, "text/plain; charset=us-ascii",
               random_chance(work->random, 5000) ? "8bit" : "quoted-printable", NULL, &words,
               work->random);
    bytes_free(&words);
}

static void place_next(struct place_work *work)
{
    bytes_text(work->to, "--=_edge\r\n");
}

static void place_close(struct place_work *work)
{
    bytes_text(work->to, "--=_edge--\r\n");
}

/* The payload among words. */
static void place_surround(struct bytes *to, const struct place_work *work, size_t before)
{
    place_words(to, before, work->random);
    bytes_append(to, work->payload->data, work->payload->length);
    bytes_text(to, random_chance(work->random, 5000) ? "\r\n" : " ");
    place_words(to, 100, work->random);
}

static void make_field(struct place_work *work, const struct place *place)
{
    place_head(work);
    if (place->number > 0) {
        bytes_text(work->to, "X-Pad: ");
        while (work->to->length < place->number)
            bytes_byte(work->to, 'x');
        bytes_text(work->to, "ustar\r\n");
    }
    bytes_format(work->to, "%s", place->type);
    bytes_append(work->to, work->payload->data, work->payload->length);
    bytes_format(work->to, "%s\r\n", place->encoding == NULL ? "" : place->encoding);
    bytes_text(work->to, "Subject: words\r\n\r\n");
    place_words(work->to, 200, work->random);
}

/* A single part. */
static void make_single(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};

    place_head(work);
    place_surround(&body, work, place->number);
    place_leaf(work->to, place->type, place->encoding, place->file, &body, work->random);
    bytes_free(&body);
}

/* The same as a second part of a multipart. */
static void make_part(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};

    place_head(work);
    place_open(work, "mixed");
    place_next(work);
    place_surround(&body, work, place->number);
    place_leaf(work->to, place->type, place->encoding, place->file, &body, work->random);
    place_close(work);
    bytes_free(&body);
}

/* As a part with nothing around the payload. */
static void make_bare(struct place_work *work, const struct place *place)
{
    place_head(work);
    place_open(work, "mixed");
    place_next(work);
    place_leaf(work->to, place->type, place->encoding, place->file, work->payload, work->random);
    place_close(work);
}

static void make_html(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};

    place_head(work);
    if (place->number != 0)
        place_words(&body, place->number, work->random);
    encode_html(&body, work->payload, (unsigned)random_below(work->random, ENCODE_HTML_STYLES));
    place_leaf(work->to, place->type, place->encoding, place->file, &body, work->random);
    bytes_free(&body);
}

/* Text that is the base64 of the payload, whatever the header says of it. */
static void make_text_of_base64(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};
    struct bytes padded = {0};

    bytes_append(&padded, "    ", random_below(work->random, 4));
    bytes_append(&padded, work->payload->data, work->payload->length);
    if (place->number > 0)
        place_words(&body, place->number, work->random);
    encode_base64(&body, padded.data, padded.length,
                  4 * (size_t)random_between(work->random, 2, 18));
    place_head(work);
    place_leaf(work->to, place->type, place->encoding, place->file, &body, work->random);
    bytes_free(&body);
    bytes_free(&padded);
}

/* Another format around the payload: which, wrap.h says. */
static void place_wrap(struct bytes *body, const struct place_work *work, unsigned format)
{
    struct bytes inner = {0};

    place_surround(&inner, work, 20);
    wrap_bytes(body, format, &inner, work->payload, work->random);
    bytes_free(&inner);
}

static void make_wrapped(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};

    place_wrap(&body, work, place->number);
    place_head(work);
    place_open(work, "mixed");
    place_next(work);
    place_leaf(work->to, place->type, place->encoding, place->file, &body, work->random);
    place_close(work);
    bytes_free(&body);
}

static void make_wrapped_single(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};

    place_wrap(&body, work, place->number);
    place_head(work);
    place_leaf(work->to, place->type, place->encoding, place->file, &body, work->random);
    bytes_free(&body);
}

/* The second and third part of a multipart of some kind; text and HTML, in `number` orders. */
static void make_kind(struct place_work *work, const struct place *place)
{
    struct bytes html = {0};
    struct bytes text = {0};

    place_surround(&text, work, 60);
    encode_html(&html, work->payload, (unsigned)random_below(work->random, 3));
    place_head(work);
    place_open(work, place->type);
    place_next(work);
    if ((place->number & 1) != 0)
        place_leaf(work->to, "text/plain", "8bit", NULL, &text, work->random);
    else
        place_leaf(work->to, "text/html", place->encoding, NULL, &html, work->random);
    place_next(work);
    if ((place->number & 2) != 0)
        place_leaf(work->to, "image/gif", "base64", place->file, &text, work->random);
    else
        place_leaf(work->to, "text/html", "quoted-printable", NULL, &html, work->random);
    place_close(work);
    bytes_free(&html);
    bytes_free(&text);
}

static void make_nested(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};

    place_head(work);
    for (unsigned i = 0; i < place->number; i++)
        bytes_format(work->to,
                     "Content-Type: multipart/mixed; boundary=\"level%u\"\r\n\r\n--level%u\r\n", i,
                     i);
    place_surround(&body, work, 60);
    place_leaf(work->to, place->type, place->encoding, place->file, &body, work->random);
    for (unsigned i = place->number; i-- > 0;)
        bytes_format(work->to, "--level%u--\r\n", i);
    bytes_free(&body);
}

static void make_around(struct place_work *work, const struct place *place)
{
    bool preamble = place->number == 0;

    place_head(work);
    bytes_text(work->to, "Content-Type: multipart/mixed; boundary=edge\r\n\r\n");
    if (preamble)
        place_surround(work->to, work, 40);
    bytes_text(work->to, "--edge\r\n");
    if (place->number != 3)
        bytes_text(work->to, "Content-Type: text/plain\r\n");
    bytes_text(work->to, "\r\n");
    if (place->number >= 2)
        place_surround(work->to, work, 40);
    else
        place_words(work->to, 60, work->random);
    if (place->number != 2)
        bytes_text(work->to, "--edge--\r\n");
    if (place->number == 1)
        place_surround(work->to, work, 40);
}

/* Lines that look like a boundary and are none, before a payload that only decoding shows. */
static void make_near(struct place_work *work, const struct place *place)
{
    place_head(work);
    place_open(work, "mixed");
    place_next(work);
    bytes_text(work->to, "Content-Type: text/plain\r\n"
                         "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    bytes_format(work->to, "%s\r\nContent-Type: text/plain\r\n\r\n", place->type);
    for (size_t i = 0; i < work->payload->length; i++)
        bytes_format(work->to, "%s=%02X", i % 20 == 19 ? "=\r\n" : "", work->payload->data[i]);
    bytes_text(work->to, "\r\n");
    place_close(work);
}

static void make_boundary(struct place_work *work, const struct place *place)
{
    (void)place;
    place_head(work);
    bytes_text(work->to, "Content-Type: multipart/mixed; boundary=\"");
    bytes_append(work->to, work->payload->data, work->payload->length);
    bytes_text(work->to, "\"\r\n\r\n--");
    bytes_append(work->to, work->payload->data, work->payload->length);
    bytes_text(work->to, "\r\nContent-Type: text/plain\r\n\r\n");
    place_words(work->to, 60, work->random);
    bytes_text(work->to, "--");
    bytes_append(work->to, work->payload->data, work->payload->length);
    bytes_text(work->to, "--\r\n");
}

/* A file name in one of the ways in which it can be said. */
static void make_name(struct place_work *work, const struct place *place)
{
    struct bytes *to = work->to;

    place_head(work);
    place_open(work, "mixed");
    place_next(work);
    bytes_text(to, place->type);
    if (place->number == 1) {
        bytes_text(to, "\"=?utf-8?B?");
        encode_base64(to, work->payload->data, work->payload->length, 4096);
        to->length -= work->payload->length > 0 ? 2 : 0;
        bytes_text(to, "?=\"");
    } else if (place->number == 2) {
        bytes_text(to, "utf-8''");
        for (size_t i = 0; i < work->payload->length; i++)
            bytes_format(to, "%%%02X", work->payload->data[i]);
    } else {
        bytes_byte(to, '"');
        bytes_append(to, work->payload->data, work->payload->length);
        bytes_byte(to, '"');
    }
    bytes_text(to, "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    encode_base64(to, "some small file\n", 16, 76);
    place_close(work);
}

/* Long enough for the payload to lie across a border of the library's or our own pieces. */
static void make_border(struct place_work *work, const struct place *place)
{
    struct bytes body = {0};
    size_t border = place->number * (size_t)random_between(work->random, 1, 3);
    size_t before = (size_t)random_below(work->random, work->payload->length + 8);

    if (place->file != NULL)
        bytes_text(&body, place->file);
    while (body.length + before + 200 < border)
        place_words(&body, 100, work->random);
    while (body.length + before < border)
        bytes_byte(&body, 'x');
    bytes_append(&body, work->payload->data, work->payload->length);
    bytes_text(&body, "\r\n");
    place_words(&body, 300, work->random);
    place_head(work);
    place_leaf(work->to, place->type, place->encoding, NULL, &body, work->random);
    bytes_free(&body);
}

#define HTML_BEGIN "<html><body>"
#define NULS       "\1\2\3\4\xf0"

static const struct place places[] = {
    {"header field", make_field, "X-Words: ", NULL, NULL, 0},
    {"header comment", make_field, "X-Words: a (", ") b", NULL, 0},
    {"header with tar's magic", make_field, "X-Words: ", NULL, NULL, 257},
    {"subject", make_field, "Subject: ", NULL, NULL, 0},
    {"received field", make_field, "Received: from ", " by example.net; 1 Jan 2020", NULL, 0},
    {"header name", make_field, "", ": value", NULL, 0},
    {"boundary", make_boundary, NULL, NULL, NULL, 0},
    {"near boundary", make_near, "--=_edgE", NULL, NULL, 0},
    {"nearer boundary", make_near, "--=_edge-", NULL, NULL, 0},
    {"preamble", make_around, NULL, NULL, NULL, 0},
    {"epilogue", make_around, NULL, NULL, NULL, 1},
    {"no last boundary", make_around, NULL, NULL, NULL, 2},
    {"part without header", make_around, NULL, NULL, NULL, 3},
    {"file name", make_name, "Content-Type: application/octet-stream; name=", NULL, NULL, 0},
    {"disposition's name", make_name, "Content-Disposition: attachment; filename=", NULL, NULL, 0},
    {"file name RFC 2047", make_name, "Content-Type: application/octet-stream; name=", NULL, NULL,
     1},
    {"file name RFC 2231", make_name, "Content-Disposition: attachment; filename*=", NULL, NULL, 2},
    {"no MIME", make_single, NULL, NULL, NULL, 60},
    {"no MIME, first", make_single, NULL, NULL, NULL, 0},
    {"text 7bit", make_single, "text/plain", "7bit", NULL, 60},
    {"text 8bit", make_single, "text/plain", "8bit", NULL, 60},
    {"text binary", make_single, "text/plain", "binary", NULL, 60},
    {"text QP", make_single, "text/plain", "quoted-printable", NULL, 60},
    {"text base64", make_single, "text/plain", "base64", NULL, 60},
    {"text part 7bit", make_part, "text/plain", "7bit", NULL, 60},
    {"text part 8bit", make_part, "text/plain; charset=utf-8", "8bit", NULL, 60},
    {"text part QP", make_part, "text/plain", "quoted-printable", NULL, 60},
    {"text part base64", make_part, "text/plain", "base64", NULL, 60},
    {"text file 7bit", make_part, "text/plain", "7bit", "notes.txt", 60},
    {"text file base64", make_part, "text/plain", "base64", "notes.txt", 60},
    {"text part no CTE", make_part, "text/plain", NULL, NULL, 60},
    {"text part bare 8bit", make_bare, "text/plain", "8bit", NULL, 0},
    {"text part bare base64", make_bare, "text/plain", "base64", NULL, 0},
    {"part no type", make_part, NULL, "8bit", NULL, 60},
    {"css", make_part, "text/css", "8bit", NULL, 60},
    {"base64 as 7bit", make_text_of_base64, "text/plain", "7bit", NULL, 0},
    {"base64 as 7bit after words", make_text_of_base64, "text/plain", "7bit", NULL, 90},
    {"base64 as 8bit", make_text_of_base64, "text/plain", "8bit", NULL, 0},
    {"base64 without CTE", make_text_of_base64, "text/plain", NULL, NULL, 0},
    {"base64 named, 7bit", make_text_of_base64, "text/plain", "7bit", "notes.txt", 0},
    {"base64 named, html", make_text_of_base64, "text/html", "7bit", NULL, 0},
    {"html 7bit", make_html, "text/html", "7bit", NULL, 0},
    {"html 8bit", make_html, "text/html", "8bit", NULL, 0},
    {"html QP", make_html, "text/html", "quoted-printable", NULL, 0},
    {"html base64", make_html, "text/html", "base64", NULL, 0},
    {"html no CTE", make_html, "text/html", NULL, NULL, 0},
    {"html as text", make_html, "text/plain", "8bit", NULL, 0},
    {"html as binary", make_html, "application/octet-stream", "base64", "a.bin", 0},
    {"html after words", make_html, "text/html", "8bit", NULL, 300},
    {"html far down", make_html, "text/plain", "8bit", NULL, 1500},
    {"binary base64", make_part, "application/octet-stream", "base64", "a.bin", 60},
    {"binary 8bit", make_part, "application/octet-stream", "8bit", "a.bin", 60},
    {"binary QP", make_part, "application/octet-stream", "quoted-printable", "a.bin", 60},
    {"binary bare", make_bare, "application/octet-stream", "base64", NULL, 0},
    {"uuencoded part", make_part, "application/octet-stream", "x-uuencode", "a.bin", 60},
    {"audio", make_part, "audio/x-wav", "base64", "a.wav", 60},
    {"png", make_wrapped, "image/png", "base64", "a.png", 2},
    {"gif", make_wrapped, "image/gif", "base64", "a.gif", 3},
    {"jpeg", make_wrapped, "image/jpeg", "base64", "a.jpg", 14},
    {"png and zip", make_wrapped, "image/png", "base64", "a.png", 4},
    {"gif and html", make_wrapped, "image/gif", "base64", "a.gif", 5},
    {"zip", make_wrapped, "application/zip", "base64", "a.zip", 0},
    {"zip in zip", make_wrapped, "application/zip", "base64", "a.zip", 1},
    {"zip in text", make_wrapped, "text/plain", "8bit", NULL, 6},
    {"zip in text base64", make_wrapped, "text/plain", "base64", NULL, 6},
    {"zip in message", make_wrapped_single, "text/plain", "8bit", NULL, 0},
    {"UTF-16 LE", make_wrapped, "text/plain; charset=utf-16", "base64", NULL, 7},
    {"UTF-16 no mark", make_wrapped, "text/plain; charset=utf-16le", "base64", NULL, 9},
    {"UTF-16 html", make_wrapped, "text/html; charset=utf-16", "base64", NULL, 10},
    {"uuencode in text", make_wrapped_single, "text/plain", "8bit", NULL, 11},
    {"yEnc in text", make_wrapped_single, "text/plain", "8bit", NULL, 12},
    {"yEnc no MIME", make_wrapped_single, NULL, NULL, NULL, 12},
    {"BinHex in text", make_wrapped_single, "text/plain", "7bit", NULL, 13},
    {"BinHex no MIME", make_wrapped_single, NULL, NULL, NULL, 13},
    {"BinHex part", make_wrapped, "application/mac-binhex40", NULL, "a.hqx", 13},
    {"rtf", make_wrapped, "application/rtf", "base64", "a.rtf", 15},
    {"pdf", make_wrapped, "application/pdf", "base64", "a.pdf", 16},
    {"xml", make_wrapped, "text/xml", "8bit", "a.xml", 17},
    {"data: URL", make_wrapped, "text/html", "8bit", NULL, 18},
    {"data: URL base64", make_wrapped, "text/html", "base64", NULL, 18},
    {"message/rfc822", make_wrapped, "message/rfc822", "8bit", NULL, 19},
    {"message/rfc822 no CTE", make_wrapped, "message/rfc822", NULL, NULL, 19},
    {"message/rfc822 base64", make_wrapped, "message/rfc822", "base64", NULL, 19},
    {"message/partial", make_wrapped, "message/partial; id=a; number=1", "8bit", NULL, 19},
    {"message/external-body", make_wrapped, "message/external-body", "8bit", NULL, 19},
    {"delivery status", make_wrapped, "message/delivery-status", NULL, NULL, 19},
    {"rfc822 headers", make_wrapped, "text/rfc822-headers", NULL, NULL, 19},
    {"mail in text", make_wrapped, "text/plain", "8bit", NULL, 19},
    {"mail in binary", make_wrapped, "application/octet-stream", "base64", "a.eml", 19},
    {"mail in text single", make_wrapped_single, "text/plain", "8bit", NULL, 19},
    {"real binary", make_wrapped, "application/octet-stream", "base64", "a.bin", 20},
    {"real binary single", make_wrapped_single, "application/x-data", "base64", NULL, 20},
    {"real binary as text", make_wrapped_single, "text/plain", "base64", NULL, 20},
    {"alternative", make_kind, "alternative", "8bit", NULL, 0},
    {"alternative text", make_kind, "alternative", "8bit", NULL, 1},
    {"related", make_kind, "related; type=\"text/html\"", "quoted-printable", NULL, 2},
    {"related text", make_kind, "related", "8bit", NULL, 1},
    {"related text image", make_kind, "related", "8bit", "a.gif", 3},
    {"report", make_kind, "report; report-type=delivery-status", "8bit", NULL, 1},
    {"signed", make_kind, "signed", "8bit", NULL, 1},
    {"digest", make_kind, "digest", "8bit", NULL, 1},
    {"nested", make_nested, "text/plain", "8bit", NULL, 2},
    {"nested html base64", make_nested, "text/html", "base64", NULL, 3},
    {"nested deep", make_nested, "text/plain", "base64", "a.txt", 6},
    {"nested too deep", make_nested, "text/plain", "8bit", NULL, 12},
    {"border text 8191", make_border, "text/plain", "8bit", NULL, 8191},
    {"border text 128 K", make_border, "text/plain", "quoted-printable", NULL, 131072},
    {"border html 8191", make_border, "text/html", "8bit", HTML_BEGIN, 8191},
    {"border html 8192", make_border, "text/html", "base64", HTML_BEGIN, 8192},
    {"border html 128 K", make_border, "text/html", "quoted-printable", HTML_BEGIN, 131072},
    {"border binary 16384", make_border, "application/x-data", "base64", NULS, 16384},
    {"border binary 128 K", make_border, "application/x-data", "base64", NULS, 131072},
};

unsigned place_count(void)
{
    return sizeof(places) / sizeof(places[0]);
}

const char *place_name(unsigned place)
{
    return places[place].name;
}

void place_message(struct bytes *message, unsigned place, const struct bytes *payload,
                   struct random *random)
{
    struct place_work work = {.to = message, .payload = payload, .random = random};

    places[place].make(&work, &places[place]);
}
