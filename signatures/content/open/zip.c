/* Zip, as far as the engine does not read it: methods that it does not know, and documents that are
 * encrypted without a word of the archive (OpenDocument 1.3, part 2, 4.8.1).
 */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/open/internal.h"

#define ZIP_LOCAL       "PK\3\4"
#define ZIP_CENTRAL     "PK\1\2"
#define ZIP_MANIFEST    "META-INF/manifest.xml"
#define ZIP_ENTRY_BYTES 46u /* of the central directory, before the name */
#define ZIP_LOCAL_BYTES 30u
#define ZIP_ENCRYPTED   1u
#define ZIP_MASKED      0x2000u /* the central directory is encrypted, too */

struct zip_entry {
    unsigned flags;
    unsigned method;
    size_t packed;
    size_t local; /* where its header is */
    struct open_span name;
};

static unsigned zip_two(const uint8_t *at)
{
    return (unsigned)at[0] | (unsigned)at[1] << 8;
}

static size_t zip_four(const uint8_t *at)
{
    return (size_t)zip_two(at) | (size_t)zip_two(at + 2) << 16;
}

/* The entry of a central directory at `at`, and where the next one is; null when there is none. */
static const uint8_t *zip_central(struct open_span zip, const uint8_t *at, struct zip_entry *entry)
{
    size_t left = zip.length - (size_t)(at - zip.at);
    size_t step;

    if (left < ZIP_ENTRY_BYTES || memcmp(at, ZIP_CENTRAL, 4) != 0)
        return NULL;
    step = ZIP_ENTRY_BYTES + zip_two(at + 28) + zip_two(at + 30) + zip_two(at + 32);
    if (step > left)
        return NULL;
    *entry = (struct zip_entry){zip_two(at + 8),
                                zip_two(at + 10),
                                zip_four(at + 20),
                                zip_four(at + 42),
                                {at + ZIP_ENTRY_BYTES, zip_two(at + 28)}};
    return at + step;
}

/* Deflate, stored, and the methods of the first versions; also 9 and 12. */
static bool zip_known(unsigned method)
{
    return method == 0 || method == 1 || method == 6 || method == 8 || method == 9 || method == 12;
}

static bool zip_is(const struct zip_entry *entry, const char *name)
{
    return entry->name.length == strlen(name) && open_starts(entry->name, name, strlen(name));
}

/* A manifest that says how parts of the document are encrypted. */
static bool zip_manifest(struct opener *opener, struct open_span zip, const struct zip_entry *entry)
{
    struct open_buffer plain = {0};
    const uint8_t *local = zip.at + entry->local;
    size_t head;
    bool more = true;

    if (entry->local > zip.length || zip.length - entry->local < ZIP_LOCAL_BYTES ||
        memcmp(local, ZIP_LOCAL, 4) != 0)
        return true;
    head = ZIP_LOCAL_BYTES + zip_two(local + 26) + zip_two(local + 28);
    if (head > zip.length - entry->local || entry->packed > zip.length - entry->local - head)
        return true;
    if (entry->method == 8)
        more = open_inflate(opener, OPEN_STREAM_DEFLATE,
                            (struct open_span){local + head, entry->packed}, &plain);
    else if (entry->method == 0)
        more = open_append(opener, &plain, local + head, entry->packed);
    if (more && plain.length > 0 &&
        memmem(plain.bytes, plain.length, ":encryption-data", 16) != NULL)
        open_finds(opener, UNSCANNABLE_ENCRYPTED, "document");
    free(plain.bytes);
    return more;
}

/* The first of the central directory's entries: there the directory starts. */
static const uint8_t *zip_directory(struct open_span zip)
{
    const uint8_t *end = zip.at + zip.length;
    const uint8_t *at = zip.at;

    while (at != NULL && end - at >= 4) {
        struct zip_entry entry;

        at = memmem(at, (size_t)(end - at), ZIP_CENTRAL, 4);
        if (at != NULL && zip_central(zip, at, &entry) != NULL)
            return at;
        at = at == NULL ? NULL : at + 1;
    }
    return NULL;
}

/* Of an encrypted directory only the first local header can be read. */
static bool zip_masked(struct open_span zip)
{
    return zip.length >= ZIP_LOCAL_BYTES && open_starts(zip, ZIP_LOCAL, 4) &&
           (zip_two(zip.at + 6) & (ZIP_ENCRYPTED | ZIP_MASKED)) == (ZIP_ENCRYPTED | ZIP_MASKED);
}

bool zip_open(struct opener *opener, struct open_span span, const char *name)
{
    const uint8_t *at = zip_directory(span);
    struct zip_entry entry;
    bool odd = false;

    if (at == NULL && zip_masked(span))
        open_finds(opener, UNSCANNABLE_ENCRYPTED, "archive");

    while (at != NULL && (at = zip_central(span, at, &entry)) != NULL) {
        bool encrypted = (entry.flags & ZIP_ENCRYPTED) != 0;

        odd = odd || (!encrypted && !zip_known(entry.method));
        if (zip_is(&entry, ZIP_MANIFEST) && !encrypted && !zip_manifest(opener, span, &entry))
            return false;
    }
    return !odd || unpack_open(opener, span, UNPACK_ZIP, "zip", false, name);
}
