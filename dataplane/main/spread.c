#include "dataplane/main/spread.h"

#include "platform/clock.h"

#define SPREAD_LOOK_NS        (60 * CLOCK_NS_PER_SECOND)
#define SPREAD_CONNECTIONS    1000u /* fewer say nothing */
#define SPREAD_SHARES_TOO_BIG 3u

static uint64_t spread_opened(const struct region *region, unsigned worker)
{
    return region_counter(region, worker, COUNTER_CONNECTIONS_OPENED);
}

enum spread_news spread_look(struct spread_watch *watch, const struct region *region,
                             int64_t now_ns, unsigned *worker, unsigned *percent)
{
    unsigned workers = region->header.worker_count;
    uint64_t total = 0;
    uint64_t most = 0;
    bool lopsided;

    if (workers < 2 || now_ns < watch->next_ns)
        return SPREAD_NOTHING;
    watch->next_ns = now_ns + SPREAD_LOOK_NS;
    for (unsigned i = 0; i < workers; i++) {
        uint64_t fresh = spread_opened(region, i) - watch->opened[i];

        total += fresh;
        if (fresh >= most) {
            most = fresh;
            *worker = i;
        }
    }
    if (total < SPREAD_CONNECTIONS)
        return SPREAD_NOTHING; /* goes on adding up until there are enough */
    for (unsigned i = 0; i < workers; i++)
        watch->opened[i] = spread_opened(region, i);
    *percent = (unsigned)(most * 100 / total);
    /* With two or three workers three shares are more than there is: all but a tenth counts. */
    lopsided = most * workers > total * SPREAD_SHARES_TOO_BIG || *percent > 90;
    if (lopsided == watch->lopsided)
        return SPREAD_NOTHING;
    watch->lopsided = lopsided;
    return lopsided ? SPREAD_LOPSIDED : SPREAD_EVEN_AGAIN;
}
