/* stream.h: one connection as an application (SMTP) sees it, whatever carries its bytes.
 *
 * The verbs are those of dataplane/tcp/tcp.h. Plain TCP is the kind of stream without a kind: its
 * verbs are called directly, so that it costs one comparison each and copies nothing. Another kind
 * (TLS) stands between TCP and the application: it hears what TCP tells, keeps bytes of its own in
 * blocks of the same store, and tells the application what concerns it. An application cannot tell
 * the kinds apart.
 *
 * Where streams come in is a struct tcp_listener; what is accepted there, and for which
 * application, a struct stream_listener. An application's context carries what is particular to its
 * listener (for SMTP: the server), so one application may listen in several places
 * with unlike contexts, and several applications at one endpoint.
 *
 * Threads: the worker's. Hot path, but for stream_listener_init() and stream_each(). Memory: struct
 * stream, the application's session and the kind's state lie beside the connection (tcp_session()),
 * zeroed when it opens; nothing is allocated. A kind gives back what its state holds in `closed`.
 */
#ifndef DATAPLANE_STREAM_STREAM_H
#define DATAPLANE_STREAM_STREAM_H

#include "dataplane/tcp/tcp.h"

/* An empty queue takes at least so many bytes of one stream_send(), of every kind. */
#define STREAM_SEND_BYTES 8192u
_Static_assert(STREAM_SEND_BYTES <= TCP_SEND_BYTES, "plain TCP keeps the promise");

struct stream_kind;

struct stream {
    const struct stream_kind *kind; /* null: plain TCP */
    struct tcp_connection *connection;
};

/* What the peer is about to send: see enum tcp_expect. */
enum stream_expect { STREAM_EXPECT_COMMANDS, STREAM_EXPECT_DATA, STREAM_EXPECT_NOTHING };
_Static_assert((int)STREAM_EXPECT_COMMANDS == (int)TCP_EXPECT_COMMANDS &&
                   (int)STREAM_EXPECT_DATA == (int)TCP_EXPECT_DATA &&
                   (int)STREAM_EXPECT_NOTHING == (int)TCP_EXPECT_NOTHING,
               "passed through as they are");

/* The application's callbacks, all on the worker's thread, none re-entered for one stream. Each may
 * call any stream_*() verb on that stream. */
struct stream_application {
    void *context;
    size_t session_bytes; /* room for stream_session() */
    /* The application may speak: for TLS, after its handshake. */
    void (*opened)(void *context, struct stream *stream, int64_t now_ns);
    /* stream_peek() has more than before. */
    void (*readable)(void *context, struct stream *stream, int64_t now_ns);
    /* stream_send_space() grew after a stream_send() had been refused. */
    void (*writable)(void *context, struct stream *stream, int64_t now_ns);
    /* The peer will send nothing after what stream_peek() shows. */
    void (*finished)(void *context, struct stream *stream, int64_t now_ns);
    /* The deadline of stream_set_deadline() has passed (and is now unset). */
    void (*expired)(void *context, struct stream *stream, int64_t now_ns);
    /* The last call for this stream. Only for one that was opened. */
    void (*closed)(void *context, struct stream *stream, int64_t now_ns);
};

/* Where streams of one kind are accepted for one application. Init before use; outlives the
 * endpoint. */
struct stream_listener {
    const struct stream_kind *kind; /* null: plain TCP */
    struct stream_application application;
    struct tcp_application below; /* for struct tcp_listener; by stream_listener_init() */
};

/* A kind of stream. The first six are called as TCP calls a struct tcp_application, and pass on to
 * the application (stream_application_of()) what concerns it; the others are the verbs. */
struct stream_kind {
    size_t state_bytes; /* room for stream_state() */
    void (*opened)(struct stream *stream, int64_t now_ns);
    void (*arrived)(struct stream *stream, int64_t now_ns);
    void (*drained)(struct stream *stream, int64_t now_ns);
    void (*finished)(struct stream *stream, int64_t now_ns);
    void (*expired)(struct stream *stream, int64_t now_ns);
    void (*closed)(struct stream *stream, int64_t now_ns);
    bool (*known)(const struct stream *stream); /* the application has been told of it */
    uint32_t (*readable)(const struct stream *stream);
    bool (*peek)(struct stream *stream, uint32_t skip, struct block_span *span);
    void (*consume)(struct stream *stream, uint32_t length);
    bool (*expect)(struct stream *stream, enum stream_expect expect);
    uint32_t (*send_space)(const struct stream *stream);
    enum status (*send)(struct stream *stream, const void *bytes, size_t length);
    void (*close)(struct stream *stream);
};

