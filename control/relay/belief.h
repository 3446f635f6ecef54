/* belief.h: whether what a server says after the end of data can be about the message.
 *
 * TCP tells nobody which bytes a reply answers. What it does tell:
 *   - Before the end of data nothing may have come: asked in the same breath in which it is handed
 *     to the kernel (dialogue_end_data()), so that what is older is heard as a word out of turn.
 *   - While the server's TCP has not acknowledged the end of data, its reply is older than that.
 *   - One end of data has one answer. Of two, nobody knows which it is; but for a 221 or 421,
 *     which says goodbye.
 * What is left: a reply that came before that acknowledgement and is read after it, because our
 * loop was at something else between the two; one that was lost and repeated later. And a server
 * whose TCP has everything while the program above it answers without having read: no protocol
 * shows that. So after an answer a connection is unsettled until DATA has got its 354 on it, which
 * can be no left-over of an end of data: until then a refusal of MAIL is not believed, and the
 * message goes to a fresh connection (dialogue.h).
 *
 * Threads: control's loop. Memory: none.
 */
#ifndef CONTROL_RELAY_BELIEF_H
#define CONTROL_RELAY_BELIEF_H

#include "control/relay/connection.h"
#include "control/relay/reply.h"

/* Why `reply`, whole and just taken from the connection's input, is no word about the message; null
 * when it is one. A static string. */
const char *belief_doubt(const struct reply *reply, const struct connection *connection);

#endif
