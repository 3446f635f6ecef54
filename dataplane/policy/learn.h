/* learn.h: what the verdict cache may remember of a full scan.
 *
 * Only what is final: clean, or infected where no other part of the message was in doubt (which one
 * is infected is known only then); and only of a message whose doubts are parts the prefilter has
 * named, while it speaks for the scanners.
 *
 * Threads: any; the cache's own rules. Hot path.
 */
#ifndef DATAPLANE_POLICY_LEARN_H
#define DATAPLANE_POLICY_LEARN_H

#include <stdbool.h>

#include "signatures/content/inspect/inspect.h"

/* Stores what may be stored of `verdict` (`name`: the signature when infected) and takes the keys
 * out of `result`; returns how many there were. `cache` may be null. */
unsigned policy_learn(struct cache *cache, struct inspect_result *result, bool vouched,
                      enum verdict_kind verdict, const char *name);

#endif
