/* prefilter_watch.h: the main thread's care for the compiled prefilter.
 *
 * Looks at prefilter.file every PREFILTER_LOOK_NS. A file that is new there (`postern signatures
 * build` puts it in place in one step) is opened and checked, an inspector is made for each worker,
 * and the workers switch to it at a burst boundary; the one before is freed when all have. A file
 * for other signatures than the scanners have, while the one in force is for theirs, is held back
 * until they have followed: else every message would be scanned meanwhile. A file
 * that cannot be used is said so once, and the one in force stays; one that has gone takes the
 * prefilter out of use.
 *
 * Threads: main. Memory: at most two prefilters at a time. Nothing here is on the hot path.
 */
#ifndef DATAPLANE_MAIN_PREFILTER_WATCH_H
#define DATAPLANE_MAIN_PREFILTER_WATCH_H

#include <sys/stat.h>

#include "dataplane/worker/worker.h"

#define PREFILTER_LOOK_NS INT64_C(1000000000)

struct prefilter_watch {
    const struct config *config; /* of the start */
    struct worker_orders *orders;
    const struct worker *workers;
    unsigned worker_count;
    uint32_t generation;
    int64_t look_ns;
    struct timespec
        modified; /* of the file as last looked at; its number is 0 when there was none */
    ino_t number;
    const struct peers *peers;
    char library[LINK_LIBRARY_BYTES]; /* installed when the program began; empty: not known */
    struct worker_prefilter *retired; /* waits until no worker uses it */
    struct worker_prefilter *held;    /* waits until the scanners have its signatures */
};

/* Makes the verdict cache. STATUS_NO_MEMORY. */
enum status prefilter_watch_init(struct prefilter_watch *watch, const struct config *config,
                                 struct worker_orders *orders, const struct peers *peers,
                                 const struct worker *workers,
                                 unsigned worker_count) STATUS_CHECKED;

void prefilter_watch_poll(struct prefilter_watch *watch, int64_t now_ns);

/* After the workers have ended. */
void prefilter_watch_fini(struct prefilter_watch *watch);

#endif
