/* Making what searches, before the traffic. See search.h. */
#include <stdlib.h>

#include "signatures/content/search/search.h"

static bool searcher_scratch(struct searcher *searcher, const struct hs_database *database)
{
    return database == NULL || hs_alloc_scratch(database, &searcher->scratch) == HS_SUCCESS;
}

enum status searcher_init(struct searcher *searcher, const struct prefilter *prefilter,
                          const struct search_tap *tap)
{
    searcher->prefilter = prefilter;
    searcher->tap = *tap;
    squeeze_init(false);
    if (searcher_scratch(searcher, prefilter->squeezed) &&
        searcher_scratch(searcher, prefilter->exact) &&
        searcher_scratch(searcher, prefilter->names))
        return STATUS_OK;
    searcher_fini(searcher);
    return STATUS_NO_MEMORY;
}

void searcher_fini(struct searcher *searcher)
{
    (void)hs_free_scratch(searcher->scratch);
    searcher->scratch = NULL;
}

bool search_open(struct search *search, struct searcher *searcher)
{
    size_t words = searcher->prefilter->header->weak_count / 32 + 1;

    search->searcher = searcher;
    search->weak_bytes = words * sizeof(*search->weak);
    search->weak = calloc(words, sizeof(*search->weak));
    return search->weak != NULL;
}

void search_close(struct search *search)
{
    free(search->weak);
    search->weak = NULL;
}

static bool search_stream_open(const struct hs_database *database, struct search_stream *stream)
{
    stream->used = false;
    return database == NULL || hs_open_stream(database, 0, &stream->hs) == HS_SUCCESS;
}

static void search_stream_close(struct search_stream *stream)
{
    if (stream->hs != NULL)
        (void)hs_close_stream(stream->hs, NULL, NULL, NULL);
    stream->hs = NULL;
}

bool search_text_open(const struct searcher *searcher, struct search_text *text)
{
    return search_stream_open(searcher->prefilter->squeezed, &text->squeezed) &&
           search_stream_open(searcher->prefilter->exact, &text->exact);
}

void search_text_close(struct search_text *text)
{
    search_stream_close(&text->squeezed);
    search_stream_close(&text->exact);
}

bool search_binary_open(const struct searcher *searcher, struct search_binary *binary)
{
    return search_stream_open(searcher->prefilter->exact, &binary->stream);
}

void search_binary_close(struct search_binary *binary)
{
    search_stream_close(&binary->stream);
}
