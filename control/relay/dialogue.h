/* dialogue.h: one SMTP session with a customer's server (RFC 5321, client side).
 *
 * A dialogue is opened for one transaction, or for none, to see whether the server is there; it
 * belongs to its route; between transactions it idles there for re-use. What it holds to:
 *   - An answer is true for every recipient: one refused recipient ends the transaction (RSET), the
 *     others are not served. So DATA is never pipelined with RCPT: a server that says 354 after a
 *     refusal could only be stopped by closing the connection.
 *   - Data is ended only after every byte before the end has left for the kernel, the message still
 *     is the one handed over, and there is time left for an answer. A worker that gave up (or died)
 *     can at worst make us close a connection in mid-data, never have other bytes accepted.
 *   - A reply to the end of data is believed only where it can be about it (belief.h). After any
 *     doubt the connection is cut, so that nothing that is left over answers for the next message.
 *   - A re-used connection that fails before MAIL was answered costs nothing: nothing was sent, the
 *     transaction goes to a fresh connection, once. So it does where MAIL is refused, or DATA gets
 *     what is no answer to it, while the last answer to an end of data may not have been the only
 *     one.
 *   - A reply that is not SMTP, or comes out of turn, ends the connection.
 *
 * Time: each reply within command_timeout; in data, DIALOGUE_DRAIN_BYTES must leave within
 * command_timeout; the final answer within data_timeout; idle_timeout between transactions; and
 * over all, the transaction's own times: past dot_ns the data is not ended any more and the
 * connection goes, past deadline_ns nobody waits for the answer.
 * Memory: at most DIALOGUE_QUEUE_BYTES wait to be sent.
 *
 * Threads: control's loop. Memory: any call may end the dialogue it is made for; the struct then
 * stays, DIALOGUE_CLOSED, until its owner frees it from the loop.
 */
#ifndef CONTROL_RELAY_DIALOGUE_H
#define CONTROL_RELAY_DIALOGUE_H

#include "control/relay/connection.h"
#include "control/relay/envelope.h"
#include "control/relay/outgoing.h"
#include "control/relay/reply.h"
#include "control/relay/transaction.h"

#define DIALOGUE_QUEUE_BYTES 262144u
#define DIALOGUE_DRAIN_BYTES 65536u /* refill when less than this is queued */

enum dialogue_state {
    DIALOGUE_CONNECTING,
    DIALOGUE_GREETING,
    DIALOGUE_EHLO,
    DIALOGUE_HELO,
    DIALOGUE_IDLE,
    DIALOGUE_ENVELOPE, /* MAIL and RCPTs under way */
    DIALOGUE_DATA,     /* DATA sent */
    DIALOGUE_BODY,     /* sending the message */
    DIALOGUE_ANSWER,   /* end of data sent */
    DIALOGUE_RESET,    /* RSET sent */
    DIALOGUE_QUITTING, /* QUIT sent */
    DIALOGUE_CLOSED,   /* to be freed by the owner */
};

/* How it is to be done. Outlives the dialogue. */
struct dialogue_settings {
    const char *hostname; /* ours, for EHLO */
    int64_t connect_timeout_ns;
    int64_t command_timeout_ns;
    int64_t data_timeout_ns;
    int64_t idle_timeout_ns;
};

struct dialogue;

/* How a transaction ended. */
struct dialogue_end {
    struct relay_result result;
    const char *why; /* for people: the server's words, or ours */
    bool unsaid;     /* the server has heard nothing of the message: another may be tried */
    bool in_doubt;   /* the end of data was sent: the server may have taken it */
    bool about_us;   /* the server wants something of us (reply_about_us()) */
};

/* What the owner hears; `context` is the dialogue's. A transaction is given back by ended(), which
 * comes after the connection is closed where it fails. */
struct dialogue_events {
    void (*welcomed)(void *context, struct dialogue *dialogue, int64_t now_ns); /* EHLO answered */
    void (*ready)(void *context, struct dialogue *dialogue, int64_t now_ns);    /* now idle */
    void (*closed)(void *context, struct dialogue *dialogue, int64_t now_ns);   /* once */
    void (*ended)(void *context, struct dialogue *dialogue, struct transaction *transaction,
                  const struct dialogue_end *end, int64_t now_ns);
    /* One without a transaction never got past EHLO; by its fault, or for want of ours. */
    void (*unwelcome)(void *context, struct dialogue *dialogue, bool by_server, const char *why,
                      int64_t now_ns);
};

struct dialogue {
    struct dialogue *next; /* of the owner's list */
    struct dialogue *previous;
    const struct dialogue_events *events;
    void *context;
    const struct dialogue_settings *settings;
    enum dialogue_state state;
    struct connection connection;
    unsigned server;     /* which of the owner's */
    bool trial;          /* the attempt a server that is down gets (server.h) */
    uint64_t idle_order; /* the larger, the later it went idle */
    unsigned messages;   /* transactions begun on it */
    bool greeted;        /* by the server; its owner's */
    bool rested;         /* has been idle: may have gone meanwhile */
    bool unsettled; /* an end of data was answered on it, and DATA by 354 not since (belief.h) */
    bool misled;    /* ... and it failed by a reply that may be one more such answer */
    struct reply reply;
    struct reply_offers offers;
    struct transaction *transaction; /* null: idle, or only looking */
    struct envelope envelope;
    struct outgoing outgoing;
};

/* Opens one that will speak for `transaction` first (ownership taken; null: looks whether the
 * server is there, and idles). The caller has zeroed it, set events, context and settings, and put
 * it in its list: it may fail, and say so, before this returns. */
void dialogue_open(struct dialogue *dialogue, struct loop *loop, struct resolver *resolver,
                   const char *host, uint16_t port, struct transaction *transaction,
                   int64_t now_ns);

/* DIALOGUE_IDLE: begins the next transaction (ownership taken). */
void dialogue_begin(struct dialogue *dialogue, struct transaction *transaction, int64_t now_ns);

/* DIALOGUE_IDLE: arms the idle time-out; the owner decides when this is called. */
void dialogue_rest(struct dialogue *dialogue, int64_t now_ns);

/* DIALOGUE_IDLE: says QUIT and closes when it is answered, or shortly after. */
void dialogue_quit(struct dialogue *dialogue, int64_t now_ns);

/* Closes without a word; no transaction may be left. Twice is allowed. */
void dialogue_close(struct dialogue *dialogue, int64_t now_ns);

/* Closes at once; its transaction, if any, is freed without an answer. */
void dialogue_abort(struct dialogue *dialogue, int64_t now_ns);

/* Whoever wanted its message sent wants it no more: before the end of data the connection goes, and
 * nothing is delivered; after it the answer is waited for. */
void dialogue_withdraw(struct dialogue *dialogue, int64_t now_ns);

/* Greeted, and neither quitting nor closed. */
static inline bool dialogue_live(const struct dialogue *dialogue)
{
    return dialogue->state >= DIALOGUE_IDLE && dialogue->state <= DIALOGUE_RESET;
}

#endif
