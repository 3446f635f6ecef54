/* The mails of tests/oracle/malformed hide an attachment from libclamav (its run shows it). Each
 * must be called malformed, by the parser or by a decoder, however it is cut. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/content/decode/decode.h"
#include "tests/unit/mime/rig.h"

#define RECEIVED  "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"
#define BYTES_MAX 8192u

static const char *malformed_folder;

static const struct {
    const char *name;
    enum mime_gate gate; /* none: a decoder's */
} malformed[] = {
    {"base64-line.eml", MIME_GATE_BASE64_LINE},
    {"base64-padding.eml", MIME_GATE_NONE},
    {"boundary-blank.eml", MIME_GATE_BOUNDARY_BLANK},
    {"boundary-continued.eml", MIME_GATE_MULTIPART_SYNTAX},
    {"boundary-other.eml", MIME_GATE_MULTIPART_SYNTAX},
    {"boundary-semicolon.eml", MIME_GATE_MULTIPART_SYNTAX},
    {"boundary-space.eml", MIME_GATE_MULTIPART_SYNTAX},
    {"boundary-tab.eml", MIME_GATE_BOUNDARY_LINE},
    {"boundary-word.eml", MIME_GATE_MULTIPART_SYNTAX},
    {"disposition-quoted.eml", MIME_GATE_DISPOSITION},
    {"disposition-unknown.eml", MIME_GATE_DISPOSITION},
    {"encoding-lost.eml", MIME_GATE_FIELD_EMPTY},
    {"field-empty.eml", MIME_GATE_FIELD_EMPTY},
    {"header-line.eml", MIME_GATE_HEADER_LINE},
    {"message-unknown.eml", MIME_GATE_MESSAGE_HIDDEN},
    {"multipart-html.eml", MIME_GATE_MULTIPART_TYPE},
    {"multipart-parallel.eml", MIME_GATE_MULTIPART_TYPE},
    {"multipart-plain.eml", MIME_GATE_MULTIPART_TYPE},
    {"quotes-odd.eml", MIME_GATE_FIELD_QUOTES},
    {"related-root.eml", MIME_GATE_RELATED_ROOT},
    {"semicolon-last.eml", MIME_GATE_HEADER_JOINED},
    {"signed-attachment.eml", MIME_GATE_SIGNED},
    {"type-twice.eml", MIME_GATE_FIELD_TWICE},
};

#define MALFORMED_COUNT (sizeof(malformed) / sizeof(malformed[0]))

/* A message through the parser and the decoders. */
struct reading {
    struct mime_parser parser;
    struct decoder decoder;
    enum decode_gate gate; /* of the first part that has one */
};

static uint8_t reading_room[DECODE_ROOM];

static void reading_gate(struct reading *reading)
{
    if (reading->gate == DECODE_GATE_NONE)
        reading->gate = reading->decoder.gate;
}

static void on_begin(void *context, const struct mime_part *part)
{
    struct reading *reading = context;

    decode_begin(&reading->decoder, part);
    reading_gate(reading);
}

static void on_bytes(void *context, const uint8_t *bytes, size_t length)
{
    struct reading *reading = context;

    (void)decode_feed(&reading->decoder, bytes, length, reading_room);
    reading_gate(reading);
}

static void on_end(void *context)
{
    struct reading *reading = context;

    (void)decode_end(&reading->decoder, reading_room);
    reading_gate(reading);
}

