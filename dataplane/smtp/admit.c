/* DATA, up to its 354. */
#include "dataplane/smtp/received.h"
#include "dataplane/smtp/state.h"

static enum status data_trace(struct smtp_call *call, struct message *message)
{
    struct smtp_server *server = call->server;
    char text[SMTP_RECEIVED_BYTES];
    struct smtp_received received = {
        .helo = message->helo,
        .client = message->client,
        .host = smtp_config(call)->hostname,
        .id = message->id,
        .recipient = message->shared->recipient_count == 1 ? message->recipient : NULL,
        .esmtp = call->session->esmtp,
        .wall_seconds = server->service.wall_seconds(server->service.context, call->now_ns),
    };
    enum status status =
        message_append_bytes(server->store, message, text, smtp_received_write(&received, text));

    if (status == STATUS_OK)
        message_mark_trace(message);
    return status;
}

void smtp_admit(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    struct message *message = session->message;

    if (!stream_expect(call->stream, STREAM_EXPECT_DATA) &&
        !(smtp_shed(call) && stream_expect(call->stream, STREAM_EXPECT_DATA))) {
        smtp_transaction_end(call, MAIL_NO_ROOM, smtp_refusal_text(MAIL_NO_ROOM, SMTP_FAULT_NONE));
        smtp_say(call, smtp_refusal_text(MAIL_NO_ROOM, SMTP_FAULT_NONE));
        return;
    }
    message->data_ns = call->now_ns;
    session->paid_ns = call->now_ns + smtp_config(call)->limits.data_timeout_ns;
    if (data_trace(call, message) != STATUS_OK) {
        stream_expect(call->stream, STREAM_EXPECT_COMMANDS);
        smtp_transaction_end(call, MAIL_NO_ROOM, smtp_refusal_text(MAIL_NO_ROOM, SMTP_FAULT_NONE));
        smtp_say(call, smtp_refusal_text(MAIL_NO_ROOM, SMTP_FAULT_NONE));
        return;
    }
    smtp_move(call, SMTP_DATA);
    session->scan = SMTP_SCAN_LINE_START;
    session->in_header = true;
    session->field_match = 0;
    session->received_fields = 0;
    session->drained_bytes = 0;
    session->fault = SMTP_FAULT_NONE;
    smtp_say(call, "354 End data with <CR><LF>.<CR><LF>");
}
