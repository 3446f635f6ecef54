/* resolver.h: from the name of a customer's server to its addresses.
 *
 * Names are looked up in /etc/hosts and by the servers in /etc/resolv.conf, without waiting, by
 * libevent's evdns. Who asks sees only this: another library, and other records than A and AAAA, go
 * in here.
 *
 * Limits: RESOLVER_ADDRESSES_MAX addresses of a name, the first ones; how long it may take is for
 * the asker to say (resolver_cancel()).
 *
 * Threads: control's loop. Memory: resolver_close(), after every look-up is answered or cancelled.
 */
#ifndef CONTROL_RESOLVE_RESOLVER_H
#define CONTROL_RESOLVE_RESOLVER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "control/loop/loop.h"

#define RESOLVER_ADDRESSES_MAX 16u

union resolver_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct resolver_answer {
    unsigned count;                                           /* 0: `why` says why not */
    union resolver_address addresses[RESOLVER_ADDRESSES_MAX]; /* with the port; to try in order */
    const char *why;
};

struct resolver;
struct resolver_lookup;

/* `answer` is borrowed for the call. From the loop, never before resolver_start() has returned
 * unless that returns null. */
typedef void (*resolver_done)(void *context, const struct resolver_answer *answer);

#define RESOLVER_CONFIGURATION "/etc/resolv.conf"

/* Reads /etc/hosts and `configuration` (borrowed for good; a resolv.conf, RESOLVER_CONFIGURATION);
 * without them numeric addresses remain, and a line says so. STATUS_NO_MEMORY. */
enum status resolver_open(struct resolver **resolver, struct loop *loop,
                          const char *configuration) STATUS_CHECKED;

/* Reads both again. */
void resolver_reload(struct resolver *resolver);

/* Null is allowed. */
void resolver_close(struct resolver *resolver);

/* An address in figures needs nobody: false when `host` is a name. */
bool resolver_numeric(const char *host, uint16_t port, struct resolver_answer *answer);

/* Begins to look `host` up. Null when `done` has already been called. */
struct resolver_lookup *resolver_start(struct resolver *resolver, const char *host, uint16_t port,
                                       resolver_done done, void *context);

/* `done` will not be called any more. */
void resolver_cancel(struct resolver_lookup *lookup);

/* Bytes of `address` for connect() and bind(). */
socklen_t resolver_address_length(const union resolver_address *address);

#endif