static size_t load(const char *name, char *message)
{
    char path[4096];
    size_t length = sizeof(RECEIVED) - 1;
    FILE *file;
    int byte;

    (void)snprintf(path, sizeof(path), "%s/%s", malformed_folder, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    memcpy(message, RECEIVED, sizeof(RECEIVED));
    while ((byte = fgetc(file)) != EOF && length + 2 < BYTES_MAX) {
        if (byte == '\n')
            message[length++] = '\r';
        message[length++] = (char)byte;
    }
    assert_int_equal(byte, EOF);
    (void)fclose(file);
    return length;
}

static void read_cut(struct reading *reading, const char *message, size_t length, size_t first)
{
    struct mime_sink sink = {reading, on_begin, on_bytes, on_end};

    memset(reading, 0, sizeof(*reading));
    mime_begin(&reading->parser, &sink);
    mime_feed(&reading->parser, (const uint8_t *)message, first);
    mime_feed(&reading->parser, (const uint8_t *)message + first, length - first);
    mime_end(&reading->parser);
}

static void test_each(void **state)
{
    static char message[BYTES_MAX];
    static struct reading reading;

    (void)state;
    for (size_t i = 0; i < MALFORMED_COUNT; i++) {
        size_t length = load(malformed[i].name, message);

        for (size_t first = 0; first <= length; first++) {
            read_cut(&reading, message, length, first);
            if (reading.parser.gate != malformed[i].gate)
                fail_msg("%s: \"%s\" at %zu", malformed[i].name,
                         mime_gate_text(reading.parser.gate), first);
            if (malformed[i].gate == MIME_GATE_NONE)
                assert_int_equal(decode_gate_class(reading.gate), GATE_READERS);
            else
                assert_int_equal(mime_gate_class(reading.parser.gate), GATE_READERS);
        }
    }
}

/* What may stand before a mail's own header fields, and is a doubt of its own each time. */
#define LETTERS_100                                                                                \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"
#define LETTERS_300 LETTERS_100 LETTERS_100 LETTERS_100

static const struct doubt {
    const char *part; /* the header of a part in front, or lines of the mail's own header */
    enum mime_gate gate;
    bool header;
} doubts[] = {
    {"X-L: " LETTERS_300 LETTERS_300 LETTERS_300 LETTERS_100 LETTERS_100 "\r\n",
     MIME_GATE_LONG_LINE, true},
    {"X-E: a\r\n ;\r\n", MIME_GATE_EMPTY_OPTIONS, true},
    {"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 7bit\r\n",
     MIME_GATE_ENCODING_TWICE, false},
    {"Content-Transfer-Encoding: x-odd\r\n", MIME_GATE_ENCODING, false},
    {"Content-Type: text/plain, odd\r\n", MIME_GATE_FIELD_SYNTAX, false},
    {"Content-Transfer-Encoding: 7bit odd\r\n", MIME_GATE_FIELD_SYNTAX, false},
    {"Content-Disposition: inline odd\r\n", MIME_GATE_FIELD_SYNTAX, false},
    {"Content-Disposition: inline; name=a\r\n", MIME_GATE_PARAMETER, false},
    {"Content-Disposition: inline; filename=\"" LETTERS_300 "\"\r\n", MIME_GATE_PARAMETER, false},
    {"Content-Type: text/plain; boundaryx=1\r\n", MIME_GATE_PARAMETER, false},
    {"Content-Type: text/plain; boundary=\"" LETTERS_100 "\"\r\n", MIME_GATE_BOUNDARY_VALUE, false},
    {NULL, MIME_GATE_PARAMETERS, false},
    {"Content-Type: text/plain; name=\"=?utf-8?q?a=\"\r\n", MIME_GATE_ENCODED_NAME, false},
    {"Content-Type: odd/plain\r\n", MIME_GATE_MEDIA_TYPE, false},
    {"Content-Type: message/partial\r\n", MIME_GATE_MESSAGE, false},
    {"Content-Type: text/plain;\r\n a=" LETTERS_300 LETTERS_300 LETTERS_300
     ";\r\n b=" LETTERS_300 LETTERS_300 LETTERS_300 ";\r\n c=" LETTERS_300 "\r\n",
     MIME_GATE_HEADER_SIZE, false},
    {"", MIME_GATE_HEADER_NONE, false},
    {"Content-Type: application/odd\r\n\r\nbase64\r\n", MIME_GATE_LATE_HEADER, false},
};

#define DOUBT_COUNT (sizeof(doubts) / sizeof(doubts[0]))
#define OUTER       "Content-Type: multipart/mixed; boundary=outer\r\n\r\n"

static size_t put(char *to, size_t used, const char *text, size_t length)
{
    assert_true(used + length < 2 * BYTES_MAX);
    memcpy(to + used, text, length);
    return used + length;
}

static size_t put_text(char *to, size_t used, const char *text)
{
    return put(to, used, text, strlen(text));
}

static size_t put_doubt(char *to, size_t used, const struct doubt *doubt)
{
    if (doubt->part != NULL)
        return put_text(to, used, doubt->part);
    used = put_text(to, used, "Content-Type: text/plain");
    for (unsigned i = 0; i <= MIME_PARAMETERS_MAX; i++)
        used = put_text(to, used, ";\r\n a=b");
    return put_text(to, used, "\r\n");
}

/* The doubt, and behind it what is in `mail` (without its Received field): `own`, in one header
 * with the mail's own fields; else as the part behind one of the doubt. */
static size_t put_pair(char *to, const struct doubt *doubt, bool own, const char *mail,
                       size_t length)
{
    const char *type = strstr(mail, "\r\nContent-");
    size_t used = put_text(to, 0, RECEIVED);

    if (own) {
        used = put_doubt(to, used, doubt);
        return put(to, used, mail, length);
    }
    used = put_text(to, used, OUTER "--outer\r\n");
    used = put_doubt(to, used, doubt);
    used = put_text(to, used, "\r\nfirst\r\n--outer\r\n");
    assert_non_null(type);
    used = put(to, used, type + 2, length - (size_t)(type + 2 - mail));
    return put_text(to, used, "\r\n--outer--\r\n");
}

/* Each doubt alone is a doubt and nothing worse. */
static void test_doubts(void **state)
{
    static char message[2 * BYTES_MAX];
    static struct reading reading;
    static const char harmless[] = "X: y\r\nContent-Type: text/html\r\n\r\nsecond\r\n";

    (void)state;
    for (size_t i = 0; i < DOUBT_COUNT; i++) {
        size_t length =
            put_pair(message, &doubts[i], doubts[i].header, harmless, sizeof(harmless) - 1);

        read_cut(&reading, message, length, length / 2);
        if (reading.parser.gate != doubts[i].gate)
            fail_msg("doubt %zu: \"%s\"", i, mime_gate_text(reading.parser.gate));
        assert_false(reading.parser.stopped);
    }
}

static void check_pair(const struct doubt *doubt, bool own, const char *name)
{
    static char mail[BYTES_MAX];
    static char message[2 * BYTES_MAX];
    static struct reading reading;
    size_t start = sizeof(RECEIVED) - 1;
    size_t length = load(name, mail);

    length = put_pair(message, doubt, own, mail + start, length - start);
    for (size_t first = 0; first <= length; first += 1 + first % 37) {
        read_cut(&reading, message, length, first);
        if (mime_gate_class(reading.parser.gate) != GATE_READERS &&
            decode_gate_class(reading.gate) != GATE_READERS)
            fail_msg("%s %s \"%s\", cut at %zu: \"%s\"", name, own ? "with" : "behind",
                     mime_gate_text(doubt->gate), first, mime_gate_text(reading.parser.gate));
    }
}

/* ... and hides nothing: what is malformed behind it is, wherever the message is cut. */
static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < DOUBT_COUNT * MALFORMED_COUNT; i++) {
        const struct doubt *doubt = &doubts[i / MALFORMED_COUNT];
        const char *name = malformed[i % MALFORMED_COUNT].name;
        bool headed = doubt->part == NULL ||
                      (doubt->part[0] != '\0' && strstr(doubt->part, "\r\n\r\n") == NULL);

        if (headed)
            check_pair(doubt, true, name);
        /* In a part's header a last semicolon hides nothing: libclamav finds what is there. */
        if (!doubt->header && strcmp(name, "semicolon-last.eml") != 0)
            check_pair(doubt, false, name);
    }
}

