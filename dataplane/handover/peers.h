/* peers.h: the scanners and the control process as the dataplane knows them.
 *
 * The *table* (struct peers) says which slots are up; the main thread writes it (its half is
 * dataplane/main/peers_server.h), the workers read it at burst boundaries.
 *
 * A slot's life: main maps a fresh channel memory and offers it with a new epoch; when the peer is
 * ready, `life` says READY, and each worker attaches; on death main sets GONE, each worker fails
 * its jobs there and acknowledges (`seen`), and only after the last acknowledgement does main unmap
 * the memory and offer the next incarnation. No locks: one writer for each word.
 *
 * Several scanner parents may be linked at once, each with slots of its own. Those of a candidate
 * become CANDIDATE where others become READY, and READY when main lets it serve.
 *
 * Limits: the table is sized at the start from the configuration (PEERS_GENERATIONS parents); a
 * parent that finds no room waits, one that could never have room is refused and counted
 * (peers_refused).
 *
 * A scanner parent that wants to end says so: its children are LEAVING then, get no jobs any more,
 * and a worker acknowledges that when it has the answers to those they have. After the last
 * acknowledgement main ends the link.
 *
 * Control sends bytes of the region on to the customers' servers. So where main ends its link (it
 * broke a rule), it is LEAVING at first: it gets no jobs, but what it has stays in memory until it
 * has closed its end, which it does when no buffer refers to the region any more, or when it dies:
 * after PEERS_LEAVE_LIMIT_NS it is killed. Otherwise another customer's bytes could go out of those
 * buffers.
 */
#ifndef DATAPLANE_HANDOVER_PEERS_H
#define DATAPLANE_HANDOVER_PEERS_H

#include "platform/link/channel.h"
#include "platform/link/link.h"

#define PEERS_SCANNERS_MAX 4096u /* slots for scanners, over all parents */
#define PEERS_GENERATIONS  4u    /* scanner parents with the configured number of children */
#define PEERS_NO_SLOT      UINT32_MAX
#define PEERS_ENGINE_BYTES LINK_TEXT_BYTES

/* A candidate is ready but gets no mail until it is told to serve. */
enum peer_state {
    PEER_ABSENT,
    PEER_OFFERED,
    PEER_CANDIDATE,
    PEER_READY,
    PEER_GONE,
    PEER_LEAVING, /* it gets no jobs any more, but still reads what it has jobs for */
};

struct peer_slot {
    /* (epoch << 8) | enum peer_state; written by main (release), read by workers (acquire). */
    _Atomic uint64_t life;
    /* Main writes before READY, workers read after: */
    struct channel_memory memory;
    char engine[PEERS_ENGINE_BYTES]; /* printable ASCII; empty for control */
    struct link_identity identity;   /* of a scanner: what it says it has loaded */
    /* A worker asks for SIGKILL of this epoch by storing it here (main forwards it once). */
    _Atomic uint32_t kill_epoch;
    /* Jobs of all workers at this scanner: a hint, by which a worker finds one that is idle. */
    _Atomic uint32_t jobs;
};

struct peers {
    uint32_t worker_count;
    uint32_t scanner_slots; /* the first ones; after them control's */
    uint32_t slot_count;
    _Atomic uint32_t changes; /* raised by main after each change of a slot's life */
    _Atomic uint32_t refused; /* peers that wanted more slots than there are; main's */
    struct peer_slot *slots;  /* [slot_count] */
    _Atomic uint64_t *seen;   /* [worker_count][slot_count], peers_seen() */
};

static inline uint32_t peers_control(const struct peers *peers)
{
    return peers->scanner_slots;
}

/* The `life` of `slot` that `worker` has acted on; written by that worker only. */
static inline _Atomic uint64_t *peers_seen(const struct peers *peers, uint32_t worker,
                                           uint32_t slot)
{
    return &peers->seen[(size_t)worker * peers->slot_count + slot];
}

static inline uint64_t peer_life(uint32_t epoch, enum peer_state state)
{
    return (uint64_t)epoch << 8 | (uint64_t)state;
}

static inline enum peer_state peer_state_of(uint64_t life)
{
    return (enum peer_state)(life & 0xff);
}

static inline uint32_t peer_epoch_of(uint64_t life)
{
    return (uint32_t)(life >> 8);
}

/* Main thread: an empty table with room for `scanner_slots` (1..PEERS_SCANNERS_MAX) scanners and
 * control. STATUS_NO_MEMORY. */
enum status peers_init(struct peers *peers, uint32_t worker_count,
                       uint32_t scanner_slots) STATUS_CHECKED;
/* After the workers and the server have ended. */
void peers_fini(struct peers *peers);

#endif
