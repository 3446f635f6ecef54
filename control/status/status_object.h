/* status_object.h: how the appliance is, as one JSON object: what `postern status --json` prints.
 *
 * Threads: control's loop. Nothing is kept.
 */
#ifndef CONTROL_STATUS_STATUS_OBJECT_H
#define CONTROL_STATUS_STATUS_OBJECT_H

#include "control/link/dataplane.h"
#include "platform/config/feed.h"

/* As text, the caller's to free. A view of number 0 is left out: nobody has said. Null when out of
 * memory. */
char *status_object_text(const struct dataplane *dataplane, const struct relay *relay,
                         const struct feed_view *view, double uptime_seconds);

#endif