/* Nothing ends what is looked at by nesting. */
static void test_depth(void **state)
{
    static char message[2 * BYTES_MAX];
    static struct reading reading;
    char line[128];

    (void)state;
    for (unsigned depth = MIME_DEPTH_MAX - 1; depth < MIME_DEPTH_ROOM + 2; depth++) {
        size_t used = put_text(message, 0, RECEIVED);

        for (unsigned i = 0; i <= depth; i++) {
            (void)snprintf(line, sizeof(line),
                           "Content-Type: multipart/mixed; boundary=b%02u\r\n\r\n--b%02u\r\n", i,
                           i);
            used = put_text(message, used, line);
        }
        used = put_text(message, used, "\r\ntext\r\n");
        used = put_text(message, used, depth % 2 == 0 ? "" : "--b03\t\r\n");
        read_cut(&reading, message, used, used / 2);
        assert_int_not_equal(reading.parser.gate, MIME_GATE_NONE);
        assert_int_equal(mime_gate_class(reading.parser.gate),
                         depth % 2 == 0 && depth < MIME_DEPTH_ROOM ? GATE_SCAN : GATE_READERS);
    }
}

/* No file without an entry. */
static void test_all(void **state)
{
    DIR *folder = opendir(malformed_folder);
    struct dirent *entry;
    size_t count = 0;

    (void)state;
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += strstr(entry->d_name, ".eml") != NULL;
    (void)closedir(folder);
    assert_int_equal(count, MALFORMED_COUNT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),  cmocka_unit_test(test_doubts), cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_depth), cmocka_unit_test(test_all),
    };

    if (argc != 2) {
        (void)fputs("usage: test_mime_malformed FOLDER\n", stderr);
        return 2;
    }
    malformed_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
