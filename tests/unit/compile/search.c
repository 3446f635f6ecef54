#include "tests/unit/compile/search.h"

#include <hs/hs.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/decode/squeeze.h"

struct searcher {
    const struct prefilter *prefilter;
    hs_scratch_t *scratch;
    uint32_t *leaf_domains; /* by leaf: where it was found */
    uint32_t *found;        /* leaves, in order */
    unsigned found_count;
    uint32_t *first_group; /* of each signature: index + 1 */
    uint32_t *next_group;
    uint32_t domains; /* searched */
    uint32_t domain;  /* being searched */
    bool *started;    /* by entry of always: a buffer began with it */
};

struct searcher *searcher_create(const struct prefilter *prefilter)
{
    const struct prefilter_header *header = prefilter->header;
    struct searcher *searcher = calloc(1, sizeof(*searcher));

    CHECK(searcher != NULL);
    searcher->prefilter = prefilter;
    searcher->leaf_domains = calloc(header->leaves.count + 1, sizeof(uint32_t));
    searcher->found = calloc(header->leaves.count + 1, sizeof(uint32_t));
    searcher->first_group = calloc(header->signatures.count + 1, sizeof(uint32_t));
    searcher->next_group = calloc(header->groups.count + 1, sizeof(uint32_t));
    searcher->started = calloc(header->always.count + 1, sizeof(bool));
    CHECK(searcher->leaf_domains != NULL && searcher->found != NULL && searcher->started != NULL);
    CHECK(searcher->first_group != NULL && searcher->next_group != NULL);
    for (uint32_t i = 0; i < header->groups.count; i++) {
        uint32_t *first = &searcher->first_group[prefilter->groups[i].signature];

        searcher->next_group[i] = *first;
        *first = i + 1;
    }
    if (prefilter->squeezed != NULL)
        CHECK(hs_alloc_scratch(prefilter->squeezed, &searcher->scratch) == HS_SUCCESS);
    if (prefilter->exact != NULL)
        CHECK(hs_alloc_scratch(prefilter->exact, &searcher->scratch) == HS_SUCCESS);
    return searcher;
}

void searcher_destroy(struct searcher *searcher)
{
    (void)hs_free_scratch(searcher->scratch);
    free(searcher->leaf_domains);
    free(searcher->found);
    free(searcher->first_group);
    free(searcher->next_group);
    free(searcher->started);
    free(searcher);
}

void searcher_reset(struct searcher *searcher)
{
    for (unsigned i = 0; i < searcher->found_count; i++)
        searcher->leaf_domains[searcher->found[i]] = 0;
    searcher->found_count = 0;
    searcher->domains = 0;
    memset(searcher->started, 0, searcher->prefilter->header->always.count * sizeof(bool));
}

static int searcher_match(unsigned id, unsigned long long from, unsigned long long to,
                          unsigned flags, void *context)
{
    struct searcher *searcher = context;

    (void)from, (void)to, (void)flags;
    CHECK(id < searcher->prefilter->header->leaves.count);
    if (searcher->leaf_domains[id] == 0)
        searcher->found[searcher->found_count++] = id;
    searcher->leaf_domains[id] |= searcher->domain;
    return 0;
}

static void searcher_scan(struct searcher *searcher, const hs_database_t *database,
                          const uint8_t *bytes, size_t length)
{
    hs_stream_t *stream = NULL;

    if (database == NULL)
        return;
    CHECK(hs_open_stream(database, 0, &stream) == HS_SUCCESS);
    CHECK(hs_scan_stream(stream, (const char *)bytes, (unsigned)length, 0, searcher->scratch,
                         searcher_match, searcher) == HS_SUCCESS);
    CHECK(hs_close_stream(stream, searcher->scratch, searcher_match, searcher) == HS_SUCCESS);
}

/* Exactly, in pieces between white space that contain an odd byte: no fragment for text has white
 * space. */
static void searcher_odd(struct searcher *searcher, const uint8_t *bytes, size_t length)
{
    size_t from = 0;
    bool odd = false;

    for (size_t i = 0; i <= length; i++) {
        if (i < length && !squeeze_is_white(bytes[i])) {
            odd = odd || squeeze_is_odd(bytes[i]);
            continue;
        }
        if (odd)
            searcher_scan(searcher, searcher->prefilter->exact, bytes + from, i - from);
        from = i + 1;
        odd = false;
    }
}

/* A start of no bytes holds for any buffer. */
static void searcher_starts(struct searcher *searcher, const uint8_t *bytes, size_t length)
{
    const struct prefilter *prefilter = searcher->prefilter;

    for (uint64_t i = 0; i < prefilter->header->always.count; i++) {
        const struct prefilter_always *always = &prefilter->always[i];

        if ((always->domains & searcher->domain) != 0 && always->start_length <= length &&
            memcmp(prefilter->strings + always->start, bytes, always->start_length) == 0)
            searcher->started[i] = true;
    }
}

void searcher_buffer(struct searcher *searcher, uint32_t domain, const uint8_t *bytes,
                     size_t length)
{
    uint8_t *squeezed;
    bool odd = false;
    size_t left;

    searcher->domains |= domain;
    searcher->domain = domain;
    searcher_starts(searcher, bytes, length);
    if ((domain & (PREFILTER_IMAGE | PREFILTER_BINARY)) != 0) {
        searcher_scan(searcher, searcher->prefilter->exact, bytes, length);
        return;
    }
    squeezed = malloc(length + SQUEEZE_SLACK);
    CHECK(squeezed != NULL);
    left = squeeze(bytes, length, squeezed, &odd);
    searcher_scan(searcher, searcher->prefilter->squeezed, squeezed, left);
    free(squeezed);
    searcher_odd(searcher, bytes, length);
}

static bool searcher_group_holds(const struct searcher *searcher,
                                 const struct prefilter_group *group)
{
    uint32_t domains = group->domains & searcher->domains;

    for (unsigned k = 0; k < group->leaf_count; k++) {
        if ((searcher->leaf_domains[group->leaves[k]] & domains) == 0)
            return false;
    }
    return true;
}

bool searcher_fires(const struct searcher *searcher, uint32_t signature)
{
    const struct prefilter *prefilter = searcher->prefilter;

    for (uint32_t i = searcher->first_group[signature]; i != 0; i = searcher->next_group[i - 1]) {
        if (searcher_group_holds(searcher, &prefilter->groups[i - 1]))
            return true;
    }
    for (uint64_t i = 0; i < prefilter->header->always.count; i++) {
        if (prefilter->always[i].signature == signature && searcher->started[i])
            return true;
    }
    return false;
}

unsigned searcher_hits(const struct searcher *searcher)
{
    return searcher->found_count;
}
