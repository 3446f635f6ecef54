/* peers.h: the scanners and the control process as the dataplane knows them.
 *
 * The *table* (struct peers) says which slots are up; the main thread writes it (its half is
 * dataplane/main/peers_server.h), the workers read it at burst boundaries.
 *
 * A slot's life: main maps a fresh channel memory and offers it with a new epoch; when the peer is
 * ready, `life` says READY, and each worker attaches; on death main sets GONE, each worker fails
 * its jobs there and acknowledges (`seen`), and only after the last acknowledgement does main unmap
 * the memory and offer the next incarnation. No locks: one writer for each word.
 */
#ifndef DATAPLANE_HANDOVER_PEERS_H
#define DATAPLANE_HANDOVER_PEERS_H

#include "platform/link/channel.h"
#include "platform/link/link.h"

#define PEERS_CONTROL_SLOT LINK_SLOTS_MAX /* scanners are 0..LINK_SLOTS_MAX-1 */
#define PEERS_SLOTS        (LINK_SLOTS_MAX + 1u)
#define PEERS_ENGINE_BYTES LINK_TEXT_BYTES

enum peer_state { PEER_ABSENT, PEER_OFFERED, PEER_READY, PEER_GONE };

struct peer_slot {
    /* (epoch << 8) | enum peer_state; written by main (release), read by workers (acquire). */
    _Atomic uint64_t life;
    /* Main writes before READY, workers read after: */
    struct channel_memory memory;
    char engine[PEERS_ENGINE_BYTES]; /* printable ASCII; empty for control */
    struct link_identity identity;   /* of a scanner: what it says it has loaded */
    /* A worker asks for SIGKILL of this epoch by storing it here (main forwards it once). */
    _Atomic uint32_t kill_epoch;
};

struct peers {
    uint32_t worker_count;
    _Atomic uint32_t changes; /* raised by main after each change of a slot's life */
    struct peer_slot slots[PEERS_SLOTS];
    /* seen[worker][slot]: the `life` the worker has acted on; written by that worker only. */
    _Atomic uint64_t seen[REGION_WORKERS_MAX][PEERS_SLOTS];
};

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

void peers_init(struct peers *peers, uint32_t worker_count);

#endif