/* Fills in `below` from `kind` and `application`. */
void stream_listener_init(struct stream_listener *listener);

/* For kinds: whom to tell, and the kind's own state, 16-byte aligned. */
const struct stream_application *stream_application_of(const struct stream *stream);
void *stream_state(struct stream *stream);

/* Calls `visit` for every stream whose application's context is `context`. Walks all connections:
 * not for the hot path. */
void stream_each(struct tcp_endpoint *endpoint, void *context,
                 void (*visit)(void *context, struct stream *stream, int64_t now_ns),
                 int64_t now_ns);

/* The session memory that belongs to `stream`; never null. */
static inline void *stream_session(struct stream *stream)
{
    return stream + 1;
}

/* A handle that tells a stream from a later one in the same place. */
static inline struct connection_handle stream_handle(const struct stream *stream)
{
    return tcp_handle(stream->connection);
}

/* The stream `handle` names, or null when it has gone. */
static inline struct stream *stream_find(struct tcp_endpoint *endpoint,
                                         struct connection_handle handle)
{
    struct tcp_connection *connection = tcp_find(endpoint, handle);

    return connection == NULL ? NULL : (struct stream *)tcp_session(connection);
}

/* Who is at the other end: as tcp_peer_text() and tcp_peer_prefix(). */
static inline void stream_peer_text(const struct stream *stream, char text[46])
{
    tcp_peer_text(stream->connection, text);
}

static inline uint64_t stream_peer_prefix(const struct stream *stream)
{
    return tcp_peer_prefix(stream->connection);
}

/* What the peer does wrong in all its connections: as tcp_peer_fault(), tcp_peer_faulty(). */
static inline bool stream_peer_fault(struct stream *stream, uint32_t an_hour, int64_t now_ns)
{
    return tcp_peer_fault(stream->connection, an_hour, now_ns);
}

static inline bool stream_peer_faulty(const struct stream *stream, uint32_t an_hour, int64_t now_ns)
{
    return tcp_peer_faulty(stream->connection, an_hour, now_ns);
}

/* Unconsumed bytes of the application's, in order. */
static inline uint32_t stream_readable(const struct stream *stream)
{
    return stream->kind == NULL ? tcp_readable(stream->connection) : stream->kind->readable(stream);
}

/* Blocks of received bytes that are held below it. */
static inline uint32_t stream_held(const struct stream *stream)
{
    return tcp_held(stream->connection);
}

/* The contiguous piece that starts `skip` bytes after the first unconsumed byte, in a block that
 * may be held on to. False when there are no more than `skip` bytes. */
static inline bool stream_peek(struct stream *stream, uint32_t skip, struct block_span *span)
{
    return stream->kind == NULL ? tcp_peek(stream->connection, skip, span)
                                : stream->kind->peek(stream, skip, span);
}

/* Drops the first `length` unconsumed bytes (<= stream_readable()). */
static inline void stream_consume(struct stream *stream, uint32_t length)
{
    if (stream->kind == NULL)
        tcp_consume(stream->connection, length);
    else
        stream->kind->consume(stream, length);
}

/* As tcp_expect(). */
static inline bool stream_expect(struct stream *stream, enum stream_expect expect)
{
    return stream->kind == NULL ? tcp_expect(stream->connection, (enum tcp_expect)expect)
                                : stream->kind->expect(stream, expect);
}

/* Free room for replies, in bytes. */
static inline uint32_t stream_send_space(const struct stream *stream)
{
    return stream->kind == NULL ? tcp_send_space(stream->connection)
                                : stream->kind->send_space(stream);
}

/* Queues a whole reply: as tcp_send(). One of no bytes makes sure that a next one of a line
 * (TCP_SEND_LINE) finds room. */
static inline enum status STATUS_CHECKED stream_send(struct stream *stream, const void *bytes,
                                                     size_t length)
{
    return stream->kind == NULL ? tcp_send(stream->connection, bytes, length)
                                : stream->kind->send(stream, bytes, length);
}

/* Ends our half after everything queued; what still comes is dropped. `closed` follows. */
static inline void stream_close(struct stream *stream)
{
    if (stream->kind == NULL)
        tcp_close(stream->connection);
    else
        stream->kind->close(stream);
}

/* Breaks the connection off; `closed` follows. */
static inline void stream_abort(struct stream *stream)
{
    tcp_abort(stream->connection);
}

/* Asks for one `expired` call at or soon after `deadline_ns`; 0 unsets. */
static inline void stream_set_deadline(struct stream *stream, int64_t deadline_ns)
{
    tcp_set_deadline(stream->connection, deadline_ns);
}

#endif
