/* share.h: how much of a worker's slots and blocks one customer may hold.
 *
 * A customer whose server hangs holds every message that is meant for it until its time is over; so
 * a few of them would hold all slots, and mail for everybody else would be refused. Three quarters
 * are common: there a dynamic threshold holds (Choudhury and Hahne, 1998), a customer may have
 * SHARE_FACTOR times as much as it leaves. The last quarter is cut evenly: so much is each
 * customer's own, however much the others hold and in whatever order they came. One that takes what
 * it can get has about half; ten leave all others their own and what they themselves do not reach.
 * With one customer alone nothing is bounded.
 *
 * Slots count from the first recipient on. Blocks count once the message is complete: while it
 * comes in its sender's shares bound it, afterwards it is its customer's alone how long they stay.
 *
 * Places: a customer is known by a hash of its name (share_place()), so that a reload changes
 * nothing; two in one place share a share. Over messages that are there already nothing is done: a
 * customer over its share gets no new ones until it is under it.
 *
 * Threads: the owning worker. Memory: a table in struct store. Hot path.
 */
#ifndef DATAPLANE_MESSAGE_SHARE_H
#define DATAPLANE_MESSAGE_SHARE_H

#include "dataplane/message/store.h"

#define SHARE_FACTOR 2u
#define SHARE_OWN    4u /* the part of all that is cut evenly: one in so many */

/* The place of a customer, from 1 on. */
uint32_t share_place(const char *name);

/* How many customers there are now; what is held stays held. */
void share_configure(struct store *store, uint32_t customers);

/* Whether the customer at `place` may begin another message. */
bool share_admits(const struct store *store, uint32_t place);

/* `message` is the customer's from here on, until message_give(). */
void share_take(struct store *store, struct message *message, uint32_t place);

/* It is complete: its blocks count, too. */
void share_complete(struct store *store, struct message *message);

/* Called by message_give(). */
void share_give(struct store *store, struct message *message);

#endif
