/* spread.h: do connections really spread over the workers?
 *
 * RSS that is set up but does not spread (a firmware's default key, a tunnel, one big sender)
 * leaves cores idle while one drowns, and nothing fails. Main looks at the workers' own counters
 * from time to time and says so, once for each change of state.
 *
 * Main thread only.
 */
#ifndef DATAPLANE_MAIN_SPREAD_H
#define DATAPLANE_MAIN_SPREAD_H

#include "platform/link/region.h"

struct spread_watch {
    int64_t next_ns;                     /* when to look again */
    uint64_t opened[REGION_WORKERS_MAX]; /* at the last look */
    bool lopsided;
};

/* What a look found. */
enum spread_news { SPREAD_NOTHING, SPREAD_LOPSIDED, SPREAD_EVEN_AGAIN };

/* Looks once a minute, when enough new connections have come for a verdict: lopsided is when one
 * worker had more than three times its share. *worker and *percent tell which had the most. */
enum spread_news spread_look(struct spread_watch *watch, const struct region *region,
                             int64_t now_ns, unsigned *worker, unsigned *percent);

#endif
