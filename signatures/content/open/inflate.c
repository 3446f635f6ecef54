/* Deflate and bzip2, whose libraries give out what they have when a stream is broken. */
#include <bzlib.h>
#include <limits.h>
#include <zlib.h>

#include "signatures/content/open/internal.h"

#define INFLATE_PIECE 65536u

static bool inflate_zlib(struct opener *opener, int window, struct open_span span,
                         struct open_buffer *out)
{
    uint8_t piece[INFLATE_PIECE];
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)span.at};
    size_t left = span.length;
    int result = Z_OK;
    bool more = true;

    if (inflateInit2(&stream, window) != Z_OK)
        return open_no_memory(opener);
    while (more && result == Z_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = left > UINT_MAX ? UINT_MAX : (uInt)left;
            left -= stream.avail_in;
        }
        stream.next_out = piece;
        stream.avail_out = sizeof(piece);
        result = inflate(&stream, Z_NO_FLUSH);
        more = open_append(opener, out, piece, sizeof(piece) - stream.avail_out);
    }
    (void)inflateEnd(&stream);
    return more && (result != Z_MEM_ERROR || open_no_memory(opener));
}

static bool inflate_bzip2(struct opener *opener, struct open_span span, struct open_buffer *out)
{
    char piece[INFLATE_PIECE];
    bz_stream stream = {.next_in = (char *)(uintptr_t)span.at};
    size_t left = span.length;
    int result = BZ_OK;
    bool more = true;

    if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK)
        return open_no_memory(opener);
    while (more && result == BZ_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = left > UINT_MAX ? UINT_MAX : (unsigned)left;
            left -= stream.avail_in;
        }
        stream.next_out = piece;
        stream.avail_out = sizeof(piece);
        result = BZ2_bzDecompress(&stream);
        more = open_append(opener, out, (const uint8_t *)piece, sizeof(piece) - stream.avail_out);
        if (stream.avail_in == 0 && left == 0 && stream.avail_out > 0)
            break; /* cut short: it would ask for more for ever */
    }
    (void)BZ2_bzDecompressEnd(&stream);
    return more && (result != BZ_MEM_ERROR || open_no_memory(opener));
}

bool open_inflate(struct opener *opener, enum open_stream stream, struct open_span span,
                  struct open_buffer *out)
{
    if (stream == OPEN_STREAM_BZIP2)
        return inflate_bzip2(opener, span, out);
    return inflate_zlib(opener, stream == OPEN_STREAM_ZLIB ? MAX_WBITS : -MAX_WBITS, span, out);
}
