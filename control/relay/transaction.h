/* transaction.h: one message on its way to a customer's server, from the job to the answer.
 *
 * A transaction is made from a relay job, belongs to the relay until it is given to a route, to
 * the route while it waits, to a connection while that speaks for it; it ends exactly once, by
 * transaction_answer(), which hands a result to whoever made it, or by transaction_free() when the
 * dataplane that asked is gone.
 *
 * The envelope is copied and checked once: no control byte can come between us and the server's
 * command parser, whatever the shared memory says a moment later. The verdict is checked too: what
 * is not clean, and not explicitly to be delivered unscanned, is never sent.
 *
 * Threads: control's loop. Memory: transaction_free().
 */
#ifndef CONTROL_RELAY_TRANSACTION_H
#define CONTROL_RELAY_TRANSACTION_H

#include "control/relay/source.h"
#include "platform/clock.h"
#include "platform/link/channel.h"

#define TRANSACTION_FIELDS_BYTES   1024u
#define TRANSACTION_CUSTOMER_BYTES 64u /* as struct config_customer */
/* The answer is given so long before the job's deadline: ours is the first clock to ring. */
#define TRANSACTION_MARGIN_NS (250 * CLOCK_NS_PER_MS)
/* Of the time there is when the job comes, this part is kept for the server's last answer. */
#define TRANSACTION_ANSWER_SHARE 4

/* Gets the one answer to the job `result->job` of `worker`. */
typedef void (*transaction_done)(void *context, uint32_t worker, const struct relay_result *result);

/* Who asks for transactions, and hears what became of them. Outlives them. */
struct transaction_owner {
    transaction_done done;
    void *context;
    unsigned places; /* messages it can have under way at once, over all routes */
};

struct route;
struct dialogue;

struct transaction {
    struct transaction *next; /* of the list it is in */
    struct transaction *previous;
    const struct transaction_owner *owner;
    struct transaction **place; /* where its owner keeps it, null again when it ends; or null */
    struct route *route;        /* that has it; null before */
    struct dialogue *dialogue;  /* that speaks for it; null while it waits */
    struct relay_job job;
    uint32_t worker;
    struct source *source; /* held */
    char customer[TRANSACTION_CUSTOMER_BYTES];
    char *envelope; /* the strings below */
    size_t envelope_bytes;
    const char *sender;
    unsigned recipient_count;
    unsigned recipient_room;
    const char **recipients;
    char fields[TRANSACTION_FIELDS_BYTES]; /* what is put in front, behind our Received field */
    bool retried;                          /* moved to a fresh connection once already */
    uint32_t tried;                        /* servers that were tried for it, a bit each */
    uint32_t connect_us;
    int64_t wait_end_ns; /* to have a connection by; 0: has not waited yet */
    int64_t started_ns;  /* MAIL sent */
    int64_t dot_ns;      /* its data is ended by then, or not at all */
    int64_t deadline_ns; /* the answer is there by then, or is 451 */
};

struct transaction_list {
    struct transaction *first;
    struct transaction *last;
    unsigned count;
};

/* Opens what `job` of `worker` asks for, from `source` (one holder more). STATUS_STALE,
 * STATUS_BAD_FORMAT (garbled envelope, verdict that does not allow it), STATUS_NO_MEMORY. */
enum status transaction_open(struct transaction **transaction,
                             const struct transaction_owner *owner, const struct relay_job *job,
                             uint32_t worker, struct source *source, const char *hostname,
                             int64_t now_ns) STATUS_CHECKED;

/* Bytes the server will be given, doubled dots not counted (for MAIL's SIZE). */
uint64_t transaction_size(const struct transaction *transaction);

/* True while whoever asked still wants this message sent. */
bool transaction_current(const struct transaction *transaction);

/* Fills what each result has in common; `text` is cut to fit. */
void transaction_result(struct relay_result *result, const struct relay_job *job,
                        enum relay_outcome outcome, unsigned code, const char *text);

/* The one end: hands `result` to the owner and frees the transaction. */
void transaction_answer(struct transaction *transaction, const struct relay_result *result);

/* Without an answer; it is in no list. */
void transaction_free(struct transaction *transaction);

void transaction_list_add(struct transaction_list *list, struct transaction *transaction);
/* At the head: it keeps its turn. */
void transaction_list_put_back(struct transaction_list *list, struct transaction *transaction);
void transaction_list_remove(struct transaction_list *list, struct transaction *transaction);

#endif
