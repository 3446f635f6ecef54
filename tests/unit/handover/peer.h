/* peer.h: the other end of a link, played by the test: a scanner parent with its children, or
 * control. It uses the real link, the real region (mapped read-only) and the real channels, and may
 * do with its own half whatever a compromised process could.
 *
 * Threads: one. Memory: peer_close() unmaps everything. Tests only.
 */
#ifndef TESTS_UNIT_HANDOVER_PEER_H
#define TESTS_UNIT_HANDOVER_PEER_H

#include "platform/link/channel.h"
#include "platform/link/link.h"

#define PEER_WORKERS_MAX 4u
#define PEER_ENGINE      "ClamAV 1.4.3/27813"

struct peer_channels {
    uint32_t epoch; /* 0: never offered */
    bool ready;     /* we said so */
    struct channel_memory memory;
    struct channel channel[PEER_WORKERS_MAX];
    uint32_t kills; /* KILL messages for it, all epochs */
    uint32_t kill_epoch;
};

struct peer {
    int fd;
    bool ended; /* the dataplane closed the link */
    bool holds; /* has buffers that refer to messages: does not close its own end */
    bool welcomed;
    bool passive; /* does not say READY by itself */
    uint32_t workers;
    struct link_identity identity; /* said with READY */
    struct region region;
    enum link_kind kind;
    uint32_t serve_count; /* SERVE heard */
    uint32_t serving;     /* what the last one said */
    struct peer_channels slots[LINK_SLOTS_MAX];
};

/* Connects and says HELLO. */
void peer_connect(struct peer *peer, const char *path, enum link_kind kind, uint32_t slots,
                  uint32_t flags);

/* Reads all there is. New channels are opened and, unless `passive`, answered with READY. */
void peer_hear(struct peer *peer);

void peer_say(struct peer *peer, enum link_type type, uint32_t slot, uint32_t epoch,
              const char *text);

/* The child in that slot is dead. */
void peer_gone(struct peer *peer, uint32_t slot);

/* Ends the link, as the death of the process would. */
void peer_close(struct peer *peer);

/* A child starts to work on the next job of that worker. False when there is none. */
bool peer_scan(struct peer *peer, uint32_t slot, uint32_t worker, struct scan_job *job);

/* The right answer to `job`. */
struct scan_result peer_result(const struct scan_job *job, enum verdict_kind verdict,
                               enum unscannable_reason reason, const char *name);

/* Pushes any answer and is idle again. */
void peer_answer(struct peer *peer, uint32_t slot, uint32_t worker,
                 const struct scan_result *result);

bool peer_relay(struct peer *peer, uint32_t worker, struct relay_job *job);
struct relay_result peer_relayed(const struct relay_job *job, enum relay_outcome outcome,
                                 uint32_t code, const char *text);
void peer_answer_relay(struct peer *peer, uint32_t worker, const struct relay_result *result);

#endif
