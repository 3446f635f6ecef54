#include "tests/oracle/covered.h"

#include <stdio.h>
#include <string.h>

#include "platform/why.h"
#include "signatures/prefilter/prefilter.h"
#include "tests/oracle/witness.h"

#define COVERED_REACH (PREFILTER_FRAGMENT_MAX - 1u) /* of a fragment around an odd byte */

static struct bytes squeezed; /* h of the buffer in hand; kept from one to the next */

static bool is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_odd(uint8_t byte)
{
    return (byte < 0x20 || byte > 0x7e) && !is_white(byte);
}

/* h, on its own terms: one table, one byte at a time. */
static void squeeze_plainly(const uint8_t *bytes, size_t length)
{
    uint8_t *to;

    squeezed.length = 0;
    to = bytes_grow(&squeezed, length + 1);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];

        if (byte <= 0x20 || byte > 0x7e)
            continue;
        *to++ = byte >= 'A' && byte <= 'Z' ? byte + 32 : byte;
        squeezed.length++;
    }
}

static bool covered_type(const struct witness_layer *layer)
{
    static const char *const settled[] = {
        "CL_TYPE_TEXT_ASCII", "CL_TYPE_TEXT_UTF8",   "CL_TYPE_TEXT_UTF16LE", "CL_TYPE_TEXT_UTF16BE",
        "CL_TYPE_HTML",       "CL_TYPE_BINARY_DATA", "CL_TYPE_GRAPHICS",     "CL_TYPE_GIF",
        "CL_TYPE_PNG",        "CL_TYPE_JPEG",        "CL_TYPE_TIFF",         "CL_TYPE_IGNORED",
    };

    if (layer->level == 0)
        return strcmp(layer->type, "CL_TYPE_MAIL") == 0;
    for (size_t i = 0; i < sizeof(settled) / sizeof(settled[0]); i++) {
        if (strcmp(layer->type, settled[i]) == 0)
            return layer->level == 1;
    }
    return false;
}

static unsigned bit(enum search_kind stream)
{
    return 1u << stream;
}

static bool covered_text(const struct witness_buffer *buffer)
{
    return strcmp(buffer->type, "CL_TYPE_ANY") == 0 ||
           strncmp(buffer->type, "CL_TYPE_TEXT", 12) == 0;
}

/* Streams that a buffer may be found in; 0: only equal bytes will do. */
static unsigned covered_streams(const struct witness_buffer *buffer)
{
    if (buffer->target == 4)
        return bit(SEARCH_RAW);
    if (buffer->target == 3)
        return bit(SEARCH_NOCOMMENT) | bit(SEARCH_NOTAGS);
    if (covered_text(buffer))
        return bit(SEARCH_RAW) | bit(SEARCH_TEXT);
    return 0;
}

/* Whose signatures must have been looked for where the buffer was searched. */
static uint32_t covered_domain(const struct witness_buffer *buffer)
{
    if (buffer->target == 4)
        return PREFILTER_RAW;
    return buffer->target == 3 ? PREFILTER_HTML : PREFILTER_TEXT;
}

static bool covered_squeezed(const struct probe *probe, unsigned streams, uint32_t domain,
                             struct covered_counts *counts)
{
    for (size_t i = 0; i < probe_stream_count(probe); i++) {
        const struct probe_stream *stream = probe_stream(probe, i);

        if ((streams & bit(stream->kind)) == 0)
            continue;
        if (probe_find(&stream->squeezed, domain, squeezed.data, squeezed.length) == SIZE_MAX)
            continue;
        counts->identical += stream->squeezed.bytes.length == squeezed.length;
        return true;
    }
    return squeezed.length < 4; /* shorter than any fragment */
}

static bool covered_exactly(const struct probe *probe, unsigned streams, uint32_t domain,
                            const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < probe_stream_count(probe); i++) {
        const struct probe_stream *stream = probe_stream(probe, i);

        if ((streams & bit(stream->kind)) != 0 &&
            probe_find(&stream->exact, domain, bytes, length) != SIZE_MAX)
            return true;
    }
    return false;
}

/* Binary data of a Target (5: images, 14: others) is searched for that domain's signatures, and
 * what any Target matches for those of either. */
static uint32_t covered_binary_domains(const struct witness_buffer *buffer)
{
    if (buffer->target == 5)
        return PREFILTER_IMAGE;
    return buffer->target == 14 ? PREFILTER_BINARY : PREFILTER_IMAGE | PREFILTER_BINARY;
}

