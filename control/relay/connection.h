/* connection.h: one SMTP connection to a customer's server (RFC 5321, client side).
 *
 * A connection is opened for one transaction and belongs to its route; between transactions it
 * idles there for re-use. connection.c resolves, connects and keeps time; dialogue.c speaks.
 *
 * What the dialogue holds to:
 *   - An answer is true for every recipient: one refused recipient ends the transaction (RSET), the
 *     others are not served. So DATA is never pipelined with RCPT: a server that says 354 after a
 *     refusal could only be stopped by closing the connection.
 *   - Data is ended only after every byte before the end has left for the kernel and the message
 *     still is the one handed over. A worker that gave up (or died) can at worst make us close a
 *     connection in mid-data, never have other bytes accepted.
 *   - A re-used connection that fails before MAIL was answered costs nothing: nothing was sent, the
 *     transaction goes to a fresh connection, once.
 *   - A reply that is not SMTP, or comes out of turn, ends the connection.
 *
 * Time: connect_timeout over resolving and all addresses (shared out among those left); each reply
 * within command_timeout; in data, CONNECTION_DRAIN_BYTES must leave within command_timeout; the
 * final answer within data_timeout; idle_timeout between transactions.
 * Memory: at most CONNECTION_QUEUE_BYTES waits to be sent. A server that sends without being asked
 * is read up to CONNECTION_INPUT_BYTES and no further.
 *
 * Threads: control's loop. Memory: any call may end the connection it is made for; the struct then
 * stays, CONNECTION_CLOSED, until the route frees it from the loop.
 */
#ifndef CONTROL_RELAY_CONNECTION_H
#define CONTROL_RELAY_CONNECTION_H

#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/event.h>

#include "control/relay/content.h"
#include "control/relay/reply.h"
#include "control/relay/transaction.h"

#define CONNECTION_QUEUE_BYTES   262144u
#define CONNECTION_DRAIN_BYTES   65536u /* refill when less than this is queued */
#define CONNECTION_INPUT_BYTES   65536u
#define CONNECTION_COMMANDS_MAX  100u   /* pipelined and not yet answered */
#define CONNECTION_COMMAND_BYTES 16384u /* of commands queued */
#define CONNECTION_MESSAGES_MAX  100u   /* a connection; then QUIT */
#define CONNECTION_ADDRESSES_MAX 16u    /* of one name, tried in order */

struct route;
struct connection_lookup;

enum connection_state {
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_GREETING,
    CONNECTION_EHLO,
    CONNECTION_HELO,
    CONNECTION_IDLE,
    CONNECTION_ENVELOPE, /* MAIL and RCPTs under way */
    CONNECTION_DATA,     /* DATA sent */
    CONNECTION_BODY,     /* sending the message */
    CONNECTION_ANSWER,   /* end of data sent */
    CONNECTION_RESET,    /* RSET sent */
    CONNECTION_QUITTING, /* QUIT sent */
    CONNECTION_CLOSED,   /* to be freed by the route */
};

/* Where MAIL and the RCPTs stand. Command 0 is MAIL, n is RCPT of recipient n - 1. */
struct connection_envelope {
    unsigned total; /* commands to send; lowered to `sent` when more make no sense */
    unsigned sent;
    unsigned answered;
    unsigned refused_code; /* worst refusal so far; 0: none */
    unsigned refused_command;
    char refused_text[RELAY_TEXT_BYTES];
};

struct connection {
    struct connection *next; /* of the route's list */
    struct connection *previous;
    struct route *route;
    enum connection_state state;
    struct bufferevent *stream;
    struct event *timer;
    struct connection_lookup *lookup;  /* while resolving */
    struct evutil_addrinfo *addresses; /* owned; while connecting */
    struct evutil_addrinfo *address;   /* the one being tried */
    int64_t opened_ns;
    int64_t connect_deadline_ns;
    uint32_t connect_us;
    uint64_t idle_order; /* the larger, the later it went idle */
    char name[RELAY_NAME_BYTES];
    struct reply reply;
    struct reply_offers offers;
    unsigned messages; /* transactions begun on it */
    struct transaction *transaction;
    struct connection_envelope envelope;
    struct content content;
};

/* Opens a connection that will speak for `transaction` first (ownership taken). Null when out of
 * memory, `transaction` then stays the caller's. May fail (and answer) before it returns. */
struct connection *connection_open(struct route *route, struct transaction *transaction);

/* CONNECTION_IDLE: begins the next transaction (ownership taken). */
void connection_begin(struct connection *connection, struct transaction *transaction);

/* CONNECTION_IDLE: arms the idle time-out; the route decides when this is called. */
void connection_rest(struct connection *connection);

/* Says QUIT and closes when it is answered, or shortly after. */
void connection_quit(struct connection *connection);

/* Closes at once; its transaction, if any, is freed without an answer. */
void connection_abort(struct connection *connection);

/* For dialogue.c: */

/* The phase's time limit, from now. */
void connection_set_timeout(struct connection *connection, int64_t timeout_ns);

/* Ends transaction and connection: `why` for the log and status, without code. Goes to a fresh
 * connection instead where nothing has been said yet on a re-used one. */
void connection_fail(struct connection *connection, enum relay_outcome outcome, const char *why);

/* Answers the transaction with the server's own word. The connection stays as it is. */
void connection_answer(struct connection *connection, unsigned code, const char *text);

/* Closes without a word; no transaction may be left. */
void connection_close(struct connection *connection);

/* dialogue.c, called by connection.c: */
void dialogue_connected(struct connection *connection);
void dialogue_begin(struct connection *connection);
void dialogue_input(struct connection *connection);
void dialogue_drained(struct connection *connection);

#endif
