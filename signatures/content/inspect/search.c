/* Streams through Hyperscan, leaves to groups. See internal.h. */
#include <string.h>

#include "platform/check.h"
#include "signatures/content/inspect/internal.h"

struct search_call {
    const struct prefilter *prefilter;
    struct inspection *inspection;
    uint32_t domains;
};

static bool search_group_holds(const struct search_call *search,
                               const struct prefilter_group *group)
{
    const struct prefilter *prefilter = search->prefilter;

    if ((group->domains & search->domains) == 0)
        return false;
    for (unsigned i = 0; i < group->leaf_count && group->leaf_count > 1; i++) {
        uint32_t bit = prefilter->leaves[group->leaves[i]].weak;

        if ((search->inspection->weak[bit / 32] >> (bit % 32) & 1) == 0)
            return false;
    }
    return true;
}

/* Leaves are remembered for the whole message and not for one byte string: more may hold than does,
 * never less. */
static int search_hit(unsigned int id, unsigned long long from, unsigned long long to,
                      unsigned int flags, void *context)
{
    struct search_call *search = context;
    const struct prefilter *prefilter = search->prefilter;
    const struct prefilter_leaf *leaf = &prefilter->leaves[id];

    (void)from;
    (void)to;
    (void)flags;
    if ((leaf->domains & search->domains) == 0)
        return 0;
    if (leaf->weak != UINT32_MAX)
        search->inspection->weak[leaf->weak / 32] |= UINT32_C(1) << (leaf->weak % 32);
    for (uint32_t i = 0; i < leaf->group_count; i++) {
        const struct prefilter_group *group =
            &prefilter->groups[prefilter->leaf_groups[leaf->first_group + i]];

        if (!search_group_holds(search, group))
            continue;
        inspect_doubt(search->inspection,
                      prefilter->signatures[group->signature].kind == PREFILTER_TYPE
                          ? INSPECT_CAUSE_TYPE
                          : INSPECT_CAUSE_SIGNATURE,
                      prefilter_name(prefilter, group->signature), GATE_SCAN, false);
        return 1;
    }
    return 0;
}

static void search_scan(struct inspect_call *call, struct search_stream *stream, uint32_t domains,
                        const uint8_t *bytes, size_t length)
{
    struct search_call search = {call->inspector->prefilter, call->inspection, domains};
    hs_error_t error;

    if (stream->hs == NULL || length == 0 || call->inspection->final)
        return;
    stream->used = true;
    call->inspection->searched_bytes += length;
    error = hs_scan_stream(stream->hs, (const char *)bytes, (unsigned)length, 0,
                           call->inspector->scratch, search_hit, &search);
    /* It can only fail by misuse, which must not let a message pass. */
    if (error != HS_SUCCESS && error != HS_SCAN_TERMINATED)
        inspect_doubt(call->inspection, INSPECT_CAUSE_LIMIT, "search failed", GATE_SCAN, false);
}

void search_stream_reset(struct search_stream *stream)
{
    if (!stream->used)
        return;
    /* Leaves are plain strings: nothing can match at the end that did not match before. */
    CHECK(hs_reset_stream(stream->hs, 0, NULL, NULL, NULL) == HS_SUCCESS);
    stream->used = false;
}

static void search_tap(struct inspect_call *call, enum inspect_stream stream, bool exact,
                       const uint8_t *bytes, size_t length)
{
    const struct inspect_tap *tap = &call->inspector->settings.tap;

    if (tap->bytes != NULL)
        tap->bytes(tap->context, stream, exact, bytes, length);
}

void search_exact(struct inspect_call *call, struct search_stream *stream, uint32_t domains,
                  const uint8_t *bytes, size_t length)
{
    bool forced = stream == &call->inspection->forced_binary;

    search_tap(call, forced ? INSPECT_FORCED : INSPECT_BINARY, true, bytes, length);
    search_scan(call, stream, domains, bytes, length);
}

void search_text_begin(struct inspect_call *call, struct search_text *text,
                       enum inspect_stream stream, uint32_t domains)
{
    const struct inspect_tap *tap = &call->inspector->settings.tap;

    search_stream_reset(&text->squeezed);
    search_stream_reset(&text->exact);
    text->stream = stream;
    text->domains = domains;
    text->head_length = 0;
    text->tail_length = 0;
    text->after = 0;
    call->inspector->squeezed[stream].length = 0;
    call->inspector->exact[stream].length = 0;
    if (tap->begin != NULL)
        tap->begin(tap->context, stream);
}

static void search_flush_squeezed(struct inspect_call *call, struct search_text *text)
{
    struct gatherer *gatherer = &call->inspector->squeezed[text->stream];

    search_tap(call, text->stream, false, gatherer->bytes, gatherer->length);
    search_scan(call, &text->squeezed, text->domains, gatherer->bytes, gatherer->length);
    gatherer->length = 0;
}

static void search_flush_exact(struct inspect_call *call, struct search_text *text)
{
    struct gatherer *gatherer = &call->inspector->exact[text->stream];

    search_tap(call, text->stream, true, gatherer->bytes, gatherer->length);
    search_scan(call, &text->exact, text->domains, gatherer->bytes, gatherer->length);
    gatherer->length = 0;
}

void search_text_flush(struct inspect_call *call, struct search_text *text)
{
    if (call->inspector->squeezed[text->stream].length > 0)
        search_flush_squeezed(call, text);
    if (call->inspector->exact[text->stream].length > 0)
        search_flush_exact(call, text);
}

static void search_gather_exact(struct inspect_call *call, struct search_text *text,
                                const uint8_t *bytes, size_t length)
{
    struct gatherer *gatherer = &call->inspector->exact[text->stream];

    if (gatherer->length + length > SEARCH_GATHERED)
        search_flush_exact(call, text);
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
static void search_stride(struct inspect_call *call, struct search_text *text, const uint8_t *bytes,
                          size_t length)
{
    struct gatherer *gatherer = &call->inspector->squeezed[text->stream];
    bool odd = false;

    if (gatherer->length + length > SEARCH_GATHERED)
        search_flush_squeezed(call, text);
    gatherer->length += squeeze(bytes, length, gatherer->bytes + gatherer->length, &odd);
    if (odd) {
        /* Right behind another odd stride what is before was searched already. */
        if (text->after < SEARCH_TAIL)
            search_gather_exact(call, text, text->tail, text->tail_length);
        search_gather_exact(call, text, bytes, length);
        text->after = SEARCH_TAIL;
    } else if (text->after > 0) {
        size_t more = length < text->after ? length : text->after;

        search_gather_exact(call, text, bytes, more);
        text->after = (uint8_t)(text->after - more);
    }
    search_keep_tail(text, bytes, length);
}

void search_text_feed(struct inspect_call *call, struct search_text *text, const uint8_t *bytes,
                      size_t length)
{
    for (size_t i = 0; text->head_length < sizeof(text->head) && i < length; i++)
        text->head[text->head_length++] = bytes[i];
    while (length > 0 && !call->inspection->final) {
        size_t stride = length < SEARCH_STRIDE ? length : SEARCH_STRIDE;

        search_stride(call, text, bytes, stride);
        bytes += stride;
        length -= stride;
    }
}
