/* tcp.h: a TCP endpoint that only ever accepts (RFC 9293), receives much and sends little.
 *
 * One struct tcp_endpoint a worker, share-nothing. It is given packets and the time and calls its
 * application (SMTP) back; it reads no clock, takes no lock, makes no system call and knows no
 * DPDK, so the same object runs in the worker, the simulator and the fuzzers.
 *
 * Reassembly is by direct placement: payload is copied once, from the packet to its place in a
 * message block by sequence number; no packet is kept beyond the call that brought it. Bytes that
 * were placed are never overwritten (first wins). While commands are spoken the window is a small
 * promise against the shared pool (an in-window segment for which no block is left is dropped and
 * counted); in DATA every advertised byte is backed by a reserved block. The window is never
 * retracted.
 *
 * What it does and refuses RFC by RFC: docs/tcp-profile.md.
 *
 * Limits: connections (limits.connections), half-open connections kept (beyond them SYN cookies),
 * out-of-order intervals
 * (TCP_INTERVALS_MAX a connection; beyond it the segment is dropped and counted), unsent and
 * unacknowledged reply bytes (TCP_SEND_BYTES a connection; tcp_send() refuses beyond).
 */
#ifndef DATAPLANE_TCP_TCP_H
#define DATAPLANE_TCP_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/message/store.h"
#include "dataplane/net/packet.h"

#define TCP_SEND_BYTES    MESSAGE_BLOCK_BYTES
#define TCP_SEND_LINE     512u /* bytes: see tcp_send() */
#define TCP_INTERVALS_MAX 8u
#define TCP_WINDOW_MAX    262144u /* bytes */

struct tcp_connection; /* opaque to the application; dataplane/tcp/connection.h */
struct tcp_endpoint;

enum tcp_close_reason {
    TCP_CLOSED_NORMAL,  /* both directions finished */
    TCP_CLOSED_RESET,   /* the peer sent RST */
    TCP_CLOSED_TIMEOUT, /* the peer stopped acknowledging (R2) */
    TCP_CLOSED_ABORTED, /* tcp_abort() */
    TCP_CLOSED_EVICTED, /* silent for long, and its place was needed */
};

/* The application's callbacks, all on the worker's thread, none re-entered for one connection.
 * Each may call any tcp_*() function below on that connection. */
struct tcp_application {
    void *context;
    size_t session_bytes; /* room kept beside each connection for tcp_session() */
    /* The handshake is complete. tcp_session() is zeroed. */
    void (*opened)(void *context, struct tcp_connection *connection, int64_t now_ns);
    /* tcp_peek() has more than before. */
    void (*readable)(void *context, struct tcp_connection *connection, int64_t now_ns);
    /* tcp_send_space() grew after a tcp_send() had been refused. */
    void (*writable)(void *context, struct tcp_connection *connection, int64_t now_ns);
    /* The peer will send nothing after what tcp_peek() shows. */
    void (*finished)(void *context, struct tcp_connection *connection, int64_t now_ns);
    /* The deadline of tcp_set_deadline() has passed (and is now unset). */
    void (*expired)(void *context, struct tcp_connection *connection, int64_t now_ns);
    /* The last call for this connection; it no longer exists afterwards. */
    void (*closed)(void *context, struct tcp_connection *connection, enum tcp_close_reason reason,
                   int64_t now_ns);
};

/* Where connections are accepted, and for whom. The application's context carries what is
 * particular to this listener, so one application may stand at several with unlike
 * contexts. */
struct tcp_listener {
    uint8_t address[16];                       /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;                             /* host order */
    const struct tcp_application *application; /* borrowed; outlives the endpoint */
};

/* Fixed when the endpoint is made. A SYN is looked up here, one by one: three addresses (IPv4,
 * IPv6, link-local) for each of eight ports, and room for a second service. */
#define TCP_LISTENERS_MAX 32u

struct tcp_listeners {
    struct tcp_listener at[TCP_LISTENERS_MAX];
    uint32_t count;
};

/* Accepts connections to `address` (as in struct tcp_listener) and `port` for `application`. What
 * is there already is no error; STATUS_BAD_ARGUMENT when it is there for another application,
 * STATUS_NO_SPACE past TCP_LISTENERS_MAX. */
enum status tcp_listeners_add(struct tcp_listeners *listeners, const uint8_t address[16],
                              uint16_t port,
                              const struct tcp_application *application) STATUS_CHECKED;

