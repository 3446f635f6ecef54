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
#include "tests/unit/mime/harness.h"

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
                assert_int_equal(decode_gate_class(reading.gate), GATE_MALFORMED);
            else
                assert_int_equal(mime_gate_class(reading.parser.gate), GATE_MALFORMED);
        }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each), cmocka_unit_test(test_all)};

    if (argc != 2) {
        (void)fputs("usage: test_mime_malformed FOLDER\n", stderr);
        return 2;
    }
    malformed_folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
