/* readiness.h: watches a starting appliance until it takes mail.
 *
 * Asks the status socket every READINESS_PERIOD_NS, without ever blocking, until the dataplane is
 * linked, a scanner is ready and the workers see control; then says `postern: ready` on standard
 * output, once. After READINESS_LIMIT_NS it says what is missing, once, and goes on asking at
 * READINESS_SLOW_PERIOD_NS, so that a slow start still ends in "ready".
 *
 * Threads: the supervisor's loop (readiness_turn is its watch.turn). Limits: an answer that has not
 * come within a period is given up and asked for again.
 */
#ifndef CONTROL_COMMAND_READINESS_H
#define CONTROL_COMMAND_READINESS_H

#include "control/command/status_client.h"
#include "platform/clock.h"

#define READINESS_PERIOD_NS      (200 * CLOCK_NS_PER_MS)
#define READINESS_SLOW_PERIOD_NS (5 * CLOCK_NS_PER_SECOND)
#define READINESS_LIMIT_NS       (120 * CLOCK_NS_PER_SECOND)

struct readiness {
    const char *socket; /* borrowed */
    int64_t started_ns;
    int64_t asked_ns;
    int64_t limit_ns;
    bool ready;
    bool warned;
    bool answered;                /* control has answered at least once */
    struct status_readiness seen; /* by the last answer */
    struct status_client client;
};

void readiness_init(struct readiness *readiness, const char *socket, int64_t limit_ns,
                    int64_t now_ns);
void readiness_fini(struct readiness *readiness);

/* One turn: see supervisor_watch.turn. */
int64_t readiness_turn(struct readiness *readiness, int64_t now_ns, int *fd, short *events);

/* What is missing, as one line without its end. */
void readiness_missing(const struct readiness *readiness, char *text, size_t size);

#endif
