/* Shutting down: sessions between two messages are told so and closed; the rest finish theirs. */
#include "dataplane/smtp/state.h"

static void drain_session(void *context, struct stream *stream, int64_t now_ns)
{
    struct smtp_call call = {
        .server = context, .stream = stream, .session = stream_session(stream), .now_ns = now_ns};

    /* The reply that still waits for a block may be the one to a message. */
    if (smtp_reads_commands(call.session) && call.session->message == NULL &&
        call.session->pending_length == 0)
        smtp_say_closing(&call, "421 4.3.2", "Service shutting down, try again later");
}

void smtp_server_drain(struct smtp_server *server, int64_t now_ns)
{
    server->draining = true;
    stream_each(server->endpoint, server, drain_session, now_ns);
}
