#include "tests/oracle/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/why.h"
#include "signatures/content/decode/base64.h"
#include "signatures/content/decode/squeeze.h"

#define PROBE_MESSAGE_MAX (UINT64_C(64) << 20)
#define PROBE_PARTS_MAX   5000u

struct probe {
    struct prefilter prefilter;
    struct inspector *inspector;
    struct probe_stream *streams;
    size_t stream_count;
    size_t stream_room;
    uint64_t cpu_ns;
};

static void probe_empty(struct probe_bytes *searched)
{
    searched->bytes.length = 0;
    searched->span_count = 0;
}

static void probe_free(struct probe_bytes *searched)
{
    bytes_free(&searched->bytes);
    free(searched->spans);
}

static void probe_append(struct probe_bytes *searched, uint32_t domains, const uint8_t *bytes,
                         size_t length)
{
    bytes_append(&searched->bytes, bytes, length);
    if (searched->span_count > 0 && searched->spans[searched->span_count - 1].domains == domains) {
        searched->spans[searched->span_count - 1].end = searched->bytes.length;
        return;
    }
    if (searched->span_count == searched->span_room) {
        searched->span_room = searched->span_room * 2 + 8;
        searched->spans =
            reallocarray(searched->spans, searched->span_room, sizeof(*searched->spans));
        if (searched->spans == NULL)
            abort();
    }
    searched->spans[searched->span_count++] =
        (struct probe_span){.end = searched->bytes.length, .domains = domains};
}

static void probe_tap_begin(void *context, enum search_kind kind)
{
    struct probe *probe = context;
    struct probe_stream *entry;

    if (probe->stream_count == probe->stream_room) {
        size_t room = probe->stream_room == 0 ? 16 : probe->stream_room * 2;

        probe->streams = realloc(probe->streams, room * sizeof(*probe->streams));
        if (probe->streams == NULL)
            abort();
        memset(probe->streams + probe->stream_room, 0,
               (room - probe->stream_room) * sizeof(*probe->streams));
        probe->stream_room = room;
    }
    entry = &probe->streams[probe->stream_count++];
    entry->kind = kind;
    probe_empty(&entry->squeezed);
    probe_empty(&entry->exact);
}

/* Of the streams of a kind, the last begun takes the bytes. */
static void probe_tap_bytes(void *context, enum search_kind kind, uint32_t domains, bool exact,
                            const uint8_t *bytes, size_t length)
{
    struct probe *probe = context;

    for (size_t i = probe->stream_count; i-- > 0;) {
        struct probe_stream *entry = &probe->streams[i];

        if (entry->kind != kind)
            continue;
        probe_append(exact ? &entry->exact : &entry->squeezed, domains, bytes, length);
        return;
    }
    probe_tap_begin(context, kind);
    probe_tap_bytes(context, kind, domains, exact, bytes, length);
}

struct probe *probe_open(const char *path, bool tapped, struct why *why)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    struct inspect_settings settings = {
        .inspection_count = 1,
        .message_bytes_max = PROBE_MESSAGE_MAX,
        .parts_max = PROBE_PARTS_MAX,
    };

    if (probe == NULL)
        return NULL;
    squeeze_init(false);
    base64_init(false);
    if (prefilter_open(&probe->prefilter, path, why) != STATUS_OK) {
        free(probe);
        return NULL;
    }
    settings.prefilter = &probe->prefilter;
    if (tapped)
        settings.tap = (struct search_tap){
            .context = probe, .begin = probe_tap_begin, .bytes = probe_tap_bytes};
    if (inspector_create(&probe->inspector, &settings) != STATUS_OK) {
        why_set(why, "no memory for an inspector");
        prefilter_close(&probe->prefilter);
        free(probe);
        return NULL;
    }
    return probe;
}

void probe_close(struct probe *probe)
{
    if (probe == NULL)
        return;
    inspector_destroy(probe->inspector);
    prefilter_close(&probe->prefilter);
    for (size_t i = 0; i < probe->stream_room; i++) {
        probe_free(&probe->streams[i].squeezed);
        probe_free(&probe->streams[i].exact);
    }
    free(probe->streams);
    free(probe);
}

void probe_inspect(struct probe *probe, const struct bytes *message, struct random *cuts,
                   struct inspect_result *result)
{
    int64_t started_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
    struct inspection *inspection;
    size_t offset = 0;

    probe->stream_count = 0;
    inspection = inspection_take(probe->inspector);
    if (inspection == NULL)
        abort();
    while (offset < message->length) {
        size_t length = message->length - offset;
        size_t most = INSPECT_PIECE_MAX;

        if (cuts != NULL)
            most = (size_t)random_size(cuts, 1, INSPECT_PIECE_MAX);
        length = length < most ? length : most;
        if (!inspection_feed(probe->inspector, inspection, message->data + offset, length))
            break;
        offset += length;
    }
    inspection_end(probe->inspector, inspection, result);
    inspection_give(probe->inspector, inspection);
    probe->cpu_ns += (uint64_t)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - started_ns);
}

/* Whether all of [from, to) was searched for signatures of `domain`. */
static bool probe_in_domain(const struct probe_bytes *searched, uint32_t domain, size_t from,
                            size_t to)
{
    size_t begin = 0;

    for (size_t i = 0; i < searched->span_count && begin < to; i++) {
        if (searched->spans[i].end > from && (searched->spans[i].domains & domain) == 0)
            return false;
        begin = searched->spans[i].end;
    }
    return true;
}

size_t probe_find(const struct probe_bytes *searched, uint32_t domain, const uint8_t *needle,
                  size_t length)
{
    size_t at = bytes_find(&searched->bytes, 0, needle, length);

    while (at != SIZE_MAX && !probe_in_domain(searched, domain, at + 2, at + length))
        at = bytes_find(&searched->bytes, at + 1, needle, length);
    return at;
}

size_t probe_stream_count(const struct probe *probe)
{
    return probe->stream_count;
}

const struct probe_stream *probe_stream(const struct probe *probe, size_t index)
{
    return &probe->streams[index];
}

uint64_t probe_cpu_ns(const struct probe *probe)
{
    return probe->cpu_ns;
}
