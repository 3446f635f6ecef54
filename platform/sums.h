/* sums.h: whether what is divided among the workers is enough for each of them.
 *
 * Workers share nothing, so a worker's slice has to be large enough by itself: a message whose last
 * block no slice can hold would never end, and its sender would come again for days. How many
 * workers there are is known when the cores are planned, so this is asked after cores_plan().
 *
 * Pure; start-up only.
 */
#ifndef PLATFORM_SUMS_H
#define PLATFORM_SUMS_H

#include "platform/config/config.h"
#include "platform/why.h"

/* STATUS_BAD_CONFIG: `why` is the sum in one line, and what would do. */
enum status sums_of_memory(const struct config *config, unsigned workers,
                           struct why *why) STATUS_CHECKED;

/* `buffers` a worker has, of which each port with `descriptors` posted keeps that many. */
enum status sums_of_packets(unsigned buffers, unsigned workers, unsigned ports,
                            unsigned descriptors, struct why *why) STATUS_CHECKED;

#endif
