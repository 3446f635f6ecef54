/* relay.h: from a job to its answer: finds the customer's route, keeps the routes in step with the
 * configuration, and ends in good order.
 *
 * Each submitted job gets exactly one answer, or none at all when relay_abort() says that nobody
 * is there to hear it.
 *
 * Limits: as many transactions as the dataplane has message slots; connections a route by its
 * `connections`. What has to wait waits in the route, see route.h.
 *
 * Threads: control's loop. Memory: relay_free().
 */
#ifndef CONTROL_RELAY_RELAY_H
#define CONTROL_RELAY_RELAY_H

#include "control/relay/route.h"

struct relay {
    struct event_base *base;
    struct evdns_base *dns;
    char hostname[CONFIG_NAME_BYTES];
    struct route *routes;  /* in force */
    struct route *retired; /* ending */
    bool draining;
};

/* Makes the routes of `config` (not kept). `dns` may be null (numeric addresses only) and must
 * outlive the relay. */
enum status relay_create(struct relay **relay, struct event_base *base, struct evdns_base *dns,
                         const struct config *config) STATUS_CHECKED;

/* Takes a job; `done` is called with `context` when it is answered, possibly before this returns.
 */
void relay_submit(struct relay *relay, const struct relay_job *job, uint32_t worker,
                  struct region_hold *hold, transaction_done done, void *context);

/* Drops all jobs that were submitted with `context`: closes their connections, answers nothing. */
void relay_abort(struct relay *relay, const void *context);

/* Routes that changed are replaced, their connections end with what they are doing; those that did
 * not change keep connections and counts. STATUS_NO_MEMORY leaves some routes as they were. */
enum status relay_reload(struct relay *relay, const struct config *config) STATUS_CHECKED;

/* From now on jobs are answered 421; what is under way goes on. */
void relay_drain(struct relay *relay);

/* Transactions under way or waiting, retired routes included. */
unsigned relay_in_flight(const struct relay *relay);

/* Jobs still there are not answered. */
void relay_free(struct relay *relay);

#endif
