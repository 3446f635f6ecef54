#include <stdio.h>
#include <string.h>

#include "control/relay/connection.h"
#include "control/relay/route.h"
#include "platform/check.h"
#include "platform/clock.h"

static void dialogue_send(struct connection *connection, const char *command)
{
    /* Only memory can fail here; the reply's time-out then ends it. */
    (void)bufferevent_write(connection->stream, command, strlen(command));
}

/* Nothing is outstanding, so nothing may have come: a stray reply would be taken for the answer to
 * what is said next. */
static bool dialogue_silent(struct connection *connection)
{
    return evbuffer_get_length(bufferevent_get_input(connection->stream)) == 0 &&
           connection->reply.bytes == 0;
}

static void dialogue_turn(struct connection *connection, enum connection_state state,
                          int64_t timeout_ns)
{
    connection->state = state;
    connection_set_timeout(connection, timeout_ns);
}

/* `refusal` of a connection that never got to MAIL, as text for the sender. */
static void dialogue_unwelcome(struct connection *connection, const char *to_what)
{
    char why[RELAY_TEXT_BYTES + 64];

    (void)snprintf(why, sizeof(why), "%s answered with %u %s", to_what, connection->reply.code,
                   connection->reply.text);
    connection_fail(connection, RELAY_UNREACHABLE, why);
}

static void dialogue_out_of_turn(struct connection *connection)
{
    connection_fail(connection, RELAY_BROKEN, "the server spoke out of turn");
}

void dialogue_connected(struct connection *connection)
{
    reply_start(&connection->reply);
    dialogue_turn(connection, CONNECTION_GREETING, connection->route->config.command_timeout_ns);
}

static void dialogue_hello(struct connection *connection, enum connection_state state)
{
    char command[CONFIG_NAME_BYTES + 16];

    if (!dialogue_silent(connection)) {
        dialogue_out_of_turn(connection);
        return;
    }
    (void)snprintf(command, sizeof(command), "%s %s\r\n",
                   state == CONNECTION_EHLO ? "EHLO" : "HELO", connection->route->hostname);
    dialogue_turn(connection, state, connection->route->config.command_timeout_ns);
    dialogue_send(connection, command);
}

/* -- envelope ---------------------------------------------------------------------------------- */

static void dialogue_put_mail(struct connection *connection)
{
    const struct transaction *transaction = connection->transaction;
    struct evbuffer *output = bufferevent_get_output(connection->stream);

    (void)evbuffer_add_printf(output, "MAIL FROM:<%s>", transaction->sender);
    if (connection->offers.size)
        (void)evbuffer_add_printf(output, " SIZE=%llu",
                                  (unsigned long long)transaction_size(transaction));
    if (connection->offers.eight_bit && transaction->view.flags & MESSAGE_FLAG_8BITMIME)
        (void)evbuffer_add_printf(output, " BODY=8BITMIME");
    (void)evbuffer_add_printf(output, "\r\n");
}

/* Sends as many commands as the server and our bounds allow. */
static void dialogue_send_envelope(struct connection *connection)
{
    struct connection_envelope *envelope = &connection->envelope;
    struct evbuffer *output = bufferevent_get_output(connection->stream);
    unsigned window = connection->offers.pipelining ? CONNECTION_COMMANDS_MAX : 1;

    while (envelope->sent < envelope->total && envelope->sent - envelope->answered < window &&
           evbuffer_get_length(output) < CONNECTION_COMMAND_BYTES) {
        if (envelope->sent == 0)
            dialogue_put_mail(connection);
        else
            (void)evbuffer_add_printf(output, "RCPT TO:<%s>\r\n",
                                      connection->transaction->recipients[envelope->sent - 1]);
        envelope->sent++;
    }
}

void dialogue_begin(struct connection *connection)
{
    if (!dialogue_silent(connection)) {
        /* Counted as said nothing: a re-used connection's parting word. */
        connection->messages++;
        connection->state = CONNECTION_ENVELOPE;
        connection->envelope = (struct connection_envelope){0};
        dialogue_out_of_turn(connection);
        return;
    }
    connection->messages++;
    connection->transaction->started_ns = clock_monotonic_ns();
    connection->envelope =
        (struct connection_envelope){.total = connection->transaction->recipient_count + 1};
    reply_start(&connection->reply);
    dialogue_turn(connection, CONNECTION_ENVELOPE, connection->route->config.command_timeout_ns);
    dialogue_send_envelope(connection);
}

/* The connection is clean again: next transaction, or rest. */
static void dialogue_ready(struct connection *connection)
{
    if (!dialogue_silent(connection)) {
        connection_close(connection);
        return;
    }
    connection->state = CONNECTION_IDLE;
    route_connection_ready(connection->route, connection);
}

static void dialogue_reset(struct connection *connection)
{
    dialogue_turn(connection, CONNECTION_RESET, connection->route->config.command_timeout_ns);
    dialogue_send(connection, "RSET\r\n");
}

