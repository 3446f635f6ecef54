/* region_hold.h: the shared region, mapped for as long as anything still points into it.
 *
 * Message bytes go to the customer's server straight from the region: output buffers hold pointers
 * into the mapping, and a buffer may outlive the link to the dataplane that the region came from.
 * So the mapping is counted: the link holds it once, each transaction once, each referenced piece
 * in an output buffer once; the last one to let go unmaps.
 *
 * The dataplane gives the memory of messages we had back when the link is closed, whichever side
 * ended it. So a link that is over is left to the hold, which closes it when nothing of ours points
 * into the region any more: before that another customer's bytes could go out of our buffers.
 *
 * That the bytes stay *mapped* does not mean that they stay the message's: who sends them checks
 * message_view_current() before ending the message (see connection.h).
 *
 * Threads: control's loop. Memory: counted, as said. Not hot.
 */
#ifndef CONTROL_LINK_REGION_HOLD_H
#define CONTROL_LINK_REGION_HOLD_H

#include "platform/link/region.h"

struct region_hold {
    struct region region;
    int link; /* closed with the last holder; -1: none */
    unsigned holders;
};

/* Maps a received descriptor (ownership of `fd` is taken in every case) with one holder. */
enum status region_hold_open(struct region_hold **hold, int fd) STATUS_CHECKED;

/* One holder more; returns `hold`. */
struct region_hold *region_hold_take(struct region_hold *hold);

/* One holder less; null is allowed. */
void region_hold_give(struct region_hold *hold);

#endif