/* The same for every address of an interface. */
struct ip_interface;
enum status tcp_listeners_add_interface(struct tcp_listeners *listeners,
                                        const struct ip_interface *interface, uint16_t port,
                                        const struct tcp_application *application) STATUS_CHECKED;

/* The application that `connection` was accepted for. */
const struct tcp_application *tcp_application_of(const struct tcp_connection *connection);

/* The session memory that belongs to `connection`; never null. */
void *tcp_session(struct tcp_connection *connection);

/* A handle that tells a connection from a later one in the same place. */
struct connection_handle tcp_handle(const struct tcp_connection *connection);

/* The connection `handle` names, or null when it has gone. */
struct tcp_connection *tcp_find(struct tcp_endpoint *endpoint, struct connection_handle handle);

/* Who is at the other end: "192.0.2.1" or "2001:db8::1", zero-terminated. */
void tcp_peer_text(const struct tcp_connection *connection, char text[46]);

/* The same as a number: an IPv4 address, or the first 64 bits of an IPv6 address, as clients are
 * counted (dataplane/tcp/clients.h). */
uint64_t tcp_peer_prefix(const struct tcp_connection *connection);

/* The application's peer did something wrong: counted for its address, which may do so `an_hour`
 * times (0: any number of times), and for the addresses around it (dataplane/tcp/clients.h), over
 * all its connections to this worker. False when that was one too many. */
bool tcp_peer_fault(struct tcp_connection *connection, uint32_t an_hour, int64_t now_ns);

/* Would the next one of its address be one too many? */
bool tcp_peer_faulty(const struct tcp_connection *connection, uint32_t an_hour, int64_t now_ns);

/* Unconsumed in-order bytes. */
uint32_t tcp_readable(const struct tcp_connection *connection);

/* Blocks that hold received bytes, or are reserved for them. */
uint32_t tcp_held(const struct tcp_connection *connection);

/* The contiguous piece that starts `skip` bytes after the first unconsumed byte, borrowed until
 * tcp_consume(). False when there are no more than `skip` bytes. */
bool tcp_peek(struct tcp_connection *connection, uint32_t skip, struct block_span *span);

/* Drops the first `length` unconsumed bytes (<= tcp_readable()) and gives back the blocks that
 * nothing else holds; opens the window. */
void tcp_consume(struct tcp_connection *connection, uint32_t length);

/* What the peer is about to send. TCP_EXPECT_DATA reserves blocks for the whole window: false when
 * not even two could be had (then the mode is unchanged). TCP_EXPECT_COMMANDS always succeeds.
 * TCP_EXPECT_NOTHING stops opening the window (back-pressure) but keeps what was promised and,
 * after DATA, its blocks. */
enum tcp_expect { TCP_EXPECT_COMMANDS, TCP_EXPECT_DATA, TCP_EXPECT_NOTHING };
bool tcp_expect(struct tcp_connection *connection, enum tcp_expect expect);

/* Free room for replies, in bytes. */
uint32_t tcp_send_space(const struct tcp_connection *connection);

/* Queues a whole reply (never part of it): STATUS_NO_SPACE when it does not fit now (`writable`
 * follows), STATUS_CLOSED after tcp_close(). Copies the bytes. They leave with the next output. One
 * of no bytes makes sure that a next one of TCP_SEND_LINE finds room. What is queued lies in a
 * piece of a block as long as it fits one (dataplane/message/piece.h), else in a block. */
enum status tcp_send(struct tcp_connection *connection, const void *bytes,
                     size_t length) STATUS_CHECKED;

/* Sends FIN after everything queued; received bytes are ignored from now on (tcp_readable() is 0,
 * tcp_consume() does nothing). `closed` follows. */
void tcp_close(struct tcp_connection *connection);

/* Sends RST; `closed` is called before the next packet is looked at. */
void tcp_abort(struct tcp_connection *connection);

/* Calls `visit` for every connection the application knows. Walks the whole table: not for the hot
 * path. */
void tcp_each(struct tcp_endpoint *endpoint,
              void (*visit)(void *context, struct tcp_connection *connection, int64_t now_ns),
              void *context, int64_t now_ns);

/* Asks for one `expired` call at or soon after `deadline_ns`; 0 unsets. */
void tcp_set_deadline(struct tcp_connection *connection, int64_t deadline_ns);

#endif
