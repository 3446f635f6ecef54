/* Streams through Hyperscan, leaves to groups. See search.h. */
#include "signatures/content/search/search.h"

#include <string.h>

#include "platform/check.h"

struct search_call {
    const struct prefilter *prefilter;
    struct search *search;
    uint32_t domains;
};

static bool search_group_holds(const struct search_call *call, const struct prefilter_group *group)
{
    const struct prefilter *prefilter = call->prefilter;

    if ((group->domains & call->domains) == 0)
        return false;
    for (unsigned i = 0; i < group->leaf_count && group->leaf_count > 1; i++) {
        uint32_t bit = prefilter->leaves[group->leaves[i]].weak;

        if ((call->search->weak[bit / 32] >> (bit % 32) & 1) == 0)
            return false;
    }
    return true;
}

static int search_hit(unsigned int id, unsigned long long from, unsigned long long to,
                      unsigned int flags, void *context)
{
    struct search_call *call = context;
    const struct prefilter *prefilter = call->prefilter;
    const struct prefilter_leaf *leaf = &prefilter->leaves[id];

    (void)from;
    (void)to;
    (void)flags;
    if ((leaf->domains & call->domains) == 0)
        return 0;
    if (leaf->weak != UINT32_MAX)
        call->search->weak[leaf->weak / 32] |= UINT32_C(1) << (leaf->weak % 32);
    for (uint32_t i = 0; i < leaf->group_count; i++) {
        const struct prefilter_group *group =
            &prefilter->groups[prefilter->leaf_groups[leaf->first_group + i]];

        if (!search_group_holds(call, group))
            continue;
        call->search->state = SEARCH_FOUND;
        call->search->signature = group->signature;
        return 1;
    }
    return 0;
}

static void search_scan(struct search *search, struct search_stream *stream, uint32_t domains,
                        const uint8_t *bytes, size_t length)
{
    struct search_call call = {search->searcher->prefilter, search, domains};
    hs_error_t error;

    if (stream->hs == NULL || length == 0 || search->state != SEARCH_GOING_ON)
        return;
    stream->used = true;
    search->bytes += length;
    error = hs_scan_stream(stream->hs, (const char *)bytes, (unsigned)length, 0,
                           search->searcher->scratch, search_hit, &call);
    /* It can only fail by misuse, which must not let a message pass. */
    if (error != HS_SUCCESS && error != HS_SCAN_TERMINATED)
        search->state = SEARCH_FAILED;
}

static void search_stream_reset(struct search_stream *stream)
{
    hs_error_t error;

    if (!stream->used)
        return;
    /* Leaves are plain strings: nothing can match at the end that did not match before. */
    error = hs_reset_stream(stream->hs, 0, NULL, NULL, NULL);
    CHECK(error == HS_SUCCESS);
    stream->used = false;
}

static void search_tap_begin(const struct search *search, enum search_kind kind)
{
    const struct search_tap *tap = &search->searcher->tap;

    if (tap->begin != NULL)
        tap->begin(tap->context, kind);
}

static void search_tap_bytes(const struct search *search, enum search_kind kind, uint32_t domains,
                             bool exact, const uint8_t *bytes, size_t length)
{
    const struct search_tap *tap = &search->searcher->tap;

    if (tap->bytes != NULL)
        tap->bytes(tap->context, kind, domains, exact, bytes, length);
}

static int searcher_name_hit(unsigned int id, unsigned long long from, unsigned long long to,
                             unsigned int flags, void *context)
{
    uint32_t *signature = context;

    (void)from;
    (void)to;
    (void)flags;
    *signature = id;
    return 1;
}

bool searcher_name(const struct searcher *searcher, const uint8_t *name, size_t length,
                   uint32_t *signature)
{
    const struct hs_database *names = searcher->prefilter->names;
    hs_error_t error;

    *signature = UINT32_MAX;
    if (names == NULL || length == 0)
        return true;
    error = hs_scan(names, (const char *)name, (unsigned)length, 0, searcher->scratch,
                    searcher_name_hit, signature);
    return error == HS_SUCCESS || error == HS_SCAN_TERMINATED;
}

void search_begin(struct search *search)
{
    search->state = SEARCH_GOING_ON;
    search->signature = UINT32_MAX;
    search->bytes = 0;
    memset(search->weak, 0, search->weak_bytes);
}

void search_stop(struct search *search)
{
    if (search->state == SEARCH_GOING_ON)
        search->state = SEARCH_STOPPED;
}

