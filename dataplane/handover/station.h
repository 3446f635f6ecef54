/* station.h: the stations of a message after its last byte, and what their files share.
 *
 *   inspect -> decide -> scan -> decide -> relay -> answer -> (end)
 *
 * A station is one file and one row. It knows the messages that are with it and nothing of the
 * others: each of its functions ends by saying where a message stands *next*, and handover.c, the
 * one driver, moves it there. So a message only goes down: no station calls another, and what a
 * sender says behind its message (which may be the next message) meets a station between two
 * messages, never in the middle of one.
 *
 * Functions of a row may be null where there is nothing to do; `now_ns` is the poll's. Those that
 * take a step are called again and again until they say false; each hands out at most one message.
 *
 * Threads: the owning worker. Hot path: all of it.
 */
#ifndef DATAPLANE_HANDOVER_STATION_H
#define DATAPLANE_HANDOVER_STATION_H

#include "dataplane/counting.h"
#include "dataplane/handover/handover.h"
#include "platform/clock.h"

#define HANDOVER_SWEEP_NS         (50 * CLOCK_NS_PER_MS)
#define HANDOVER_ANSWERS_PER_POLL 32u
#define HANDOVER_DEBT_SHARE       4 /* of limits.verdict_timeout: the most a client may owe */

/* A message that goes on. */
struct station_step {
    struct message *message; /* null: something was done, but none goes on */
    enum station next;
};

struct station_row {
    /* `message` has come here, on no list. Returns where it stands: this station itself when it
     * stays (then it is on one of this station's lists). */
    enum station (*start)(struct handover *handover, struct message *message, int64_t now_ns);
    /* A piece of what there is to do here. */
    bool (*work)(struct handover *handover, struct station_step *step, int64_t now_ns);
    /* Takes one answer of a peer. */
    bool (*answer)(struct handover *handover, struct station_step *step, int64_t now_ns);
    /* The peer at `slot` has ended and is out of bounds already: gives out what it had. The last
     * call of a series, which says false, finds the slot empty. */
    bool (*lost)(struct handover *handover, uint32_t slot, struct station_step *step,
                 int64_t now_ns);
    /* Whose time is over. A message a peer still reads (job != 0) may be given out for its sender
     * to be answered; it stays on its list until the peer has answered or is gone. */
    bool (*sweep)(struct handover *handover, struct station_step *step, int64_t now_ns);
    /* Nobody waits for an answer to `message` any more. False: what becomes of it still counts.
     * True: it ends now; it is off the lists, unless a peer still reads it. */
    bool (*withdraw)(struct handover *handover, struct message *message);
};

extern const struct station_row station_inspect; /* inspect.c: before the prefilter */
extern const struct station_row station_decide;  /* decide.c: what is known becomes an action */
extern const struct station_row station_scan;    /* scan.c: for a scanner, and at one */
extern const struct station_row station_relay;   /* relay.c: at control */
extern const struct station_row station_answer;  /* answer.c: the sender hears what became of it */

/* list.c. `message` is on no list (append, insert), on this one (remove); insert() puts it before
 * `next`, or at the end (null). */
void message_list_append(struct message_list *list, struct message *message);
void message_list_insert(struct message_list *list, struct message *message, struct message *next);
void message_list_remove(struct message_list *list, struct message *message);

static inline struct passage *handover_passage(struct handover *handover,
                                               const struct message *message)
{
    return &handover->passages[message->index - handover->store->slot_first];
}

/* False once limits.verdict_timeout is over: nothing new is begun with the message. */
static inline bool handover_time_left(const struct handover *handover,
                                      const struct message *message, int64_t now_ns)
{
    return now_ns - message->received_ns < handover->verdict_limit_ns;
}

/* Whether a peer may be given a job. */
static inline bool handover_peer_usable(const struct handover_peer *peer)
{
    return peer_state_of(peer->life) == PEER_READY && !peer->broken;
}

/* Whether it may still have jobs: its memory is mapped, and it may read messages. */
static inline bool handover_peer_reads(uint64_t life)
{
    return peer_state_of(life) == PEER_READY || peer_state_of(life) == PEER_LEAVING;
}

/* Tells main that this worker has acted on the peer's life: of one that is leaving, when nothing it
 * has is without an answer. */
static inline void handover_peer_acknowledge(struct handover *handover, uint32_t slot)
{
    const struct handover_peer *peer = &handover->slots[slot];

    if (peer_state_of(peer->life) == PEER_LEAVING && peer->outstanding > 0)
        return;
    atomic_store_explicit(peers_seen(handover->peers, handover->worker, slot), peer->life,
                          memory_order_release);
}

/* Asks main for the peer's end, which comes back as `lost`. It gets nothing more until then, and
 * nothing it says counts. */
static inline void handover_peer_break(struct handover *handover, uint32_t slot)
{
    struct handover_peer *peer = &handover->slots[slot];

    peer->broken = true;
    atomic_store_explicit(&handover->peers->slots[slot].kill_epoch, peer_epoch_of(peer->life),
                          memory_order_relaxed);
}

/* conclude.c: counts the message's one outcome and leaves its line in the log. */
void handover_conclude(struct handover *handover, struct message *message,
                       enum mail_outcome outcome, const char *status, const char *relay,
                       int64_t now_ns);
void handover_log_rejected(void *context, const char *command, const char *client, const char *helo,
                           const char *sender, const char *recipient, const char *reply,
                           int64_t now_ns);

/* inspect.c, besides its row. */
/* More of a message has come, which is still the session's. */
void handover_inspect_arrived(struct handover *handover, struct message *message);
/* A poll begins: a new share of the core. */
void handover_inspect_begin(struct handover *handover);
/* Scanners came or went: whether the prefilter still speaks for all of them. */
void handover_inspect_vouch(struct handover *handover);
/* Takes the new prefilter in place of the old; what the old one was looking at is begun anew. */
void handover_inspect_use(struct handover *handover, struct inspector *inspector,
                          struct cache *cache, const struct link_identity *expected);
/* The slot is used anew: forgets what was known of its last message. */
void handover_passage_clear(struct passage *passage);

#endif
