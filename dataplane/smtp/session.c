/* The callbacks TCP makes, and the order in which a session gets on with its work. */
#include "dataplane/smtp/session.h"

#include <string.h>

#include "dataplane/smtp/state.h"
#include "platform/check.h"

size_t smtp_session_bytes(void)
{
    return sizeof(struct smtp_session);
}

/* Asks TCP to say `writable` when there is none: only a refused tcp_send() does that. */
static bool session_reply_room(struct smtp_call *call)
{
    static const char spaces[SMTP_REPLY_ROOM];
    enum status status;

    if (tcp_send_space(call->connection) >= SMTP_REPLY_ROOM)
        return true;
    status = tcp_send(call->connection, spaces, sizeof(spaces));
    CHECK(status != STATUS_OK); /* it did not fit a moment ago */
    return false;
}

/* Copies the next line, without CRLF, and consumes it. False when it is not complete; one that
 * cannot become complete within SMTP_COMMAND_BYTES is consumed as far as it goes and the rest is
 * skipped. */
static bool session_line(struct smtp_call *call, char line[SMTP_COMMAND_BYTES], size_t *length)
{
    struct smtp_session *session = call->session;
    struct tcp_span span;
    uint32_t used = 0;

    while (used < SMTP_COMMAND_BYTES && tcp_peek(call->connection, used, &span)) {
        uint32_t part = SMTP_COMMAND_BYTES - used;
        const uint8_t *feed;

        if (part > span.length)
            part = span.length;
        feed = memchr(span.bytes, '\n', part);
        if (feed != NULL)
            part = (uint32_t)(feed - span.bytes) + 1;
        memcpy(line + used, span.bytes, part);
        used += part;
        if (feed != NULL && used >= 2 && line[used - 2] == '\r') {
            tcp_consume(call->connection, used);
            *length = used - 2;
            return true;
        }
    }
    if (used == SMTP_COMMAND_BYTES) {
        session->skipping = true;
        session->skipped_cr = line[used - 1] == '\r';
        tcp_consume(call->connection, used);
    }
    return false;
}

/* Drops what belongs to an over-long line. True when its CRLF was found. */
static bool session_skip(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    struct tcp_span span;

    while (session->skipping && tcp_peek(call->connection, 0, &span)) {
        uint32_t used = 0;

        while (used < span.length && session->skipping) {
            const uint8_t *feed = memchr(span.bytes + used, '\n', span.length - used);
            uint32_t stop = feed == NULL ? span.length : (uint32_t)(feed - span.bytes);

            if (stop > used)
                session->skipped_cr = span.bytes[stop - 1] == '\r';
            if (feed != NULL) {
                session->skipping = !session->skipped_cr;
                session->skipped_cr = false;
                stop++;
            }
            used = stop;
        }
        tcp_consume(call->connection, used);
    }
    return !session->skipping;
}

static void session_set_deadline(struct smtp_call *call)
{
    const struct config *config = smtp_config(call);

    if (call->session->state == SMTP_COMMAND)
        tcp_set_deadline(call->connection, call->now_ns + config->limits.command_timeout_ns);
    else if (call->session->state == SMTP_DATA || call->session->state == SMTP_DISCARD)
        tcp_set_deadline(call->connection, call->now_ns + config->limits.data_timeout_ns);
}

/* One command, if there is a whole one. */
static bool session_command(struct smtp_call *call)
{
    char line[SMTP_COMMAND_BYTES];
    size_t length;

    if (!call->session->skipping && session_line(call, line, &length)) {
        smtp_command_line(call, line, length);
    } else {
        if (!call->session->skipping || !session_skip(call))
            return false;
        smtp_command_garbled(call);
    }
    session_set_deadline(call);
    return true;
}

/* Nobody will send the rest of what is there. */
static void session_end(struct smtp_call *call)
{
    smtp_transaction_end(call, MAIL_CUT_OFF, smtp_refusal_text(MAIL_CUT_OFF, false));
    smtp_close(call);
}