void search_binary_begin(struct search *search, struct search_binary *binary, enum search_kind kind,
                         uint32_t domains)
{
    CHECK(kind == SEARCH_BINARY || kind == SEARCH_FORCED);
    search_stream_reset(&binary->stream);
    binary->kind = kind;
    binary->domains = domains;
    search_tap_begin(search, kind);
}

void search_binary_feed(struct search *search, struct search_binary *binary, const uint8_t *bytes,
                        size_t length)
{
    search_tap_bytes(search, binary->kind, binary->domains, true, bytes, length);
    search_scan(search, &binary->stream, binary->domains, bytes, length);
}

void search_text_begin(struct search *search, struct search_text *text, enum search_kind kind,
                       uint32_t domains)
{
    CHECK(kind < SEARCH_BINARY);
    search_stream_reset(&text->squeezed);
    search_stream_reset(&text->exact);
    text->kind = kind;
    text->domains = domains;
    text->head_length = 0;
    text->tail_length = 0;
    text->after = 0;
    search->searcher->squeezed[kind].length = 0;
    search->searcher->exact[kind].length = 0;
    search_tap_begin(search, kind);
}

static void search_flush_squeezed(struct search *search, struct search_text *text)
{
    struct search_gatherer *gatherer = &search->searcher->squeezed[text->kind];

    search_tap_bytes(search, text->kind, text->domains, false, gatherer->bytes, gatherer->length);
    search_scan(search, &text->squeezed, text->domains, gatherer->bytes, gatherer->length);
    gatherer->length = 0;
}

static void search_flush_exact(struct search *search, struct search_text *text)
{
    struct search_gatherer *gatherer = &search->searcher->exact[text->kind];

    search_tap_bytes(search, text->kind, text->domains, true, gatherer->bytes, gatherer->length);
    search_scan(search, &text->exact, text->domains, gatherer->bytes, gatherer->length);
    gatherer->length = 0;
}

void search_text_flush(struct search *search, struct search_text *text)
{
    if (search->searcher->squeezed[text->kind].length > 0)
        search_flush_squeezed(search, text);
    if (search->searcher->exact[text->kind].length > 0)
        search_flush_exact(search, text);
}

static void search_gather_exact(struct search *search, struct search_text *text,
                                const uint8_t *bytes, size_t length)
{
    struct search_gatherer *gatherer = &search->searcher->exact[text->kind];

    if (gatherer->length + length > SEARCH_GATHERED)
        search_flush_exact(search, text);
    memcpy(gatherer->bytes + gatherer->length, bytes, length);
    gatherer->length += length;
}

static void search_keep_tail(struct search_text *text, const uint8_t *bytes, size_t length)
{
    size_t kept;

    if (length >= SEARCH_TAIL) {
        memcpy(text->tail, bytes + length - SEARCH_TAIL, SEARCH_TAIL);
        text->tail_length = SEARCH_TAIL;
        return;
    }
    kept = text->tail_length < SEARCH_TAIL - length ? text->tail_length : SEARCH_TAIL - length;
    memmove(text->tail, text->tail + text->tail_length - kept, kept);
    memcpy(text->tail + kept, bytes, length);
    text->tail_length = (uint8_t)(kept + length);
}

/* Pieces that do not touch are searched in one stream: what matches across the seam is a hit too
 * many, never one too few. */
static void search_stride(struct search *search, struct search_text *text, const uint8_t *bytes,
                          size_t length)
{
    struct search_gatherer *gatherer = &search->searcher->squeezed[text->kind];
    bool odd = false;

    if (gatherer->length + length > SEARCH_GATHERED)
        search_flush_squeezed(search, text);
    gatherer->length += squeeze(bytes, length, gatherer->bytes + gatherer->length, &odd);
    if (odd) {
        /* Right behind another odd stride what is before was searched already. */
        if (text->after < SEARCH_TAIL)
            search_gather_exact(search, text, text->tail, text->tail_length);
        search_gather_exact(search, text, bytes, length);
        text->after = SEARCH_TAIL;
    } else if (text->after > 0) {
        size_t more = length < text->after ? length : text->after;

        search_gather_exact(search, text, bytes, more);
        text->after = (uint8_t)(text->after - more);
    }
    search_keep_tail(text, bytes, length);
}

void search_text_feed(struct search *search, struct search_text *text, const uint8_t *bytes,
                      size_t length)
{
    for (size_t i = 0; text->head_length < sizeof(text->head) && i < length; i++)
        text->head[text->head_length++] = bytes[i];
    while (length > 0 && search->state == SEARCH_GOING_ON) {
        size_t stride = length < SEARCH_STRIDE ? length : SEARCH_STRIDE;

        search_stride(search, text, bytes, stride);
        bytes += stride;
        length -= stride;
    }
}