/* The refusal names its recipient, behind the enhanced code where there is one: "5.1.1 <a@b>: No
 * such user here". */
static void dialogue_answer_refused(struct connection *connection)
{
    const struct connection_envelope *envelope = &connection->envelope;
    const char *text = envelope->refused_text;
    size_t code_length = reply_enhanced_code(envelope->refused_code, text);
    size_t rest = code_length + (text[code_length] == ' ');
    char named[RELAY_TEXT_BYTES];

    if (envelope->refused_command == 0) {
        connection_answer(connection, envelope->refused_code, text);
        return;
    }
    (void)snprintf(named, sizeof(named), "%.*s%s<%.256s>: %s", (int)code_length, text,
                   code_length > 0 ? " " : "",
                   connection->transaction->recipients[envelope->refused_command - 1], text + rest);
    connection_answer(connection, envelope->refused_code, named);
}

static void dialogue_envelope_complete(struct connection *connection)
{
    if (connection->envelope.refused_code == 0) {
        if (!dialogue_silent(connection)) {
            dialogue_out_of_turn(connection);
            return;
        }
        dialogue_turn(connection, CONNECTION_DATA, connection->route->config.command_timeout_ns);
        dialogue_send(connection, "DATA\r\n");
        return;
    }
    dialogue_answer_refused(connection);
    if (connection->envelope.refused_command == 0)
        dialogue_ready(connection); /* MAIL refused: there is no transaction to reset */
    else
        dialogue_reset(connection);
}

/* Keeps the worst refusal: the first 5xx, else the first 4xx. */
static void dialogue_refused(struct connection *connection)
{
    struct connection_envelope *envelope = &connection->envelope;
    const struct reply *reply = &connection->reply;

    if (envelope->refused_code == 0 || (envelope->refused_code < 500 && reply->code >= 500)) {
        envelope->refused_code = reply->code;
        envelope->refused_command = envelope->answered;
        memcpy(envelope->refused_text, reply->text, sizeof(envelope->refused_text));
    }
    /* Nothing can make it worse: what is not sent yet need not be. */
    if (envelope->answered == 0 || reply->code >= 500)
        envelope->total = envelope->sent;
}

static void dialogue_envelope_reply(struct connection *connection)
{
    struct connection_envelope *envelope = &connection->envelope;
    unsigned code = connection->reply.code;

    if (code == 421) {
        if (envelope->answered == 0 && connection->messages > 1) {
            connection_fail(connection, RELAY_BROKEN, "the server closed an idle connection");
            return;
        }
        connection_answer(connection, code, connection->reply.text);
        connection_close(connection);
        return;
    }
    if (code / 100 == 3) {
        connection_fail(connection, RELAY_BROKEN, "unexpected answer to MAIL or RCPT");
        return;
    }
    /* After a refused MAIL the pipelined RCPTs are refused for want of it: no news. */
    if (code >= 400 && (envelope->refused_code == 0 || envelope->refused_command != 0))
        dialogue_refused(connection);
    envelope->answered++;
    connection_set_timeout(connection, connection->route->config.command_timeout_ns);
    if (envelope->answered == envelope->total)
        dialogue_envelope_complete(connection);
    else
        dialogue_send_envelope(connection);
}

/* -- data -------------------------------------------------------------------------------------- */

static void dialogue_end_data(struct connection *connection)
{
    if (!transaction_current(connection->transaction)) {
        connection_fail(connection, RELAY_REFUSED, "the message was withdrawn");
        return;
    }
    if (!dialogue_silent(connection)) {
        dialogue_out_of_turn(connection);
        return;
    }
    dialogue_turn(connection, CONNECTION_ANSWER, connection->route->config.data_timeout_ns);
    dialogue_send(connection, stuffing_end(&connection->content.stuffing));
}

static void dialogue_fill(struct connection *connection)
{
    struct evbuffer *output = bufferevent_get_output(connection->stream);
    enum status status;

    if (content_done(&connection->content)) {
        if (evbuffer_get_length(output) == 0)
            dialogue_end_data(connection);
        return;
    }
    if (!transaction_current(connection->transaction)) {
        connection_fail(connection, RELAY_REFUSED, "the message was withdrawn");
        return;
    }
    /* Doubled dots add at most a third, so a quarter is left for them. */
    status = content_fill(&connection->content, output, CONNECTION_QUEUE_BYTES / 4 * 3);
    if (status != STATUS_OK) {
        connection_fail(connection, RELAY_REFUSED,
                        status == STATUS_BAD_FORMAT ? "malformed message" : status_text(status));
        return;
    }
    bufferevent_setwatermark(connection->stream, EV_WRITE,
                             content_done(&connection->content) ? 0 : CONNECTION_DRAIN_BYTES, 0);
    connection_set_timeout(connection, connection->route->config.command_timeout_ns);
}

