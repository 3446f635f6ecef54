/* Encrypted documents of Office in compound files. The whole file is looked through for what can
 * only stand where a directory entry or a stream begins: these are aligned, and their chains need
 * not be followed.
 */
#include <string.h>

#include "signatures/content/open/internal.h"

#define OLE2_ENTRY        128u /* of the directory */
#define OLE2_SECTOR       512u /* the smallest, and where all begin */
#define OLE2_RECORDS_MAX  64u
#define OLE2_WORD_FLAGS   10u
#define OLE2_EXCEL_SECRET 0x2fu /* FilePass */

static unsigned ole2_two(const uint8_t *at)
{
    return (unsigned)at[0] | (unsigned)at[1] << 8;
}

/* Whether a directory entry of that name is there, of a stream. */
static bool ole2_stream(struct open_span span, const char *name)
{
    uint8_t wide[64] = {0};
    size_t length = 2 * strlen(name) + 2;

    for (size_t i = 0; name[i] != '\0'; i++)
        wide[2 * i] = (uint8_t)name[i];
    for (size_t at = OLE2_SECTOR; at + OLE2_ENTRY <= span.length; at += OLE2_ENTRY) {
        if (memcmp(span.at + at, wide, length) == 0 && ole2_two(span.at + at + 64) == length &&
            span.at[at + 66] == 2)
            return true;
    }
    return false;
}

/* A file information block says so itself ([MS-DOC] 2.5.2, fEncrypted). */
static bool ole2_word(const uint8_t *sector)
{
    return sector[0] == 0xec && sector[1] == 0xa5 && ole2_two(sector + 2) >= 0x65 &&
           ole2_two(sector + 2) <= 0x112 && (sector[OLE2_WORD_FLAGS + 1] & 1) != 0;
}

/* Among the first records of a workbook ([MS-XLS] 2.4.117). */
static bool ole2_excel(struct open_span span, size_t at)
{
    if (ole2_two(span.at + at) != 0x809 || ole2_two(span.at + at + 2) > 16)
        return false;
    for (unsigned i = 0; i < OLE2_RECORDS_MAX && at + 4 <= span.length; i++) {
        if (ole2_two(span.at + at) == OLE2_EXCEL_SECRET)
            return true;
        at += 4 + ole2_two(span.at + at + 2);
    }
    return false;
}

/* What a presentation's user record begins with when the rest is encrypted ([MS-PPT] 2.3.2). */
static const char ole2_slides[] = "\0\0\xf6\x0f";
static const char ole2_slides_token[] = "\x14\0\0\0\xdf\xc4\xd1\xf3";

static bool ole2_powerpoint(struct open_span span)
{
    const uint8_t *end = span.at + span.length;
    const uint8_t *at = memmem(span.at, span.length, ole2_slides_token, 8);

    while (at != NULL) {
        if (at - span.at >= 8 && memcmp(at - 8, ole2_slides, 4) == 0)
            return true;
        at = memmem(at + 1, (size_t)(end - at - 1), ole2_slides_token, 8);
    }
    return false;
}

void ole2_look(struct opener *opener, struct open_span span)
{
    bool word = ole2_stream(span, "WordDocument");
    bool excel = ole2_stream(span, "Workbook") || ole2_stream(span, "Book");
    bool found = ole2_stream(span, "EncryptedPackage") ||
                 (ole2_stream(span, "PowerPoint Document") && ole2_powerpoint(span));

    for (size_t at = OLE2_SECTOR; !found && at + OLE2_SECTOR <= span.length; at += OLE2_SECTOR)
        found = (word && ole2_word(span.at + at)) || (excel && ole2_excel(span, at));
    if (found)
        open_finds(opener, UNSCANNABLE_ENCRYPTED, "document");
}
