/* Making inspections, all of them before the first message. See inspect.h. */
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/inspect/internal.h"
#include "signatures/prefilter/identity.h"

#define INSPECTOR_SPARSE 256u /* listed sizes */

static bool inspector_open_stream(const struct hs_database *database, struct search_stream *stream)
{
    stream->used = false;
    return database == NULL || hs_open_stream(database, 0, &stream->hs) == HS_SUCCESS;
}

static bool inspector_open_text(const struct prefilter *prefilter, struct search_text *text)
{
    return inspector_open_stream(prefilter->squeezed, &text->squeezed) &&
           inspector_open_stream(prefilter->exact, &text->exact);
}

static bool inspector_make(const struct inspector *inspector, struct inspection *inspection)
{
    const struct prefilter *prefilter = inspector->prefilter;

    inspection->weak = calloc(1, inspector->weak_bytes);
    return inspection->weak != NULL && inspector_open_text(prefilter, &inspection->raw) &&
           inspector_open_text(prefilter, &inspection->body) &&
           inspector_open_text(prefilter, &inspection->notags) &&
           inspector_open_text(prefilter, &inspection->forced_text) &&
           inspector_open_stream(prefilter->exact, &inspection->binary) &&
           inspector_open_stream(prefilter->exact, &inspection->forced_binary);
}

static bool inspector_make_scratch(struct inspector *inspector)
{
    const struct prefilter *prefilter = inspector->prefilter;

    return (prefilter->squeezed == NULL ||
            hs_alloc_scratch(prefilter->squeezed, &inspector->scratch) == HS_SUCCESS) &&
           (prefilter->exact == NULL ||
            hs_alloc_scratch(prefilter->exact, &inspector->scratch) == HS_SUCCESS) &&
           (prefilter->names == NULL ||
            hs_alloc_scratch(prefilter->names, &inspector->scratch) == HS_SUCCESS);
}

static void inspector_make_normal(struct inspector *inspector)
{
    for (unsigned byte = 0; byte < 0x80; byte++) {
        bool white = byte == ' ' || (byte >= '\t' && byte <= '\r');
        unsigned low = byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;

        inspector->normal_of[byte] = (uint8_t)(white ? ' ' : byte < ' ' ? 0 : low);
    }
}

/* Whether less than INSPECTOR_SPARSE sizes are listed, and each signature has one. */
static bool inspector_sparse(const struct prefilter *prefilter, enum prefilter_digest digest)
{
    const struct prefilter_hashes *hashes = &prefilter->header->hashes[digest];
    const uint8_t *sizes = (const uint8_t *)prefilter->header + hashes->sizes;
    unsigned count = 0;

    if (hashes->count == 0 || hashes->any_size != 0)
        return false;
    for (size_t i = 0; i < (PREFILTER_SIZES_EXACT + PREFILTER_SIZES_COARSE) / 8; i++)
        count += (unsigned)__builtin_popcount(sizes[i]);
    return count < INSPECTOR_SPARSE;
}

/* The first signature without a formula, for each domain. */
static void inspector_find_always(struct inspector *inspector)
{
    const struct prefilter *prefilter = inspector->prefilter;

    memset(inspector->always, 0xff, sizeof(inspector->always));
    for (uint64_t i = prefilter->header->always.count; i-- > 0;) {
        const struct prefilter_always *always = &prefilter->always[i];

        if (always->start_length > 0)
            inspector->starts[(uint8_t)prefilter->strings[always->start]] |=
                (uint8_t)always->domains;
        for (unsigned domain = 0; domain < INSPECT_DOMAINS; domain++) {
            if (prefilter->always[i].start_length == 0 &&
                (prefilter->always[i].domains >> domain & 1) != 0)
                inspector->always[domain] = prefilter->always[i].signature;
        }
    }
}

static bool inspector_wants_links(const struct prefilter *prefilter)
{
    for (uint64_t i = 0; i < prefilter->header->signatures.count; i++)
        if (prefilter->signatures[i].kind == PREFILTER_PHISHING)
            return true;
    return false;
}

static int inspector_name_hit(unsigned int id, unsigned long long from, unsigned long long to,
                              unsigned int flags, void *context)
{
    struct inspector *inspector = context;

    (void)from;
    (void)to;
    (void)flags;
    inspector->made_name = id;
    return 1;
}

