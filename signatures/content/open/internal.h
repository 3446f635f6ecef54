/* internal.h: the seams inside the room that opens contents; nobody else includes it. */
#ifndef SIGNATURES_CONTENT_OPEN_INTERNAL_H
#define SIGNATURES_CONTENT_OPEN_INTERNAL_H

#include "signatures/content/open/open.h"

/* A run of bytes; borrowed. */
struct open_span {
    const uint8_t *at;
    size_t length;
};

/* Bytes that come out, on the heap. Zeroes are an empty one. */
struct open_buffer {
    uint8_t *bytes;
    size_t length;
    size_t room;
};

/* Whether `span` starts with the bytes of `word`. */
bool open_starts(struct open_span span, const char *word, size_t length);

/* --- give.c: what comes out, and its bounds. Each returns false when the call is to end. --- */

/* Raises the verdict. */
bool open_over_bound(struct opener *opener);
bool open_no_memory(struct opener *opener);
void open_found(struct opener *opener);
void open_finds(struct opener *opener, enum unscannable_reason reason, const char *kind);

/* Appends; bounded by what may still come out. */
bool open_append(struct opener *opener, struct open_buffer *buffer, const uint8_t *bytes,
                 size_t length);

bool open_give_mail(struct opener *opener, struct open_span span);
bool open_give_file(struct opener *opener, struct open_span span, const char *name);

/* Whether the call goes on. */
bool open_goes_on(const struct opener *opener);

/* --- inflate.c: streams of one file. --- */

enum open_stream {
    OPEN_STREAM_DEFLATE, /* RFC 1951 */
    OPEN_STREAM_ZLIB,    /* RFC 1950 */
    OPEN_STREAM_BZIP2,
};

/* Appends what comes out of it, up to where it ends or breaks. False when the call is to end. */
bool open_inflate(struct opener *opener, enum open_stream stream, struct open_span span,
                  struct open_buffer *out);

/* --- cms.c: RFC 5652. --- */

/* Opens it if it is CMS. False when the call is to end. */
bool cms_open(struct opener *opener, struct open_span span);

/* --- pgp.c: RFC 9580, and 4880 and 1991 before it. --- */

/* Opens it if it is OpenPGP packets. `armored`: it was said to be, so that a packet alone is enough
 * to believe it; otherwise they must fit the content. */
bool pgp_open(struct opener *opener, struct open_span span, bool armored, const char *name);

/* --- armor.c: what is written in base64 between "-----" lines, or as nothing but base64. --- */

bool armor_open(struct opener *opener, struct open_span text, const char *name);

/* --- unpack.c: archives and compressed files. --- */

enum unpack_format {
    UNPACK_RAR,
    UNPACK_7ZIP,
    UNPACK_ZIP,
    UNPACK_AR,
    UNPACK_WARC,
    UNPACK_COMPRESSED, /* one file, whichever way */
};

/* Unpacks what begins there. What cannot be read of it is unsupported, of that kind, unless it is
 * `doubtful` that it is one at all and not one entry could be read. False when the call is to
 * end. */
bool unpack_open(struct opener *opener, struct open_span span, enum unpack_format format,
                 const char *kind, bool doubtful, const char *name);

/* Opens it if its name and all of it say that it is brotli, which has no magic. */
bool unpack_brotli(struct opener *opener, struct open_span span, const char *name);

/* --- formats.c: which of the many formats it is. --- */

bool formats_open(struct opener *opener, struct open_span span, const char *name);

/* --- rar.c: finds encrypted entries, and unpacks the others. --- */

bool rar_open(struct opener *opener, struct open_span span, bool doubtful, const char *name);

/* --- arj.c: ARJ and ARC, whose headers tell what the engine does not. --- */

/* ARJ is the engine's but for encrypted entries. */
void arj_look(struct opener *opener, struct open_span span);

/* Whether all of it is headers and entries of an ARC archive: the magic is one byte. */
bool arc_is(struct open_span span);

/* --- zip.c --- */

/* Unpacks it where a method is in it that the engine does not know; finds encrypted documents. */
bool zip_open(struct opener *opener, struct open_span span, const char *name);

/* --- ole2.c: compound files ([MS-CFB]). --- */

/* Finds encrypted documents ([MS-OFFCRYPTO]), of which the engine says nothing. */
void ole2_look(struct opener *opener, struct open_span span);

#endif
