/* peers_server.h: the link socket: scanners and control come and go here.
 *
 * Listens, hands out the region and the channels, hears of births and deaths, forwards kills, and
 * keeps the slot table (dataplane/handover/peers.h) of which the workers read. Nothing a peer sends
 * can end the dataplane: a message that breaks the protocol drops that peer.
 *
 * Threads: main. Not hot.
 */
#ifndef DATAPLANE_MAIN_PEERS_SERVER_H
#define DATAPLANE_MAIN_PEERS_SERVER_H

#include "dataplane/handover/peers.h"
#include "platform/clock.h"
#include "platform/link/region.h"

/* For control to close its end once its link is over; then it is killed. */
#define PEERS_LEAVE_LIMIT_NS (10 * CLOCK_NS_PER_SECOND)

struct peers_server;

/* Main thread: listens at `path`. `region` is what every peer gets (borrowed). `peer_uid` and
 * `peer_gid` are the only ones allowed besides root (UINT32_MAX: none). */
enum status peers_server_create(struct peers_server **server, struct peers *peers,
                                const struct region *region, const char *path, uint32_t peer_uid,
                                uint32_t peer_gid) STATUS_CHECKED;

/* Main thread, every few milliseconds: accepts, hears, forwards kills, retires slots whose workers
 * have let go. Never blocks. */
void peers_server_poll(struct peers_server *server, int64_t now_ns);

void peers_server_free(struct peers_server *server);

#endif
