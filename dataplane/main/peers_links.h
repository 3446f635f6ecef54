/* peers_links.h: the links the server has, for the files of which it is made: peers_links.c (this),
 * peers_server.c (their life) and peers_candidate.c (which scanners serve).
 *
 * Threads: main. Not hot.
 */
#ifndef DATAPLANE_MAIN_PEERS_LINKS_H
#define DATAPLANE_MAIN_PEERS_LINKS_H

#include "dataplane/main/peers_rows.h"
#include "dataplane/main/peers_server.h"

#define PEERS_LINKS_MAX 16u /* at once: scanner parents, control, the supervisor, late ones */

enum peer_link_stage {
    PEER_LINK_UNUSED,
    PEER_LINK_HELLO,
    PEER_LINK_WAITING,
    PEER_LINK_ACTIVE,
    PEER_LINK_LEAVING, /* we have ended it, and wait for the other side's end */
};

struct peer_link {
    enum peer_link_stage stage;
    enum link_kind kind;
    int fd;
    uint32_t uid;
    uint32_t first; /* of its slots in the table, once it is active */
    uint32_t slots;
    bool candidate;
    bool stood_in; /* serves without an order, which may still come */
    bool leaving;  /* a scanner parent that ends when its children have answered */
    bool killed;
    int64_t since_ns; /* of the link; LEAVING: of that */
};

struct peers_server {
    struct peers *peers;
    const struct region *region;
    int listening;
    uint32_t peer_uid;
    uint32_t own_uid;
    struct peer_link links[PEERS_LINKS_MAX];
    struct peers_rows rows;
};

/* The `life` of `slot` as it is, and as it is from now on. */
uint64_t peers_life(const struct peers *peers, uint32_t slot);
void peers_set(struct peers *peers, uint32_t slot, uint32_t epoch, enum peer_state state);

/* The peer in that slot is no more. One that no worker ever attached to can go at once. */
void peers_slot_lost(struct peers_server *server, uint32_t slot);

const char *peers_kind_text(enum link_kind kind);

/* Ends the link; what it had in its slots is gone. */
void peers_drop(struct peers_server *server, struct peer_link *link, const char *why);

bool peers_active(const struct peer_link *link, enum link_kind kind);

/* peers_candidate.c. Mail must not wait for an order when nobody else is there to scan it. */
void peers_stand_in(struct peers_server *server);

/* An order of the supervisor: false when it is to be let go. */
bool peers_order(struct peers_server *server, const struct peer_link *supervisor,
                 const struct link_message *message);

#endif
