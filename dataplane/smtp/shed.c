/* When places for messages run out: who has had one for long and sends next to nothing gives it up.
 *
 * A sender may be slow (limits.data_rate is low, for there are slow honest links) as long as there
 * is room for all. Without this, a few hundred that trickle could keep everybody else out.
 */
#include "dataplane/smtp/state.h"
#include "platform/clock.h"

#define SHED_LOOK     64u                        /* message slots looked at for one to take back */
#define SHED_YOUNG_NS (10 * CLOCK_NS_PER_SECOND) /* nobody younger loses its place */
#define SHED_RATE     16384u                     /* bytes a second; nobody faster does */

/* Bytes a second since MAIL or, later, DATA, but for the time in which it was we who let the sender
 * wait; UINT64_MAX when the message is not one to take back. */
static uint64_t shed_rate(const struct smtp_call *call, const struct message *message)
{
    int64_t from_ns = message->data_ns != 0 ? message->data_ns : message->started_ns;
    int64_t age_ns = call->now_ns - from_ns - message->waited_ns;

    if (message->stage != MESSAGE_RECEIVING || message->admission.since_ns != 0 ||
        age_ns < SHED_YOUNG_NS)
        return UINT64_MAX;
    return (uint64_t)message->shared->size * CLOCK_NS_PER_SECOND / (uint64_t)age_ns;
}

bool smtp_shed(struct smtp_call *call)
{
    struct smtp_server *server = call->server;
    struct store *store = server->store;
    struct message *slowest = NULL;
    uint64_t least = SHED_RATE;
    struct smtp_call other = {.server = server, .now_ns = call->now_ns};

    for (unsigned i = 0; i < SHED_LOOK; i++) {
        struct message *message = &store->messages[server->shed_cursor];
        uint64_t rate = shed_rate(call, message);

        server->shed_cursor = (server->shed_cursor + 1) % store->slot_count;
        if (rate < least && message != call->session->message) {
            least = rate;
            slowest = message;
        }
    }
    if (slowest == NULL)
        return false;
    other.stream = stream_find(server->endpoint, slowest->owner);
    if (other.stream == NULL)
        return false;
    other.session = stream_session(other.stream);
    smtp_transaction_end(&other, MAIL_NO_ROOM, "421 4.3.2 Too slow while there is no room");
    smtp_say_closing(&other, "421 4.3.2", "Too slow while there is no room, try again later");
    return true;
}