/* Any part may get any of the names that libclamav makes up: a rule that holds for one of them
 * holds for every message. */
static bool inspector_try_made_names(struct inspector *inspector)
{
    const struct hs_database *names = inspector->prefilter->names;

    inspector->made_name = UINT32_MAX;
    for (unsigned i = 0; i < TYPE_MADE_NAMES && names != NULL; i++) {
        const char *name = type_made_names[i];
        hs_error_t error = hs_scan(names, name, (unsigned)strlen(name), 0, inspector->scratch,
                                   inspector_name_hit, inspector);

        if (error != HS_SUCCESS && error != HS_SCAN_TERMINATED)
            return false;
    }
    return true;
}

static bool inspector_fill(struct inspector *inspector)
{
    unsigned count = inspector->settings.inspection_count;

    inspector->weak_bytes = (inspector->prefilter->header->weak_count / 32 + 1) * sizeof(uint32_t);
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++)
        inspector->sparse[i] = inspector_sparse(inspector->prefilter, i);
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++)
        inspector->hashes[i] = inspector->prefilter->header->hashes[i].count > 0;
    inspector_find_always(inspector);
    inspector_make_normal(inspector);
    inspector->links = inspector_wants_links(inspector->prefilter);
    inspector->inspections = calloc(count, sizeof(*inspector->inspections));
    inspector->free = calloc(count, sizeof(struct inspection *));
    if (inspector->inspections == NULL || inspector->free == NULL ||
        type_table_create(&inspector->types, inspector->prefilter) != STATUS_OK ||
        !inspector_make_scratch(inspector) || !inspector_try_made_names(inspector))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (!inspector_make(inspector, &inspector->inspections[i]))
            return false;
        inspector->free[inspector->free_count++] = &inspector->inspections[i];
    }
    return true;
}

enum status inspector_create(struct inspector **inspector, const struct inspect_settings *settings)
{
    struct inspector *made = calloc(1, sizeof(*made));

    *inspector = NULL;
    CHECK(settings->inspection_count > 0);
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->settings = *settings;
    made->prefilter = settings->prefilter;
    squeeze_init(false);
    base64_init(false);
    if (!inspector_fill(made)) {
        inspector_destroy(made);
        return STATUS_NO_MEMORY;
    }
    *inspector = made;
    return STATUS_OK;
}

static void inspector_close_stream(struct search_stream *stream)
{
    if (stream->hs != NULL)
        (void)hs_close_stream(stream->hs, NULL, NULL, NULL);
}

static void inspector_close_text(struct search_text *text)
{
    inspector_close_stream(&text->squeezed);
    inspector_close_stream(&text->exact);
}

static void inspector_unmake(struct inspection *inspection)
{
    inspector_close_text(&inspection->raw);
    inspector_close_text(&inspection->body);
    inspector_close_text(&inspection->notags);
    inspector_close_text(&inspection->forced_text);
    inspector_close_stream(&inspection->binary);
    inspector_close_stream(&inspection->forced_binary);
    free(inspection->weak);
}

void inspector_destroy(struct inspector *inspector)
{
    if (inspector == NULL)
        return;
    for (unsigned i = 0; inspector->inspections != NULL && i < inspector->settings.inspection_count;
         i++)
        inspector_unmake(&inspector->inspections[i]);
    type_table_destroy(inspector->types);
    (void)hs_free_scratch(inspector->scratch);
    free(inspector->inspections);
    free(inspector->free);
    free(inspector);
}

bool inspector_speaks_for(const struct inspector *inspector, const struct link_identity *identity)
{
    return scanner_identity_matches(identity, inspector->prefilter->header) &&
           scanner_identity_suffices(identity, inspector->settings.message_bytes_max,
                                     inspector->settings.parts_max);
}

unsigned inspection_free_count(const struct inspector *inspector)
{
    return inspector->free_count;
}

void inspection_give(struct inspector *inspector, struct inspection *inspection)
{
    CHECK(inspection->taken && inspector->free_count < inspector->settings.inspection_count);
    inspection->taken = false;
    inspector->free[inspector->free_count++] = inspection;
}
