/* dataplane.h: control's end of the link to the dataplane: region, channels, jobs in, answers out.
 *
 * Connects to `<runtime_directory>/dataplane.sock` and keeps at it for ever (every 100 ms, slowing
 * to 1 s). Says HELLO, gets the region and one channel memory, attaches to each worker's rings,
 * says READY. When the link ends, or the dataplane breaks the protocol, every transaction is
 * dropped without an answer (whoever asked is gone), region and channels are let go, and it
 * connects again. A CHANNEL with a new epoch replaces the old memory in the same way.
 *
 * Packet cores ring no doorbells, so the job rings are polled: every DATAPLANE_POLL_BUSY_US while
 * anything is under way, slowing to DATAPLANE_POLL_IDLE_US when not.
 *
 * Limits: of each worker at most as many jobs are open as the region has message slots; more are
 * refused. An answer that finds its ring full waits for the next poll: the memory for that is
 * there before the job is taken (a job that memory cannot be had for stays in the ring, too), so no
 * answer is ever lost and no message stays with us for ever.
 *
 * Threads: control's loop. Memory: dataplane_free().
 */
#ifndef CONTROL_LINK_DATAPLANE_H
#define CONTROL_LINK_DATAPLANE_H

#include "control/link/region_hold.h"
#include "control/relay/relay.h"
#include "platform/link/link.h"

#define DATAPLANE_POLL_BUSY_US  200u
#define DATAPLANE_POLL_IDLE_US  2000u
#define DATAPLANE_JOBS_PER_POLL 64u /* of one worker, before the sockets get their turn */
#define DATAPLANE_RETRY_MIN_MS  100u
#define DATAPLANE_RETRY_MAX_MS  1000u

enum dataplane_state {
    DATAPLANE_ABSENT,  /* trying to connect */
    DATAPLANE_GREETED, /* HELLO sent */
    DATAPLANE_WELCOME, /* has the region, waits for the channel */
    DATAPLANE_LINKED,  /* READY sent, takes jobs */
};

/* Room for the answer to a job that is open; holds it when its ring is full. */
struct dataplane_answer {
    struct dataplane_answer *next;
    struct relay_result result;
};

struct dataplane_worker {
    struct channel channel;
    uint32_t open;                  /* jobs taken and not yet answered */
    struct dataplane_answer *spare; /* one for each open job */
    struct dataplane_answer *first; /* answers that wait for room */
    struct dataplane_answer *last;
};

struct dataplane {
    struct loop *loop;
    struct relay *relay;
    struct transaction_owner owner; /* ourselves, to the relay */
    char path[128];
    enum dataplane_state state;
    int socket;
    struct event *readable;
    struct timer retry;
    struct timer poll;
    unsigned retry_ms;
    unsigned poll_us;
    bool waiting_told; /* "waiting for the dataplane" was said */
    struct region_hold *hold;
    struct transaction **messages; /* by slot of the region: what is under way; else null */
    uint32_t worker_count;
    uint32_t epoch;
    uint32_t open;    /* jobs taken and not yet answered, of all workers */
    uint64_t refused; /* jobs of a kind that is not ours */
    bool has_channels;
    struct channel_memory memory;
    struct peer_row *row; /* in there: what we count */
    struct dataplane_worker workers[REGION_WORKERS_MAX];
};

/* Starts connecting at once. `relay` is borrowed. STATUS_NO_MEMORY, STATUS_BAD_ARGUMENT (path too
 * long). */
enum status dataplane_create(struct dataplane **dataplane, struct loop *loop, struct relay *relay,
                             const char *runtime_directory) STATUS_CHECKED;

/* Answers that have not yet found room in their ring. */
bool dataplane_has_answers(const struct dataplane *dataplane);

/* Ends the link; transactions under way are dropped. */
void dataplane_free(struct dataplane *dataplane);

#endif
