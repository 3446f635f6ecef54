/* performance_html: how fast HTML becomes its two normal forms, in CPU time of this process.
 *
 *   performance_html [--smoke] [FILE]
 *
 * FILE: parts, each a length in four bytes, little endian, and so many bytes. Without one, parts
 * are made here: a newsletter (tables, inline styles, long addresses) and plain paragraphs. Prints
 * the best of some rounds; judges nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/check.h"
#include "signatures/content/html/html.h"

#define BYTES_MAX   (64u << 20)
#define PARTS_MAX   65536u
#define PIECE_BYTES 16384u
#define ROUNDS      15u

static struct {
    uint8_t *bytes;
    size_t length;
    size_t ends[PARTS_MAX];
    size_t count;
} parts;

static struct html_normaliser html;
static uint64_t given[2];
static uint64_t gated;

static void take_nocomment(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    given[0] += length;
}

static void take_notags(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    given[1] += length;
}

static void add(const char *text)
{
    size_t length = strlen(text);

    CHECK(parts.length + length <= BYTES_MAX);
    memcpy(parts.bytes + parts.length, text, length);
    parts.length += length;
}

static void end_part(void)
{
    CHECK(parts.count < PARTS_MAX);
    parts.ends[parts.count++] = parts.length;
}

static void make_newsletter(void)
{
    add("<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>Our news</title>\n"
        "<style type=\"text/css\">\nbody { margin: 0; font-family: Arial; }\n"
        "@media (max-width: 600px) { .wide { width: 100% !important; } "
        "}\n</style>\n</head>\n<body>\n");
    for (unsigned i = 0; i < 60; i++)
        add("<table width=\"100%\" border=\"0\" cellspacing=\"0\" cellpadding=\"0\">\n  <tr>\n"
            "    <td align=\"left\" style=\"padding: 0 18px 9px; font-family: Helvetica, Arial, "
            "sans-serif; font-size: 16px; line-height: 150%; color: #202020;\">\n"
            "      <a href=\"https://news.example.org/c/eJwlTkuOhCAQPU2zJHzVWrCYyUzmGgZKWitt0wgYc/"
            "uB6aQqea9-VYtDozGMm9NCCyMFCGWFktxwqZgQZ3mcqyOYN8M4xR5KMWA?utm_source=mail&amp;utm_id="
            "7\" "
            "target=\"_blank\" style=\"color:#007C89;text-decoration:underline;\">"
            "<img src=\"https://img.example.org/2024/banner-0817.png\" width=\"564\" "
            "alt=\"\"></a>\n"
            "      <p>We are glad to tell you about the things that happened last "
            "month&nbsp;&ndash; "
            "and about what is coming next. Read on for more, and please <b>write to us</b>.</p>\n"
            "    </td>\n  </tr>\n</table>\n");
    add("</body>\n</html>\n");
    end_part();
}

static void make_paragraphs(void)
{
    add("<html><body>\n");
    for (unsigned i = 0; i < 60; i++)
        add("<p>Dear colleagues,</p>\n<p>The quick brown fox jumps over the lazy dog, and then it "
            "does\n"
            "so again, because one sentence does not make a paragraph that anybody would believe\n"
            "in. It&rsquo;s long enough by now, isn&#39;t it?<br>\nKind regards</p>\n");
    add("</body></html>\n");
    end_part();
}

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t head[4];

    CHECK(file != NULL);
    while (fread(head, 1, 4, file) == 4) {
        size_t length =
            head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;

        CHECK(parts.length + length <= BYTES_MAX &&
              fread(parts.bytes + parts.length, 1, length, file) == length);
        parts.length += length;
        end_part();
    }
    (void)fclose(file);
}

static void run(void)
{
    struct html_sink sink = {NULL, take_nocomment, take_notags};
    size_t at = 0;

    for (size_t i = 0; i < parts.count; i++) {
        html_begin(&html, &sink);
        while (at < parts.ends[i]) {
            size_t length = parts.ends[i] - at < PIECE_BYTES ? parts.ends[i] - at : PIECE_BYTES;

            html_feed(&html, parts.bytes + at, length);
            at += length;
        }
        html_end(&html);
        gated += html.gate != HTML_GATE_NONE;
    }
}

static double cpu_seconds(void)
{
    struct timespec time;

    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void measure(const char *name, unsigned rounds)
{
    double best = 1e9;

    for (unsigned round = 0; round < rounds; round++) {
        double before = cpu_seconds();

        given[0] = given[1] = gated = 0;
        run();
        before = cpu_seconds() - before;
        best = before < best ? before : best;
    }
    printf(
        "%-12s %6zu parts %9zu bytes: %6.0f MB/s (nocomment %.2f, notags %.2f of them; %llu parts "
        "gated)\n",
        name, parts.count, parts.length, (double)parts.length / best / 1e6,
        (double)given[0] / (double)parts.length, (double)given[1] / (double)parts.length,
        (unsigned long long)gated);
    parts.length = 0;
    parts.count = 0;
}

int main(int argc, char **argv)
{
    bool smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    unsigned rounds = smoke ? 1 : ROUNDS;

    parts.bytes = malloc(BYTES_MAX);
    CHECK(parts.bytes != NULL);
    if (argc > (smoke ? 2 : 1)) {
        load(argv[argc - 1]);
        measure("file", rounds);
    }
    for (unsigned i = 0; i < (smoke ? 1 : 100); i++)
        make_newsletter();
    measure("newsletter", rounds);
    for (unsigned i = 0; i < (smoke ? 1 : 200); i++)
        make_paragraphs();
    measure("paragraphs", rounds);
    free(parts.bytes);
    return 0;
}
