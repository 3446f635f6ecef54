/* Making inspections, all of them before the first message. See inspect.h. */
#include <stdlib.h>

#include "platform/check.h"
#include "signatures/content/inspect/inspection.h"
#include "signatures/prefilter/identity.h"

static enum status inspector_fill(struct inspector *inspector)
{
    unsigned count = inspector->settings.inspection_count;
    enum status status;

    inspector->inspections = calloc(count, sizeof(*inspector->inspections));
    inspector->free = calloc(count, sizeof(struct inspection *));
    if (inspector->inspections == NULL || inspector->free == NULL)
        return STATUS_NO_MEMORY;
    status = searcher_init(&inspector->bench.searcher, inspector->settings.prefilter,
                           &inspector->settings.tap);
    if (status == STATUS_OK)
        status = rules_init(&inspector->bench.rules, &inspector->bench.searcher);
    for (unsigned i = 0; i < count && status == STATUS_OK; i++) {
        inspector->inspections[i].inspector = inspector;
        status = subjects_open(&inspector->inspections[i].subjects, &inspector->bench);
        inspector->free[inspector->free_count++] = &inspector->inspections[i];
    }
    return status;
}

enum status inspector_create(struct inspector **inspector, const struct inspect_settings *settings)
{
    struct inspector *made = calloc(1, sizeof(*made));
    enum status status;

    *inspector = NULL;
    CHECK(settings->inspection_count > 0);
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->settings = *settings;
    made->bench.cached = settings->cache != NULL;
    made->bench.generation = settings->generation;
    base64_init(false);
    status = inspector_fill(made);
    if (status == STATUS_OK)
        *inspector = made;
    else
        inspector_destroy(made);
    return status;
}

void inspector_destroy(struct inspector *inspector)
{
    if (inspector == NULL)
        return;
    for (unsigned i = 0; inspector->inspections != NULL && i < inspector->settings.inspection_count;
         i++)
        subjects_close(&inspector->inspections[i].subjects);
    rules_fini(&inspector->bench.rules);
    searcher_fini(&inspector->bench.searcher);
    free(inspector->inspections);
    free(inspector->free);
    free(inspector);
}

bool inspector_speaks_for(const struct inspector *inspector, const struct link_identity *identity)
{
    return scanner_identity_matches(identity, inspector->settings.prefilter->header) &&
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