static bool covered_equal(const struct probe *probe, const struct witness_buffer *buffer)
{
    uint32_t domains = covered_binary_domains(buffer);

    for (size_t i = 0; i < probe_stream_count(probe); i++) {
        const struct probe_stream *stream = probe_stream(probe, i);

        if ((stream->kind == SEARCH_BINARY || stream->kind == SEARCH_FORCED) &&
            stream->exact.bytes.length == buffer->length &&
            memcmp(stream->exact.bytes.data, witness_bytes(buffer), buffer->length) == 0 &&
            (stream->exact.span_count == 0 || (stream->exact.spans[0].domains & domains) != 0))
            return true;
    }
    return false;
}

/* A stretch that is not to be found as a whole may still be in pieces that overlap by enough: every
 * fragment it could be asked for. */
static bool covered_fragments(const struct probe *probe, unsigned streams, uint32_t domain,
                              const uint8_t *bytes, size_t length)
{
    size_t window = length < PREFILTER_FRAGMENT_MAX ? length : PREFILTER_FRAGMENT_MAX;

    for (size_t start = 0; start + window <= length; start++) {
        bool odd = false;

        for (size_t i = 0; i < window && !odd; i++)
            odd = is_odd(bytes[start + i]);
        if (odd && !covered_exactly(probe, streams, domain, bytes + start, window))
            return false;
    }
    return true;
}

/* Every stretch of bytes without white space that a fragment around an odd byte may be part of. */
static bool covered_odd(const struct probe *probe, unsigned streams,
                        const struct witness_buffer *buffer)
{
    const uint8_t *bytes = witness_bytes(buffer);
    uint32_t domain = covered_domain(buffer);
    size_t i = 0;

    while (i < buffer->length) {
        size_t start = i;
        size_t end;

        if (!is_odd(bytes[i])) {
            i++;
            continue;
        }
        while (start > 0 && i - start < COVERED_REACH && !is_white(bytes[start - 1]))
            start--;
        end = i + 1;
        for (size_t last = i; end < buffer->length && end - last <= COVERED_REACH; end++) {
            if (is_white(bytes[end]))
                break;
            last = is_odd(bytes[end]) ? end : last;
        }
        if (end - start >= 4 &&
            !covered_exactly(probe, streams, domain, bytes + start, end - start) &&
            !covered_fragments(probe, streams, domain, bytes + start, end - start))
            return false;
        i = end;
    }
    return true;
}

static bool covered_buffer(const struct probe *probe, const struct bytes *message,
                           const struct witness_buffer *buffer, struct covered_counts *counts,
                           const char **why)
{
    unsigned streams = covered_streams(buffer);

    *why = "is not what was searched";
    if (buffer->length == 0)
        return true;
    if (buffer->target == 4 &&
        (buffer->length != message->length ||
         memcmp(witness_bytes(buffer), message->data, message->length) != 0)) {
        *why = "is a mail and not the message";
        return false;
    }
    if (streams == 0)
        return covered_equal(probe, buffer);
    if (covered_text(buffer) && covered_equal(probe, buffer))
        return true;
    squeeze_plainly(witness_bytes(buffer), buffer->length);
    if (!covered_squeezed(probe, streams, covered_domain(buffer), counts)) {
        *why = "is not contained in what was searched";
        return false;
    }
    if (buffer->target == 7)
        return true; /* normalised: its one odd byte is DEL, which no leaf for text has */
    *why = "has odd bytes that were not searched exactly";
    return covered_odd(probe, streams, buffer);
}

bool covered(const struct probe *probe, const struct bytes *message, struct covered_counts *counts,
             size_t *index, struct why *why)
{
    *index = SIZE_MAX;
    if (!witness_whole()) {
        why_set(why, "the watch did not see whole buffers");
        return false;
    }
    for (size_t i = 0; i < witness_layer_count(); i++) {
        const struct witness_layer *layer = witness_layer(i);

        if (!covered_type(layer)) {
            why_set(why, "a layer of type %s at depth %u (%zu bytes)", layer->type, layer->level,
                    layer->bytes);
            return false;
        }
    }
    for (size_t i = 0; i < witness_buffer_count(); i++) {
        const struct witness_buffer *buffer = witness_buffer(i);
        const char *what;

        counts->buffers++;
        counts->bytes += buffer->length;
        if (covered_buffer(probe, message, buffer, counts, &what))
            continue;
        *index = i;
        why_set(why, "a buffer of type %s, Target %u, %zu bytes, %s", buffer->type, buffer->target,
                buffer->length, what);
        return false;
    }
    return true;
}
