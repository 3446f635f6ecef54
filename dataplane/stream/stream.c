/* What TCP tells, passed on to the kind or straight to the application. */
#include "dataplane/stream/stream.h"

#include "platform/check.h"

#define STREAM_ALIGN ((size_t)15)

static size_t stream_state_offset(const struct stream_listener *listener)
{
    return (sizeof(struct stream) + listener->application.session_bytes + STREAM_ALIGN) &
           ~STREAM_ALIGN;
}

static void stream_on_opened(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    const struct stream_listener *listener = context;
    struct stream *stream = tcp_session(connection);

    *stream = (struct stream){listener->kind, connection};
    if (stream->kind == NULL)
        listener->application.opened(listener->application.context, stream, now_ns);
    else
        stream->kind->opened(stream, now_ns);
}

static void stream_on_readable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    const struct stream_listener *listener = context;
    struct stream *stream = tcp_session(connection);

    if (stream->kind == NULL)
        listener->application.readable(listener->application.context, stream, now_ns);
    else
        stream->kind->arrived(stream, now_ns);
}

static void stream_on_writable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    const struct stream_listener *listener = context;
    struct stream *stream = tcp_session(connection);

    if (stream->kind == NULL)
        listener->application.writable(listener->application.context, stream, now_ns);
    else
        stream->kind->drained(stream, now_ns);
}

static void stream_on_finished(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    const struct stream_listener *listener = context;
    struct stream *stream = tcp_session(connection);

    if (stream->kind == NULL)
        listener->application.finished(listener->application.context, stream, now_ns);
    else
        stream->kind->finished(stream, now_ns);
}

static void stream_on_expired(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    const struct stream_listener *listener = context;
    struct stream *stream = tcp_session(connection);

    if (stream->kind == NULL)
        listener->application.expired(listener->application.context, stream, now_ns);
    else
        stream->kind->expired(stream, now_ns);
}

/* Why it has ended makes no difference to an application: what was not answered is not. */
static void stream_on_closed(void *context, struct tcp_connection *connection,
                             enum tcp_close_reason reason, int64_t now_ns)
{
    const struct stream_listener *listener = context;
    struct stream *stream = tcp_session(connection);

    (void)reason;
    CHECK(stream->connection == connection);
    if (stream->kind == NULL)
        listener->application.closed(listener->application.context, stream, now_ns);
    else
        stream->kind->closed(stream, now_ns);
}

void stream_listener_init(struct stream_listener *listener)
{
    size_t state_bytes = listener->kind == NULL ? 0 : listener->kind->state_bytes;

    listener->below = (struct tcp_application){
        .context = listener,
        .session_bytes = state_bytes == 0
                             ? sizeof(struct stream) + listener->application.session_bytes
                             : stream_state_offset(listener) + state_bytes,
        .opened = stream_on_opened,
        .readable = stream_on_readable,
        .writable = stream_on_writable,
        .finished = stream_on_finished,
        .expired = stream_on_expired,
        .closed = stream_on_closed,
    };
}

static const struct stream_listener *stream_listener_of(const struct stream *stream)
{
    return tcp_application_of(stream->connection)->context;
}

const struct stream_application *stream_application_of(const struct stream *stream)
{
    return &stream_listener_of(stream)->application;
}

void *stream_state(struct stream *stream)
{
    CHECK(stream->kind != NULL && stream->kind->state_bytes > 0);
    return (uint8_t *)stream + stream_state_offset(stream_listener_of(stream));
}

struct stream_visit {
    void *context;
    void (*visit)(void *context, struct stream *stream, int64_t now_ns);
};

static void stream_visit_one(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    const struct stream_visit *visit = context;
    struct stream *stream;

    if (tcp_application_of(connection)->opened != stream_on_opened)
        return; /* no stream */
    stream = tcp_session(connection);
    if (stream_application_of(stream)->context != visit->context ||
        (stream->kind != NULL && !stream->kind->known(stream)))
        return;
    visit->visit(visit->context, stream, now_ns);
}

void stream_each(struct tcp_endpoint *endpoint, void *context,
                 void (*visit)(void *context, struct stream *stream, int64_t now_ns),
                 int64_t now_ns)
{
    struct stream_visit one = {context, visit};

    tcp_each(endpoint, stream_visit_one, &one, now_ns);
}
