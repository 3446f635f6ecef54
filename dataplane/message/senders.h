/* senders.h: how many of a worker's slots and envelope blocks one sender may hold.
 *
 * A sender that opens a transaction on each of many connections, and no more, would leave no slot
 * for anybody else. While more than a quarter of them is free anybody may have any number. The last
 * quarter is for those that hold little: less than a sixteenth of all, and around them (IPv4 /24,
 * IPv6 /48, as dataplane/tcp/clients.h counts) less than an eighth. It is slots that count, not
 * connections, from the first recipient to message_give(), even if the sender has long left. An
 * envelope that needs a second block counts as another slot, and so on: there are about as many
 * blocks for envelopes as slots.
 *
 * What a sender and its neighbourhood were granted of the blocks is counted in the same entries
 * (struct admission_client), by whoever grants them.
 *
 * Threads: the owning worker. Memory: senders_init() allocates; an entry for each sender and each
 * neighbourhood that holds a slot, so two a slot are enough. Hot path but for init and fini: chains
 * of a table whose hash has a secret.
 */
#ifndef DATAPLANE_MESSAGE_SENDERS_H
#define DATAPLANE_MESSAGE_SENDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/message/admission.h"
#include "dataplane/net/siphash.h"
#include "platform/status.h"

#define SENDERS_KEPT         4u  /* the last slots, one in so many, are shared out */
#define SENDERS_SHARE        16u /* of all: an address */
#define SENDERS_SHARE_AROUND 8u  /* and all around it */

struct senders_entry {
    uint64_t prefix;
    uint32_t held;                  /* slots and further envelope blocks; 0: free */
    uint32_t next;                  /* in its chain, or free */
    uint32_t bucket;                /* of the table */
    struct admission_client client; /* what it was granted */
    bool around;                    /* the neighbourhood, not the address alone */
};

/* Where somebody is counted: as an address, and with all around it. */
struct senders_place {
    uint32_t entry[2];
};

struct senders {
    uint32_t slot_count;
    struct senders_entry *entries;
    uint32_t *table;
    uint32_t mask;
    uint32_t free;
    struct siphash_key secret;
};

/* The neighbourhood of a prefix (tcp_peer_prefix()): IPv6 /48, IPv4 /24. */
static inline uint64_t senders_around(uint64_t prefix)
{
    return prefix & ~(prefix > UINT32_MAX ? UINT64_C(0xffff) : UINT64_C(0xff));
}

/* Main thread. `slots` of a worker. STATUS_NO_MEMORY, STATUS_SYSTEM. */
enum status senders_init(struct senders *senders, uint32_t slots) STATUS_CHECKED;
void senders_fini(struct senders *senders);

/* Whether `prefix` (tcp_peer_prefix()) may have another one of `all`, of which `free` are left. */
bool senders_admit(const struct senders *senders, uint64_t prefix, uint32_t free, uint32_t all);

/* It has one more; where it is counted. */
struct senders_place senders_enter(struct senders *senders, uint64_t prefix);
/* Whoever has one has another. */
void senders_add(struct senders *senders, const struct senders_place *place);
/* It gives `count` back, that were its own. */
void senders_leave(struct senders *senders, const struct senders_place *place, uint32_t count);

/* Where to count what is granted to it (0), or to all around it (1). */
static inline struct admission_client *
senders_client(const struct senders *senders, const struct senders_place *place, unsigned level)
{
    return &senders->entries[place->entry[level]].client;
}

/* What it holds, or what is held around it. */
uint32_t senders_held(const struct senders *senders, uint64_t prefix, bool around);

#endif
