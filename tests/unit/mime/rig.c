#include "tests/unit/mime/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void rig_put(struct rig_result *result, const void *bytes, size_t length)
{
    if (result->length + length + 1 > result->size) {
        result->size = 2 * (result->length + length + 1);
        result->text = realloc(result->text, result->size);
        assert_non_null(result->text);
    }
    memcpy(result->text + result->length, bytes, length);
    result->length += length;
    result->text[result->length] = '\0';
}

static void rig_part_begin(void *context, const struct mime_part *part)
{
    static const char *const encodings[] = {"none",  "7bit", "8bit", "binary", "quoted-printable",
                                            "base64"};
    static const char *const media[] = {"plain", "html",  "text",        "image",
                                        "audio", "video", "application", "other"};
    char line[512];
    int length;

    length = snprintf(line, sizeof(line), "%u %s(%s) %s depth=%u%s%s", part->number, part->type,
                      media[part->media], encodings[part->encoding], part->depth,
                      part->attachment ? " attachment" : "", part->related ? " related" : "");
    rig_put(context, line, (size_t)length);
    if (part->name_length > 0) {
        rig_put(context, " name=", 6);
        rig_put(context, part->name, part->name_length);
    }
    rig_put(context, "\n", 1);
}

static void rig_part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    assert_true(length > 0);
    rig_put(context, bytes, length);
}

static void rig_part_end(void *context)
{
    rig_put(context, "$\n", 2);
}

static void rig_begin(struct mime_parser *parser, struct rig_result *result)
{
    struct mime_sink sink = {result, rig_part_begin, rig_part_bytes, rig_part_end};

    memset(result, 0, sizeof(*result));
    rig_put(result, "", 0);
    mime_begin(parser, &sink);
}

/* Each piece in memory of its own size, for the sanitizer. */
static void rig_feed(struct mime_parser *parser, const char *bytes, size_t length)
{
    uint8_t *copy = malloc(length + 1);

    assert_non_null(copy);
    memcpy(copy + 1, bytes, length);
    mime_feed(parser, copy + 1, length);
    free(copy);
}

static void rig_end(struct mime_parser *parser, struct rig_result *result)
{
    mime_end(parser);
    result->gate = parser->gate;
    result->part_count = parser->part_count;
}

void rig_run(struct rig_result *result, const char *bytes, size_t length, size_t first)
{
    struct mime_parser parser;

    rig_begin(&parser, result);
    rig_feed(&parser, bytes, first);
    rig_feed(&parser, bytes + first, length - first);
    rig_end(&parser, result);
}

void rig_run_random(struct rig_result *result, const char *bytes, size_t length, size_t piece_max,
                    uint32_t seed)
{
    struct mime_parser parser;
    size_t at = 0;

    rig_begin(&parser, result);
    while (at < length) {
        size_t piece;

        seed = seed * 1664525u + 1013904223u;
        piece = 1 + (seed >> 8) % piece_max;
        if (piece > length - at)
            piece = length - at;
        rig_feed(&parser, bytes + at, piece);
        at += piece;
    }
    rig_end(&parser, result);
}

void rig_free(struct rig_result *result)
{
    free(result->text);
    result->text = NULL;
}

static void rig_same(const struct rig_result *one, const struct rig_result *two)
{
    assert_string_equal(mime_gate_text(one->gate), mime_gate_text(two->gate));
    /* What a gated message gave out before nobody looks at. */
    if (one->gate != MIME_GATE_NONE)
        return;
    assert_int_equal(one->length, two->length);
    assert_memory_equal(one->text, two->text, one->length);
    assert_int_equal(one->part_count, two->part_count);
}

void rig_run_all(struct rig_result *result, const char *bytes, size_t length)
{
    struct rig_result other;

    rig_run(result, bytes, length, length);
    for (size_t first = 1; first < length; first++) {
        rig_run(&other, bytes, length, first);
        rig_same(result, &other);
        rig_free(&other);
    }
    rig_run_random(&other, bytes, length, 1, 1);
    rig_same(result, &other);
    rig_free(&other);
}
