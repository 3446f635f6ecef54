/* When places for messages or room in memory run out: who has had it for long and of late sends
 * next to nothing gives it up.
 *
 * A sender may be slow (limits.data_rate is low, for there are slow honest links) as long as there
 * is room for all. Without this, a few hundred that trickle could keep everybody else out, and a
 * few that announced much all large mail.
 */
#include "dataplane/counting.h"
#include "dataplane/smtp/state.h"
#include "platform/clock.h"

#define SHED_LOOK       64u    /* message slots looked at for one to take back */
#define SHED_RATE       16384u /* bytes a second; nobody faster loses its slot */
#define SHED_ROOM_RATE  1024u  /* nor its room ... */
#define SHED_ROOM_AFTER 600u   /* ... for so many seconds; then all has to take no longer */

/* Whether it is for its sender to go on, and what it holds is what is needed. */
static bool shed_may(const struct message *message, enum smtp_shed_for what)
{
    const struct admission_entry *entry = &message->admission;

    if (message->stage != MESSAGE_RECEIVING || entry->since_ns != 0)
        return false;
    switch (what) {
    case SMTP_SHED_FOR_ANY:
        break;
    case SMTP_SHED_FOR_ROOM:
        return entry->granted > entry->small;
    case SMTP_SHED_FOR_SHARE:
        return entry->granted > 0;
    }
    return true;
}

/* What was begun is not lightly thrown away for what has not: who holds room has time, but not as
 * much as it likes. */
static bool shed_is_slow(const struct message *message, enum smtp_shed_for what, uint64_t rate,
                         int64_t now_ns)
{
    uint64_t granted_bytes = (uint64_t)message->admission.granted * MESSAGE_BLOCK_BYTES;

    if (what == SMTP_SHED_FOR_ANY)
        return rate < SHED_RATE;
    return rate < SHED_ROOM_RATE ||
           (now_ns - message->data_ns >= SHED_ROOM_AFTER * CLOCK_NS_PER_SECOND &&
            rate < granted_bytes / SHED_ROOM_AFTER);
}

static void shed_end(struct smtp_call *call)
{
    count(call->server->counters, COUNTER_SENDERS_SHED);
    smtp_transaction_end(call, MAIL_NO_ROOM, "421 4.3.2 Too slow while there is no room");
    smtp_say_closing(call, "421 4.3.2", "Too slow while there is no room, try again later");
}

bool smtp_shed(struct smtp_call *call, enum smtp_shed_for what)
{
    struct smtp_server *server = call->server;
    struct store *store = server->store;
    struct message *slowest = NULL;
    uint64_t least = UINT64_MAX;
    struct smtp_call other = {.server = server, .now_ns = call->now_ns};

    for (unsigned i = 0; i < SHED_LOOK; i++) {
        struct message *message = &store->messages[server->shed_cursor];
        uint64_t rate;

        server->shed_cursor = (server->shed_cursor + 1) % store->slot_count;
        if (message == call->session->message || !shed_may(message, what))
            continue;
        rate = pace_rate(&message->pace, message->shared->size, call->now_ns);
        if (rate < least && shed_is_slow(message, what, rate, call->now_ns)) {
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
    shed_end(&other);
    return true;
}
