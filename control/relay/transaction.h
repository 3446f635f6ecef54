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

#include "control/link/region_hold.h"
#include "platform/link/channel.h"
#include "platform/link/message_view.h"

#define TRANSACTION_FIELDS_BYTES   1024u
#define TRANSACTION_CUSTOMER_BYTES 64u /* as struct config_customer */

/* Gets the one answer to the job `result->job` of `worker`. */
typedef void (*transaction_done)(void *context, uint32_t worker, const struct relay_result *result);

struct transaction {
    struct transaction *next; /* of the list it is in */
    struct transaction *previous;
    struct relay_job job;
    transaction_done done;
    void *context;
    uint32_t worker;
    struct region_hold *hold;
    struct message_view view;
    char customer[TRANSACTION_CUSTOMER_BYTES];
    char *envelope; /* the strings below */
    size_t envelope_bytes;
    const char *sender;
    unsigned recipient_count;
    unsigned recipient_room;
    const char **recipients;
    char fields[TRANSACTION_FIELDS_BYTES]; /* the X-Virus fields */
    bool retried;                          /* moved to a fresh connection once already */
    uint32_t connect_us;
    int64_t deadline_ns; /* while it waits for a connection */
    int64_t started_ns;  /* MAIL sent */
};

struct transaction_list {
    struct transaction *first;
    struct transaction *last;
    unsigned count;
};

/* Opens the message `job` names. Holds `hold`. STATUS_STALE, STATUS_BAD_FORMAT (garbled envelope,
 * verdict that does not allow it), STATUS_NO_MEMORY. */
enum status transaction_open(struct transaction **transaction, const struct relay_job *job,
                             uint32_t worker, struct region_hold *hold,
                             const char *hostname) STATUS_CHECKED;

/* Bytes the server will be given, doubled dots not counted (for MAIL's SIZE). */
uint64_t transaction_size(const struct transaction *transaction);

/* True while the worker still wants this message sent. */
bool transaction_current(const struct transaction *transaction);

/* Fills what each result has in common; `text` is cut to fit. */
void transaction_result(struct relay_result *result, const struct relay_job *job,
                        enum relay_outcome outcome, unsigned code, const char *text);

/* The one end: hands `result` to the owner and frees the transaction. */
void transaction_answer(struct transaction *transaction, const struct relay_result *result);

void transaction_free(struct transaction *transaction);

void transaction_list_add(struct transaction_list *list, struct transaction *transaction);
void transaction_list_remove(struct transaction_list *list, struct transaction *transaction);

#endif
