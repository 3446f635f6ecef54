/* relay.h: from a job to its answer: finds the customer's route, keeps the routes in step with the
 * configuration, and ends in good order.
 *
 * Each submitted job gets exactly one answer, or none at all when relay_abort() says that nobody
 * is there to hear it.
 *
 * Limits: as many transactions as their owner has places; connections a route by its `connections`,
 * and over all routes by the descriptors this process may have. What has to wait waits in the
 * route, see route.h.
 *
 * Threads: control's loop. Memory: relay_free().
 */
#ifndef CONTROL_RELAY_RELAY_H
#define CONTROL_RELAY_RELAY_H

#include "control/relay/route.h"

struct relay {
    struct peer_row unseen; /* counted while there is nobody to show it to */
    struct loop *loop;
    struct resolver *resolver;
    char hostname[CONFIG_NAME_BYTES];
    struct route *routes;     /* in force */
    struct names by_customer; /* of those; values are places in `numbered` */
    struct route **numbered;
    struct route *retired; /* ending */
    struct route_common common;
    struct route_news news;
    bool draining;
};

/* Makes the routes of `config` (not kept). `resolver` may be null (numeric addresses only); it and
 * the loop must outlive the relay. At most `connections_max` are open at once. */
enum status relay_create(struct relay **relay, struct loop *loop, struct resolver *resolver,
                         const struct config *config, unsigned connections_max) STATUS_CHECKED;

/* From now on `tell` hears when all servers of a customer have gone or are back, first of those
 * that are away now. Null: nobody does. */
void relay_hear(struct relay *relay, void (*tell)(void *context, const char *customer, bool down),
                void *context);

/* From now on is counted in `row`, where the connections there are count as begun; null: nobody
 * sees it. */
void relay_count(struct relay *relay, struct peer_row *row);

/* Takes a job of `owner`, with the message in `source` (one holder more); the owner's done() is
 * called when it is answered, possibly before this returns. While it lasts, *place names it (for
 * relay_withdraw()); `place` may be null. */
void relay_submit(struct relay *relay, const struct transaction_owner *owner,
                  const struct relay_job *job, uint32_t worker, struct source *source,
                  struct transaction **place, int64_t now_ns);

/* Answers a job that never got so far. */
void relay_refuse(const struct transaction_owner *owner, const struct relay_job *job,
                  uint32_t worker, unsigned code, const char *text);

/* Its owner wants it no more. Unless its data has been ended it is answered now, and nothing is
 * delivered; otherwise the answer comes when the server gives it. */
void relay_withdraw(struct transaction *transaction, int64_t now_ns);

/* Drops all jobs of `owner`: closes their connections, answers nothing. */
void relay_abort(struct relay *relay, const struct transaction_owner *owner, int64_t now_ns);

/* Routes that changed are replaced, their connections end with what they are doing; those that did
 * not change keep connections and counts. STATUS_NO_MEMORY leaves some routes as they were. */
enum status relay_reload(struct relay *relay, const struct config *config,
                         int64_t now_ns) STATUS_CHECKED;

/* From now on jobs are answered 421; what is under way goes on. */
void relay_drain(struct relay *relay, int64_t now_ns);

/* Transactions under way or waiting, retired routes included. */
unsigned relay_in_flight(const struct relay *relay);

/* Jobs still there are not answered. */
void relay_free(struct relay *relay, int64_t now_ns);

#endif
