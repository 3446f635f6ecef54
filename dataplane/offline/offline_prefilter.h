/* offline_prefilter.h: the packet core's prefilter for one offline run.
 *
 * The same inspector the workers use, fed from a stored message in blocks as it would be from the
 * wire; the same verdict cache. It settles only while the scanner that was started says that it has
 * loaded the database the prefilter was made from, as in the appliance.
 *
 * Threads: one. Memory: offline_prefilter_close().
 */
#ifndef DATAPLANE_OFFLINE_OFFLINE_PREFILTER_H
#define DATAPLANE_OFFLINE_OFFLINE_PREFILTER_H

#include "dataplane/message/store.h"
#include "platform/config/config.h"
#include "platform/why.h"
#include "signatures/content/inspect/inspect.h"

struct offline_prefilter {
    struct prefilter prefilter;
    struct inspector *inspector; /* null: there is none, everything is scanned */
    struct cache *cache;
};

/* `limits` may be null: the scanner's defaults. `why` gets one line on an error. */
enum status offline_prefilter_open(struct offline_prefilter *prefilter, const char *file,
                                   const struct config_scanner *limits,
                                   struct why *why) STATUS_CHECKED;
void offline_prefilter_close(struct offline_prefilter *prefilter);

/* Looks at a whole stored message. */
void offline_prefilter_inspect(struct offline_prefilter *prefilter, const struct store *store,
                               const struct message *message, struct inspect_result *result);

#endif
