#include "tests/oracle/decode/corpus.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct corpus *corpus_open; /* for nftw() */

static int corpus_visit(const char *path, const struct stat *file, int kind, struct FTW *walk)
{
    struct corpus *corpus = corpus_open;

    (void)file;
    (void)walk;
    if (kind != FTW_F)
        return 0;
    if (corpus->count == corpus->room) {
        corpus->room = corpus->room * 2 + 256;
        corpus->paths = realloc(corpus->paths, corpus->room * sizeof(*corpus->paths));
        if (corpus->paths == NULL)
            abort();
    }
    corpus->paths[corpus->count++] = strdup(path);
    return 0;
}

void corpus_add(struct corpus *corpus, const char *path)
{
    corpus_open = corpus;
    (void)nftw(path, corpus_visit, 16, FTW_PHYS);
}

void corpus_free(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++)
        free(corpus->paths[i]);
    free(corpus->paths);
}

static void corpus_part_begin(void *context, const struct mime_part *part)
{
    struct made_mail *mail = context;
    struct made_part *made;

    mail->over = mail->part_count == MADE_PARTS_MAX;
    if (mail->over)
        return;
    made = &mail->parts[mail->part_count++];
    *made = (struct made_part){.part = *part, .scanned = true};
    (void)snprintf(made->type, sizeof(made->type), "%s", part->type);
    made->part.type = made->type;
    made->part.name = NULL; /* its length is what matters here */
}

static void corpus_part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    struct made_mail *mail = context;

    if (!mail->over)
        made_append(&mail->parts[mail->part_count - 1].body, bytes, length);
}

static void corpus_part_end(void *context)
{
    (void)context;
}

enum mime_gate corpus_parse(struct made_mail *mail)
{
    static struct mime_parser parser;
    const struct mime_sink sink = {mail, corpus_part_begin, corpus_part_bytes, corpus_part_end};

    made_free(mail);
    mime_begin(&parser, &sink);
    mime_feed(&parser, mail->text.bytes, mail->text.length);
    mime_end(&parser);
    return parser.gate;
}

bool corpus_read(const char *path, struct made_mail *mail, enum mime_gate *gate)
{
    static const char trace[] = "Received: from a.example by b.example; "
                                "Sat, 1 Jan 2022 00:00:00 +0000\r\n";
    FILE *file = fopen(path, "rb");
    bool line_ends = false;
    struct made_text raw = {0};
    static uint8_t piece[65536];
    size_t length;
    size_t at = 0;

    if (file == NULL)
        return false;
    while ((length = fread(piece, 1, sizeof(piece), file)) > 0)
        made_append(&raw, piece, length);
    (void)fclose(file);
    mail->text.length = 0;
    made_append(&mail->text, trace, sizeof(trace) - 1);
    if (raw.length > 5 && memcmp(raw.bytes, "From ", 5) == 0) {
        const uint8_t *end = memchr(raw.bytes, '\n', raw.length);

        at = end != NULL ? (size_t)(end - raw.bytes) + 1 : 0;
    }
    for (size_t i = at; i + 1 < raw.length; i++)
        line_ends = line_ends || (raw.bytes[i] == '\r' && raw.bytes[i + 1] == '\n');
    for (; at < raw.length; at++) {
        if (raw.bytes[at] == '\n' && !line_ends)
            made_append(&mail->text, "\r", 1);
        made_append(&mail->text, &raw.bytes[at], 1);
    }
    free(raw.bytes);
    *gate = corpus_parse(mail);
    return true;
}
