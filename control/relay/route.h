/* route.h: the way to one customer's servers: its connections, who waits for one, how they fare.
 *
 * A transaction takes an idle connection (the one used last, so that surplus ones grow old and
 * close), else opens a new one to the first server that is usable (server.h) while fewer than
 * `connections` are open, else waits, first come first served, at most connect_timeout (then
 * RELAY_UNREACHABLE, 451). A server that cannot be reached hands its transaction on to the next;
 * when all are down, and none of their connections is left, a message is answered 451 at once. What
 * is down is looked for again by the route itself, mail or no mail; once it is back, connections to
 * the servers behind it end with what they are doing.
 *
 * So a dead server costs next to nothing and never holds up another route; nor does a slow one take
 * all places for messages: no more than three quarters of them wait for one route, the next is
 * answered 451 at once.
 *
 * When the configuration changes a route, the old one is retired: it takes nothing new, closes
 * what idles, and is freed when its last transaction has ended.
 *
 * Threads: control's loop. Memory: route_create() .. freed by itself once retired and empty, or
 * route_free() at the end of the process.
 */
#ifndef CONTROL_RELAY_ROUTE_H
#define CONTROL_RELAY_ROUTE_H

#include "control/relay/dialogue.h"
#include "control/relay/server.h"
#include "platform/link/row.h"
#include "platform/log/notice.h"

#define ROUTE_ERROR_BYTES  (RELAY_TEXT_BYTES + 16u)
#define ROUTE_MESSAGES_MAX 100u /* over one connection; then QUIT */

/* Since the start of the process; every answered transaction is in exactly one of the first five.
 */
struct route_counts {
    uint64_t delivered;   /* 2xx */
    uint64_t temporary;   /* 4xx, and connections that broke off */
    uint64_t permanent;   /* 5xx */
    uint64_t unreachable; /* no connection in time */
    uint64_t refused;     /* declined by ourselves, or withdrawn */
    uint64_t in_doubt;    /* of the temporary: the end of data was sent, the answer never came */
    uint64_t about_us;    /* of the temporary: the server wants something of us */
};

/* Who hears when all servers of a customer have gone, and when they are back. May be null. */
struct route_news {
    void (*tell)(void *context, const char *customer, bool down);
    void *context;
};

/* What all routes share. */
struct route_common {
    unsigned open; /* connections: each takes a descriptor */
    unsigned max;
    struct peer_row *row; /* where it is counted; never null */
};

static inline void route_tally(struct route_common *common, enum control_counter counter)
{
    row_add(common->row, counter, 1);
}

struct route {
    struct route *next;
    struct route **owner; /* the list's head, for a retired route that frees itself */
    struct loop *loop;
    struct resolver *resolver; /* null: numeric addresses only */
    struct route_common *common;
    const struct route_news *news;
    bool told_down;
    char customer[TRANSACTION_CUSTOMER_BYTES];
    char hostname[CONFIG_NAME_BYTES];
    struct dialogue_settings settings;
    unsigned connections_max;
    unsigned server_count;
    struct server servers[CONFIG_SERVERS_MAX]; /* in the order they are tried */
    struct dialogue *dialogues;
    struct dialogue *closed;   /* to be freed when none of their callbacks can be running */
    unsigned connection_count; /* all of them, those saying QUIT included */
    uint64_t idle_order;
    struct transaction_list waiting;
    struct timer pump;  /* places those who wait, ends their waiting, frees what closed */
    struct timer probe; /* looks for servers that are down */
    struct route_counts counts;
    struct notice_seldom about_us;
    struct notice_seldom no_descriptor;
    bool retired;
    bool draining;
    char last_error[ROUTE_ERROR_BYTES];
};

/* Adds a route to `*list`. Null when out of memory. What is common and news are borrowed. */
struct route *route_create(struct route **list, struct loop *loop, struct resolver *resolver,
                           struct route_common *common, const struct route_news *news,
                           const struct config_customer *customer, const char *hostname);

/* It does what `customer` and `hostname` say. */
bool route_same(const struct route *route, const struct config_customer *customer,
                const char *hostname);

/* Takes `transaction`; it is answered from the loop, or before this returns when the attempt
 * cannot even start. */
void route_submit(struct route *route, struct transaction *transaction, int64_t now_ns);

/* Nobody waits for `transaction` any more (it is this route's): unless its data has been ended, it
 * is answered now and nothing is delivered. */
void route_withdraw(struct route *route, struct transaction *transaction, int64_t now_ns);

/* Takes nothing new from now on, frees itself when empty. */
void route_retire(struct route *route, int64_t now_ns);

/* Answers those who wait with 421 and lets idle connections go; transactions under way end. */
void route_drain(struct route *route, int64_t now_ns);

/* Drops all transactions of `owner` (or of anybody when null) without an answer, and the
 * connections that were busy with them. */
void route_abort(struct route *route, const struct transaction_owner *owner, int64_t now_ns);

/* Closes everything; transactions still there are freed without an answer. */
void route_free(struct route *route, int64_t now_ns);

/* Transactions on connections and waiting. */
unsigned route_in_flight(const struct route *route);

/* No server can be reached, and no connection is left. */
bool route_down(const struct route *route);

#endif
