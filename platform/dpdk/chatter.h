/* chatter.h: DPDK's log held back while something starts.
 *
 * DPDK explains failures in its log only, and warns of much that is normal (no hugepages, no
 * multiq qdisc). Between begin and end its lines go to memory: dropped when all went well, and on
 * failure the last two become part of the operator's one line.
 *
 * Main thread, start only. One at a time.
 */
#ifndef PLATFORM_DPDK_CHATTER_H
#define PLATFORM_DPDK_CHATTER_H

#include <stddef.h>
#include <stdio.h>

struct chatter {
    FILE *stream;
    char *text;
    size_t length;
};

void chatter_begin(struct chatter *chatter);

/* Gives the log back to standard error. `last` (may be null when size is 0) gets the last two
 * lines as "cause; effect", cut to `size`; empty when there was none. */
void chatter_end(struct chatter *chatter, char *last, size_t size);

#endif
