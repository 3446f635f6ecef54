/* server.h: how one of a route's servers fares, and when it is tried again.
 *
 * A server is up until an attempt to reach it fails. Then it is down: nobody tries it before
 * retry_ns, and then one attempt at a time does, which either finds it up or doubles the wait
 * (SERVER_RETRY_MIN_NS to SERVER_RETRY_MAX_NS). So an outage, however long, costs each message next
 * to nothing and the server one attempt in SERVER_RETRY_MAX_NS.
 *
 * One that was found and fails again within SERVER_RETRY_MAX_NS goes on where it was, so that a
 * server that comes and goes is not looked for, and spoken of, every other second.
 *
 * Only what says that nobody is there counts: no address, no connection, no greeting, a refused
 * greeting or EHLO. What the server says of a message does not.
 *
 * Reads no clock. Threads: control's loop. Memory: none of its own.
 */
#ifndef CONTROL_RELAY_SERVER_H
#define CONTROL_RELAY_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/clock.h"
#include "platform/config/config.h"

#define SERVER_RETRY_MIN_NS (1 * CLOCK_NS_PER_SECOND)
#define SERVER_RETRY_MAX_NS (60 * CLOCK_NS_PER_SECOND)

struct server {
    char host[CONFIG_NAME_BYTES];
    uint16_t port;
    bool down;
    bool being_tried;  /* while down: one attempt is under way */
    unsigned failures; /* in a row */
    unsigned earlier;  /* those before it was found last */
    int64_t found_ns;  /* when that was */
    int64_t retry_ns;  /* while down: not before */
    int64_t down_since_ns;
};

void server_init(struct server *server, const char *host, uint16_t port);

/* Fills `servers` (CONFIG_SERVERS_MAX of them) from a route's configuration; how many. */
unsigned server_take_all(struct server *servers, const struct config_route *config);

/* They are the ones that `config` names, in the same order. */
bool server_same_all(const struct server *servers, unsigned count,
                     const struct config_route *config);

/* May it be tried now? */
bool server_usable(const struct server *server, int64_t now_ns);

/* The first of `servers` that may be tried now and is not among those `tried` (a bit each); -1:
 * none. */
int server_choose(const struct server *servers, unsigned count, uint32_t tried, int64_t now_ns);

/* When the next of those that are down, and that nobody is trying, is due; INT64_MAX: none is. */
int64_t server_next_retry_ns(const struct server *servers, unsigned count);

/* An attempt begins. True when it is the one that a server which is down gets: it is to be told to
 * the three below. */
bool server_try(struct server *server);

/* The attempt, or another connection, found it there. True when it was down. */
bool server_found(struct server *server, int64_t now_ns);

/* The attempt failed. True when it was up. Attempts that began while it was up and fail later
 * change nothing. */
bool server_failed(struct server *server, bool trial, int64_t now_ns);

/* The trial ended without saying anything about the server (it was withdrawn, no descriptor). */
void server_untried(struct server *server);

#endif
