#include "signatures/prefilter/identity.h"

#include <assert.h>
#include <string.h>

static_assert(PREFILTER_DIGEST_BYTES == LINK_DIGEST_BYTES, "one kind of digest");
static_assert(PREFILTER_LIBRARY_BYTES == LINK_LIBRARY_BYTES, "one kind of version");

static bool identity_known(const struct link_identity *identity)
{
    uint8_t any = 0;

    for (size_t i = 0; i < sizeof(identity->database); i++)
        any |= identity->database[i];
    return any != 0 && identity->library[0] != '\0';
}

bool scanner_identity_matches(const struct link_identity *identity,
                              const struct prefilter_header *header)
{
    return identity_known(identity) && identity->profile == header->profile &&
           memcmp(identity->database, header->database, sizeof(identity->database)) == 0 &&
           strncmp(identity->library, header->library, sizeof(identity->library)) == 0 &&
           strncmp(header->library, PREFILTER_LIBRARY, sizeof(header->library)) == 0;
}

bool scanner_identity_suffices(const struct link_identity *identity, uint64_t message_bytes,
                               unsigned parts)
{
    return identity->recursion_max >= IDENTITY_RECURSION_MIN &&
           identity->scan_bytes / IDENTITY_SCANNED_TIMES >= message_bytes &&
           identity->files_max >=
               (uint64_t)parts * IDENTITY_FILES_PER_PART + IDENTITY_FILES_PER_MAIL;
}