static void dialogue_data_reply(struct connection *connection)
{
    unsigned code = connection->reply.code;

    if (code == 354) {
        content_start(&connection->content, &connection->transaction->view,
                      connection->transaction->hold, connection->transaction->fields);
        connection->state = CONNECTION_BODY;
        dialogue_fill(connection);
        return;
    }
    if (code < 400) {
        connection_fail(connection, RELAY_BROKEN, "unexpected answer to DATA");
        return;
    }
    connection_answer(connection, code, connection->reply.text);
    if (code == 421)
        connection_close(connection);
    else
        dialogue_reset(connection);
}

/* A server that refuses in mid-data has refused, but the two of us no longer agree on what is data:
 * the connection has to go. */
static void dialogue_early_reply(struct connection *connection)
{
    if (connection->reply.code < 400) {
        dialogue_out_of_turn(connection);
        return;
    }
    connection_answer(connection, connection->reply.code, connection->reply.text);
    connection_close(connection);
}

static void dialogue_final_reply(struct connection *connection)
{
    unsigned code = connection->reply.code;

    /* Only x5z speaks of the mail system (RFC 5321 4.2.1): a 220 or 221 in this place is about the
     * connection, and no word that the message was taken. */
    if (code < 400 && code / 10 != 25) {
        connection_fail(connection, RELAY_BROKEN, "unexpected answer to the end of data");
        return;
    }
    connection_answer(connection, code, connection->reply.text);
    if (code == 421)
        connection_close(connection);
    else
        dialogue_ready(connection);
}

/* -- replies ----------------------------------------------------------------------------------- */

static void dialogue_welcome(struct connection *connection)
{
    struct transaction *transaction = connection->transaction;

    route_connection_up(connection->route);
    if (connection->state == CONNECTION_EHLO)
        connection->offers = connection->reply.offers;
    reply_start(&connection->reply);
    CHECK(transaction != NULL);
    dialogue_begin(connection);
}

static void dialogue_hello_reply(struct connection *connection)
{
    unsigned code = connection->reply.code;
    enum connection_state state = connection->state;

    if (code / 100 == 3) {
        connection_fail(connection, RELAY_BROKEN, "unexpected answer to the connection");
        return;
    }
    if (state == CONNECTION_EHLO && code >= 500) {
        reply_start(&connection->reply);
        dialogue_hello(connection, CONNECTION_HELO);
    } else if (code >= 400) {
        dialogue_unwelcome(connection, state == CONNECTION_GREETING ? "the server" : "EHLO");
    } else if (state == CONNECTION_GREETING) {
        reply_start(&connection->reply);
        dialogue_hello(connection, CONNECTION_EHLO);
    } else {
        dialogue_welcome(connection);
    }
}

static void dialogue_reply(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_GREETING:
    case CONNECTION_EHLO:
    case CONNECTION_HELO:
        dialogue_hello_reply(connection);
        return;
    case CONNECTION_ENVELOPE:
        dialogue_envelope_reply(connection);
        return;
    case CONNECTION_DATA:
        dialogue_data_reply(connection);
        return;
    case CONNECTION_BODY:
        dialogue_early_reply(connection);
        return;
    case CONNECTION_ANSWER:
        dialogue_final_reply(connection);
        return;
    case CONNECTION_RESET:
        if (connection->reply.code / 100 == 2) {
            dialogue_ready(connection);
            return;
        }
        break;
    default: /* idle or quitting: nothing it says matters */
        break;
    }
    connection_close(connection);
}

void dialogue_input(struct connection *connection)
{
    while (connection->state > CONNECTION_CONNECTING && connection->state != CONNECTION_CLOSED) {
        struct evbuffer *input = bufferevent_get_input(connection->stream);
        struct evbuffer_iovec piece;
        enum reply_progress progress;
        size_t used;

        if (evbuffer_peek(input, -1, NULL, &piece, 1) < 1 || piece.iov_len == 0)
            return;
        if (connection->state == CONNECTION_IDLE) {
            connection_close(connection);
            return;
        }
        progress = reply_feed(&connection->reply, piece.iov_base, piece.iov_len, &used);
        (void)evbuffer_drain(input, used);
        if (progress == REPLY_MORE)
            continue;
        if (progress == REPLY_BAD) {
            connection_fail(connection, RELAY_BROKEN, "the server's answer is not SMTP");
            return;
        }
        /* The reply is whole: what is left counts as the next one. */
        connection->reply.bytes = 0;
        dialogue_reply(connection);
        if (connection->state != CONNECTION_CLOSED)
            reply_start(&connection->reply);
    }
}

void dialogue_drained(struct connection *connection)
{
    if (connection->state == CONNECTION_ENVELOPE)
        dialogue_send_envelope(connection);
    else if (connection->state == CONNECTION_BODY)
        dialogue_fill(connection);
}
