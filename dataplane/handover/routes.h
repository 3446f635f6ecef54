/* routes.h: customers whose servers are all away, as control says: nothing is received for them in
 * vain, RCPT is answered 451 4.4.1.
 *
 * A set of names (by hash) that control adds to and takes from; what it does not know of, for want
 * of room or of news, is received and answered by control itself. When control goes, its word goes
 * with it.
 *
 * Threads: the owning worker. Hot path: a look at RCPT, over ROUTES_DOWN_MAX words at most, and
 * over none when all is well. No memory of its own.
 */
#ifndef DATAPLANE_HANDOVER_ROUTES_H
#define DATAPLANE_HANDOVER_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#define ROUTES_DOWN_MAX 256u /* more at once are received for as if they were up */

struct routes {
    uint32_t count;
    uint64_t down[ROUTES_DOWN_MAX]; /* hashes of customers' names */
};

/* Zeroed, all are up. */
void routes_clear(struct routes *routes);
void routes_set(struct routes *routes, const char *customer, bool down);
bool routes_down(const struct routes *routes, const char *customer);

#endif
