#include "dataplane/offline/offline_prefilter.h"

#include "platform/check.h"
#include "platform/why.h"

#define OFFLINE_CACHE_BYTES       (UINT64_C(16) << 20)
#define OFFLINE_MESSAGE_BYTES_MAX (UINT64_C(25) << 20) /* prefilter.message_size's default */
#define OFFLINE_PARTS_MAX         625u                 /* a sixteenth of scanner.files' default */

enum status offline_prefilter_open(struct offline_prefilter *prefilter, const char *file,
                                   const struct config_scanner *limits, struct why *why)
{
    struct inspect_settings settings = {
        .prefilter = &prefilter->prefilter,
        .generation = 1, /* this run's cache knows no other */
        .inspection_count = 1,
        .message_bytes_max = OFFLINE_MESSAGE_BYTES_MAX,
        .parts_max = limits == NULL ? OFFLINE_PARTS_MAX : limits->files_max / 16,
    };
    enum status status = prefilter_open(&prefilter->prefilter, file, why);

    if (status != STATUS_OK)
        return status;
    if (limits != NULL && settings.message_bytes_max > limits->scan_bytes_max / 8)
        settings.message_bytes_max = limits->scan_bytes_max / 8;
    status = cache_create(&prefilter->cache, OFFLINE_CACHE_BYTES);
    settings.cache = prefilter->cache;
    if (status == STATUS_OK)
        status = inspector_create(&prefilter->inspector, &settings);
    if (status != STATUS_OK) {
        cache_destroy(prefilter->cache);
        prefilter_close(&prefilter->prefilter);
        *prefilter = (struct offline_prefilter){0};
    }
    return status;
}

void offline_prefilter_close(struct offline_prefilter *prefilter)
{
    if (prefilter->inspector == NULL)
        return;
    inspector_destroy(prefilter->inspector);
    cache_destroy(prefilter->cache);
    prefilter_close(&prefilter->prefilter);
    *prefilter = (struct offline_prefilter){0};
}

void offline_prefilter_inspect(struct offline_prefilter *prefilter, const struct store *store,
                               const struct message *message, struct inspect_result *result)
{
    struct inspection *inspection = inspection_take(prefilter->inspector);

    CHECK(inspection != NULL);
    for (uint32_t i = 0; i < message->shared->extent_count; i++) {
        const struct message_extent *extent = message_extent_slot(store, message, i);

        (void)inspection_feed(prefilter->inspector, inspection,
                              region_block(store->region, extent->block) + extent->offset,
                              extent->length);
    }
    inspection_end(prefilter->inspector, inspection, result);
    inspection_give(prefilter->inspector, inspection);
}
