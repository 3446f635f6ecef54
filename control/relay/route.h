/* route.h: the way to one customer's server: its connections, who waits for one, how it fares.
 *
 * A transaction takes an idle connection (the one used last, so that surplus ones grow old and
 * close), else opens a new one while fewer than `connections` are open, else waits, first come
 * first served, at most connect_timeout (then RELAY_UNREACHABLE, 451). A dead server so costs each
 * message one attempt and never holds up another route; nor does a slow one take all places for
 * messages: no more than three quarters of them wait for one route, the next is answered 451 at
 * once.
 *
 * When the configuration changes a route, the old one is retired: it takes nothing new, closes
 * what idles, and is freed when its last transaction has ended.
 *
 * Threads: control's loop. Memory: route_create() .. freed by itself once retired and empty, or
 * route_free() at the end of the process.
 */
#ifndef CONTROL_RELAY_ROUTE_H
#define CONTROL_RELAY_ROUTE_H

#include "control/relay/connection.h"
#include "platform/config/config.h"

#define ROUTE_ERROR_BYTES (RELAY_TEXT_BYTES + 16u)

/* Since the start of the process; every answered transaction is in exactly one. */
struct route_counts {
    uint64_t delivered;   /* 2xx */
    uint64_t temporary;   /* 4xx, and connections that broke off */
    uint64_t permanent;   /* 5xx */
    uint64_t unreachable; /* no connection in time */
    uint64_t refused;     /* declined by ourselves */
};

struct route {
    struct route *next;
    struct route **owner; /* the list's head, for a retired route that frees itself */
    struct event_base *base;
    struct evdns_base *dns; /* null: numeric addresses only */
    char customer[TRANSACTION_CUSTOMER_BYTES];
    char hostname[CONFIG_NAME_BYTES]; /* ours, for EHLO */
    struct config_route config;
    struct connection *connections;
    struct connection *closed; /* to be freed when none of their callbacks can be running */
    unsigned connection_count; /* all of them, those saying QUIT included */
    uint64_t idle_order;
    struct transaction_list waiting;
    struct event *pump; /* places those who wait, ends their waiting, frees what closed */
    struct route_counts counts;
    bool down; /* the last attempt failed; told once per change */
    bool retired;
    bool draining;
    char last_error[ROUTE_ERROR_BYTES];
};

/* Adds a route to `*list`. Null when out of memory. */
struct route *route_create(struct route **list, struct event_base *base, struct evdns_base *dns,
                           const struct config_customer *customer, const char *hostname);

/* Takes `transaction`; it is answered from the loop, or before this returns when the attempt
 * cannot even start. */
void route_submit(struct route *route, struct transaction *transaction);

/* Takes nothing new from now on, frees itself when empty. */
void route_retire(struct route *route);

/* Answers those who wait with 421 and lets idle connections go; transactions under way end. */
void route_drain(struct route *route);

/* Drops all transactions of `context` (or of anybody when null) without an answer, and the
 * connections that were busy with them. */
void route_abort(struct route *route, const void *context);

/* Closes everything; transactions still there are freed without an answer. */
void route_free(struct route *route);

/* Transactions on connections and waiting. */
unsigned route_in_flight(const struct route *route);

/* For connection.c and dialogue.c: */
void route_connection_new(struct route *route, struct connection *connection);
void route_connection_up(struct route *route); /* greeted and EHLO answered */
void route_connection_ready(struct route *route, struct connection *connection);
void route_connection_gone(struct route *route, struct connection *connection);

/* Counts a result; `why` is kept as last_error unless it is a delivery. */
void route_count(struct route *route, const struct relay_result *result, const char *why);

#endif
