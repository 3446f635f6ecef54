/* region_source.h: a message in the shared region as a source (control/relay/source.h).
 *
 * The mapping is counted apart (region_hold.h): the link holds it once, each source once; the last
 * to let go unmaps. That the bytes stay *mapped* does not mean that they stay the message's: who
 * sends them asks source_kind.current() before ending the message.
 *
 * Threads: control's loop. Memory: the source's holders.
 */
#ifndef CONTROL_LINK_REGION_SOURCE_H
#define CONTROL_LINK_REGION_SOURCE_H

#include "control/link/region_hold.h"
#include "control/relay/source.h"
#include "platform/link/channel.h"

/* Opens the message `job` names, with one holder, the caller. Holds `hold` once more. STATUS_STALE,
 * STATUS_BAD_FORMAT, STATUS_NO_MEMORY as message_view_open(). */
enum status region_source_open(struct source **source, struct region_hold *hold,
                               const struct relay_job *job) STATUS_CHECKED;

#endif