/* Does all that can be done now. Bounded by the window and by the room for replies. */
static void session_run(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    bool more = true;

    while (more) {
        switch ((enum smtp_state)session->state) {
        case SMTP_COMMAND:
            if (!session_reply_room(call))
                return;
            more = session_command(call);
            break;
        case SMTP_DATA:
        case SMTP_DISCARD:
            more = tcp_readable(call->connection) > 0;
            if (more) {
                smtp_data_read(call);
                session_set_deadline(call);
            }
            break;
        case SMTP_WAITING:
        case SMTP_CLOSING:
            return;
        }
    }
    if (session->finished)
        session_end(call);
}

static struct smtp_call session_call(void *context, struct tcp_connection *connection,
                                     int64_t now_ns)
{
    struct smtp_call call = {context, connection, tcp_session(connection), now_ns};

    return call;
}

static void session_opened(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct smtp_call call = session_call(context, connection, now_ns);
    struct smtp_line line;

    if (call.server->draining) {
        smtp_line_begin(&line, SMTP_SHUTTING_DOWN);
        smtp_say_refused(&call, "CONNECT", "", &line);
        smtp_close(&call);
        return;
    }
    smtp_line_begin(&line, "220 ");
    smtp_text_string(&line.text, smtp_config(&call)->hostname);
    smtp_text_string(&line.text, " ESMTP Postern");
    smtp_line_say(&call, &line);
    session_set_deadline(&call);
}

static void session_readable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct smtp_call call = session_call(context, connection, now_ns);

    session_run(&call);
}

static void session_finished(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct smtp_call call = session_call(context, connection, now_ns);

    call.session->finished = true;
    session_run(&call);
}

static void session_expired(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct smtp_call call = session_call(context, connection, now_ns);

    if (call.session->state == SMTP_WAITING || call.session->state == SMTP_CLOSING)
        return;
    smtp_transaction_end(&call, MAIL_CUT_OFF, "421 4.4.2 Error: timeout exceeded");
    smtp_say_closing(&call, "421 4.4.2", "Error: timeout exceeded");
}

static void session_closed(void *context, struct tcp_connection *connection,
                           enum tcp_close_reason reason, int64_t now_ns)
{
    struct smtp_call call = session_call(context, connection, now_ns);
    struct smtp_session *session = call.session;
    struct message *message = session->message;

    (void)reason;
    if (session->state == SMTP_WAITING) {
        session->message = NULL;
        session->state = SMTP_CLOSING;
        call.server->service.abandon(call.server->service.context, message, now_ns);
    } else {
        session->state = SMTP_CLOSING;
        smtp_transaction_end(&call, MAIL_CUT_OFF, smtp_refusal_text(MAIL_CUT_OFF, false));
    }
}

void smtp_server_application(struct smtp_server *server, struct tcp_application *application)
{
    *application = (struct tcp_application){
        .context = server,
        .session_bytes = sizeof(struct smtp_session),
        .opened = session_opened,
        .readable = session_readable,
        .writable = session_readable,
        .finished = session_finished,
        .expired = session_expired,
        .closed = session_closed,
    };
}

void smtp_finish(struct smtp_server *server, struct tcp_connection *connection,
                 const struct message *message, const struct mail_result *result, int64_t now_ns)
{
    struct smtp_call call = session_call(server, connection, now_ns);
    char text[SMTP_RESULT_BYTES];

    CHECK(call.session->state == SMTP_WAITING && call.session->message == message);
    smtp_say_lines(&call, text, smtp_result_reply(message, result, text, sizeof(text)));
    call.session->state = SMTP_COMMAND;
    /* The caller's from here on: this only forgets it, nothing is concluded. */
    call.session->message = NULL;
    smtp_transaction_end(&call, MAIL_CUT_OFF, "");
    session_set_deadline(&call);
    session_run(&call);
}
