/* session.h: the SMTP server side (RFC 5321) of one connection.
 *
 * EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT, with PIPELINING (2920), SIZE (1870), 8BITMIME
 * (6152), ENHANCEDSTATUSCODES (2034, 3463) and LIMITS (9422: RCPTMAX, RCPTDOMAINMAX=1). Only CRLF
 * ends a line (an LF alone in place of a command is answered 500), only CRLF.CRLF ends data; a bare
 * CR or LF in data is refused (550 5.5.2), so nothing can be smuggled. Message bytes stay where TCP
 * placed them: dots are un-stuffed in place and the pieces appended to the message as extents.
 *
 * The session speaks; it does not decide. After end of data the message goes to
 * smtp_service.submit(), and what comes of it arrives at smtp_finish() at some later time, or never
 * if the sender went away first.
 *
 * Threads: the owning worker. Memory: struct smtp_session lives beside its connection
 * (stream_session()); messages belong to the worker's store. Hot path: no heap, no system call.
 *
 * Limits and what happens (config key, reply): command line SMTP_COMMAND_BYTES (500 5.5.2), a
 * partial line held at most limits.command_timeout (421 4.4.2), limits.recipients (452 4.5.3),
 * limits.message_size (552 5.3.4), limits.bad_commands (421 4.7.0),
 * limits.invalid_recipients_per_hour (421 4.7.0), limits.received_fields (554 5.4.6),
 * limits.data_timeout (421 4.4.2), no slot or block (452 4.3.1).
 */
#ifndef DATAPLANE_SMTP_SESSION_H
#define DATAPLANE_SMTP_SESSION_H

#include "dataplane/message/store.h"
#include "dataplane/smtp/customers.h"
#include "dataplane/stream/stream.h"
#include "platform/link/channel.h"

#define SMTP_COMMAND_BYTES 1024u /* with CRLF; RFC 5321 asks for 512, extensions add to it */
#define SMTP_RESULT_BYTES  6144u /* longest reply to a message, all its lines */

struct smtp_service {
    void *context;
    /* More bytes of a message are there; it stays the session's. May be null. */
    void (*arrived)(void *context, struct message *message, int64_t now_ns);
    /* Takes a complete message (ownership moves). The answer comes by smtp_finish() for
     * message->owner, never from within this call. */
    void (*submit)(void *context, struct message *message, int64_t now_ns);
    /* The session of a submitted message ended: nobody waits for an answer any more. */
    void (*abandon)(void *context, struct message *message, int64_t now_ns);
    /* A message that ends without having been submitted: counts and logs it, gives it back to the
     * store. `status` is the reply that was (or would have been) given. */
    void (*conclude)(void *context, struct message *message, enum mail_outcome outcome,
                     const char *status, int64_t now_ns);
    /* A command was refused before there was a message (or a recipient of one was): one NOQUEUE
     * line. `command` is "RCPT", "MAIL", "DATA", "CONNECT" or "UNKNOWN"; texts are borrowed for the
     * call. */
    void (*rejected)(void *context, const char *command, const char *client, const char *helo,
                     const char *sender, const char *recipient, const char *reply, int64_t now_ns);
    /* The customer's servers are away: what came for it now would come in vain. May be null. */
    bool (*route_down)(void *context, const struct smtp_customer *customer);
    /* Wall-clock seconds since 1970, as of now_ns: for the date in Received. */
    int64_t (*wall_seconds)(void *context, int64_t now_ns);
};

/* The last changes of state of any session of a worker, for who looks at a core or a test's end. */
#define SMTP_TRACE_MOVES 256u
struct smtp_trace {
    int64_t now_ns;
    struct connection_handle connection;
    uint8_t from; /* enum smtp_state (state.h) */
    uint8_t to;
};

/* One a worker. */
struct smtp_server {
    struct store *store;
    struct tcp_endpoint *endpoint;
    struct region_counters *counters;
    const struct smtp_customers
        *customers; /* in force; replaced by the worker at a burst boundary */
    struct smtp_service service;
    uint32_t worker;
    uint64_t message_bytes; /* no message can be longer: the store's part for large ones */
    uint64_t window_bytes;  /* TCP's, as it was at the start */
    uint64_t sequence;      /* for message ids */
    uint32_t shed_cursor;   /* where the search for a slow sender goes on */
    bool draining;          /* new transactions are answered 421 4.3.2 */
    char id_prefix[9];      /* smtp_server_identify() */
    uint64_t moves; /* of all sessions; the latest is trace[(moves - 1) % SMTP_TRACE_MOVES] */
    struct smtp_trace trace[SMTP_TRACE_MOVES];
};

/* What is wrong with a message that is MAIL_MALFORMED. */
enum smtp_fault {
    SMTP_FAULT_NONE,
    SMTP_FAULT_BARE, /* a CR or LF that is no line end */
    SMTP_FAULT_NUL,
    SMTP_FAULT_LOOP, /* too many Received fields */
};

struct smtp_session; /* dataplane/smtp/state.h */

/* Before the first connection: message ids begin with `random`, of the kernel's, so that they do
 * not repeat after a restart, however soon. */
void smtp_server_identify(struct smtp_server *server, uint32_t random);

/* Fills `application` with the callbacks that speak SMTP for `server`, of one listener. */
void smtp_server_application(struct smtp_server *server, struct stream_application *application);

/* The worker has an outcome for a message whose sender still waits: says `reply` (whole lines, each
 * with its CRLF, `length` <= SMTP_RESULT_BYTES) and goes on. The message stays the caller's.
 * `stream` comes from stream_find(message->owner). Commands that were pipelined behind the message
 * are handled before it returns, so submit(), conclude() and rejected() may be called for a later
 * message from within.
 */
void smtp_finish(struct smtp_server *server, struct stream *stream, const struct message *message,
                 const char *reply, size_t length, int64_t now_ns);

/* Shutting down: from now on new connections and transactions are answered 421 4.3.2, and sessions
 * between two messages are told so and closed. Called again and again until all are gone: a session
 * that finishes its message is closed by the next call. Walks all connections. */
void smtp_server_drain(struct smtp_server *server, int64_t now_ns);

/* Code and words, without CRLF, where the session or we ourselves end a message with `outcome`;
 * `fault`: what makes it MAIL_MALFORMED. */
const char *smtp_refusal_text(enum mail_outcome outcome, enum smtp_fault fault);

#endif
