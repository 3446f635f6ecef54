/* connection.h: a TCP connection to one server: looks its name up, tries its addresses in turn,
 * carries bytes. What they mean is for whoever opened it (dialogue.h).
 *
 * Time: `connect_timeout_ns` over looking up and all addresses, shared out among those left; after
 * that the owner sets the limit of each thing it waits for.
 * Memory: what the owner puts into the output; of what comes in, at most CONNECTION_INPUT_BYTES are
 * read before the owner takes them.
 *
 * Threads: control's loop. Memory: the struct is the owner's and must outlive the callback that
 * closes it (the owner frees it from the loop). Any call may close it.
 */
#ifndef CONTROL_RELAY_CONNECTION_H
#define CONTROL_RELAY_CONNECTION_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "control/loop/loop.h"
#include "control/resolve/resolver.h"
#include "platform/link/channel.h"

#define CONNECTION_INPUT_BYTES 65536u

enum connection_state {
    CONNECTION_RESOLVING,
    CONNECTION_CONNECTING,
    CONNECTION_OPEN,
    CONNECTION_CLOSED,
};

enum connection_fault {
    CONNECTION_FAULT_PEER, /* nobody there, closed, reset, too slow to connect */
    CONNECTION_FAULT_OURS, /* no descriptor or memory left: nothing against the server */
};

/* What the owner hears, from the loop; only lost() may come before connection_open() returns. */
struct connection_events {
    void (*connected)(void *context, int64_t now_ns);
    void (*input)(void *context, int64_t now_ns);     /* there is something to read */
    void (*drained)(void *context, int64_t now_ns);   /* less than the watermark is to be sent */
    void (*timed_out)(void *context, int64_t now_ns); /* connection_set_timeout() */
    void (*lost)(void *context, enum connection_fault fault, const char *why, int64_t now_ns);
};

struct connection {
    struct loop *loop;
    struct resolver *resolver; /* null: numeric addresses only */
    const struct connection_events *events;
    void *context;
    enum connection_state state;
    const char *host; /* borrowed */
    uint16_t port;
    struct bufferevent *stream;
    struct timer timer;
    struct resolver_lookup *lookup; /* while resolving */
    struct resolver_answer addresses;
    unsigned address; /* the one being tried */
    int64_t opened_ns;
    int64_t connect_end_ns;
    uint32_t connect_us;         /* once open */
    char name[RELAY_NAME_BYTES]; /* "host[address]:port", for log and status */
};

/* `host` is borrowed for as long as the connection. */
void connection_open(struct connection *connection, struct loop *loop, struct resolver *resolver,
                     const char *host, uint16_t port, int64_t connect_timeout_ns,
                     const struct connection_events *events, void *context, int64_t now_ns);

/* Closes without a word; what is still to be sent from here is not sent. Twice is allowed. */
void connection_close(struct connection *connection);

/* As close, and what the kernel has yet to send is not sent either: the server sees a reset. */
void connection_cut(struct connection *connection);

/* Calls timed_out() at `due_ns`, in place of the limit set before. */
void connection_set_timeout(struct connection *connection, int64_t due_ns, int64_t now_ns);

/* Only memory can fail here; the limit of what is waited for then ends it. */
void connection_send(struct connection *connection, const char *text);

/* Hands `text` to the kernel before it returns, behind what has left (the output is empty): between
 * this and what was asked just before (connection_silent()) nothing else is done. What the kernel
 * has no room for goes to the output. False, and nothing sent: the connection is gone (errno). */
bool connection_send_at_once(struct connection *connection, const char *text);

struct evbuffer *connection_output(const struct connection *connection);
struct evbuffer *connection_input(const struct connection *connection);

/* Calls drained() when fewer than `bytes` are left to be sent; 0: when none are. */
void connection_refill_below(struct connection *connection, size_t bytes);

/* Nothing has come that was not read yet, neither here nor in the kernel. */
bool connection_silent(const struct connection *connection);

/* The server's TCP has acknowledged every byte that was sent: what it says now it may say of
 * those. */
bool connection_acknowledged(const struct connection *connection);

#endif
