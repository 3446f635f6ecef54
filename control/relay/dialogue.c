#include "control/relay/dialogue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/relay/belief.h"
#include "platform/check.h"
#include "platform/clock.h"

#define DIALOGUE_QUIT_NS     (5 * CLOCK_NS_PER_SECOND)
#define DIALOGUE_HELLO_BYTES 320u /* a host name and the verb */
#define DIALOGUE_WHY_MAX     400  /* bytes of what happened that fit behind the words for it */

/* Nothing is outstanding, so nothing may have come: a stray reply would be taken for the answer to
 * what is said next. */
static bool dialogue_silent(const struct dialogue *dialogue)
{
    return dialogue->reply.bytes == 0 && connection_silent(&dialogue->connection);
}

/* The limit of what is waited for now, within what the transaction has left. */
static void dialogue_set_timeout(struct dialogue *dialogue, int64_t timeout_ns, int64_t now_ns)
{
    const struct transaction *transaction = dialogue->transaction;
    int64_t due_ns = now_ns + timeout_ns;

    if (transaction != NULL) {
        int64_t end_ns =
            dialogue->state < DIALOGUE_ANSWER ? transaction->dot_ns : transaction->deadline_ns;

        due_ns = due_ns < end_ns ? due_ns : end_ns;
    }
    connection_set_timeout(&dialogue->connection, due_ns, now_ns);
}

static void dialogue_turn(struct dialogue *dialogue, enum dialogue_state state, int64_t timeout_ns,
                          int64_t now_ns)
{
    CHECK(dialogue->state != DIALOGUE_CLOSED && state != DIALOGUE_CLOSED);
    CHECK(state < DIALOGUE_ENVELOPE || state > DIALOGUE_ANSWER || dialogue->transaction != NULL);
    dialogue->state = state;
    dialogue_set_timeout(dialogue, timeout_ns, now_ns);
}

/* -- ends -------------------------------------------------------------------------------------- */

void dialogue_close(struct dialogue *dialogue, int64_t now_ns)
{
    if (dialogue->state == DIALOGUE_CLOSED)
        return;
    CHECK(dialogue->transaction == NULL);
    dialogue->state = DIALOGUE_CLOSED;
    connection_close(&dialogue->connection);
    dialogue->events->closed(dialogue->context, dialogue, now_ns);
}

static struct transaction *dialogue_release(struct dialogue *dialogue)
{
    struct transaction *transaction = dialogue->transaction;

    CHECK(transaction != NULL && transaction->dialogue == dialogue);
    dialogue->transaction = NULL;
    transaction->dialogue = NULL;
    return transaction;
}

static void dialogue_hold(struct dialogue *dialogue, struct transaction *transaction)
{
    CHECK(dialogue->transaction == NULL && transaction->dialogue == NULL);
    dialogue->transaction = transaction;
    transaction->dialogue = dialogue;
}

void dialogue_abort(struct dialogue *dialogue, int64_t now_ns)
{
    if (dialogue->transaction != NULL)
        transaction_free(dialogue_release(dialogue));
    dialogue_close(dialogue, now_ns);
}

static void dialogue_fill_result(const struct dialogue *dialogue,
                                 const struct transaction *transaction, struct relay_result *result,
                                 int64_t now_ns)
{
    memcpy(result->relay, dialogue->connection.name, sizeof(result->relay));
    result->connect_us = transaction->connect_us;
    if (transaction->started_ns != 0)
        result->transfer_us = (uint32_t)((now_ns - transaction->started_ns) / CLOCK_NS_PER_US);
}

/* The connection had served before. MAIL was not answered: it was gone all along; or what came is a
 * left-over of the message before. */
static bool dialogue_was_gone(const struct dialogue *dialogue)
{
    return dialogue->misled || (dialogue->state == DIALOGUE_ENVELOPE &&
                                dialogue->envelope.answered == 0 && dialogue->rested);
}

/* Ends transaction and connection: `why` for the log and status, without code. */
static void dialogue_fail(struct dialogue *dialogue, enum relay_outcome outcome, const char *why,
                          int64_t now_ns)
{
    struct dialogue_end end = {.why = why,
                               .unsaid =
                                   dialogue->state < DIALOGUE_IDLE && outcome != RELAY_REFUSED,
                               .in_doubt = dialogue->state == DIALOGUE_ANSWER};
    struct transaction *transaction;
    char text[RELAY_TEXT_BYTES];

    if (dialogue->transaction == NULL) {
        if (dialogue->state < DIALOGUE_IDLE)
            dialogue->events->unwelcome(dialogue->context, dialogue, outcome != RELAY_REFUSED, why,
                                        now_ns);
        dialogue_close(dialogue, now_ns);
        return;
    }
    transaction = dialogue_release(dialogue);
    if (outcome != RELAY_REFUSED && dialogue_was_gone(dialogue) && !transaction->retried) {
        transaction->retried = true;
        end.unsaid = true;
    }
    (void)snprintf(text, sizeof(text), "%s: %.*s",
                   outcome == RELAY_UNREACHABLE ? "4.4.1 Recipient's server is unreachable"
                   : outcome == RELAY_BROKEN    ? "4.4.2 Recipient's server gave no valid answer"
                                                : "4.3.0 Message cannot be relayed now",
                   DIALOGUE_WHY_MAX, why);
    transaction_result(&end.result, &transaction->job, outcome, 451, text);
    dialogue_fill_result(dialogue, transaction, &end.result, now_ns);
    /* The connection goes first: by the time the worker may use the memory again, nothing is left
     * that could send from it. Nor is anything left in the kernel that would end the data. */
    connection_cut(&dialogue->connection);
    dialogue_close(dialogue, now_ns);
    dialogue->events->ended(dialogue->context, dialogue, transaction, &end, now_ns);
}

/* Answers the transaction with the server's own word. The connection stays as it is. */
static void dialogue_answer(struct dialogue *dialogue, unsigned code, const char *text,
                            int64_t now_ns)
{
    struct transaction *transaction = dialogue_release(dialogue);
    struct dialogue_end end = {.why = text, .about_us = reply_about_us(code)};
    char ours[RELAY_TEXT_BYTES];

    CHECK(code >= 200 && code < 600 && code / 100 != 3);
    if (end.about_us)
        end.why = reply_about_us_text(code, text, ours);
    /* 421 speaks of the server's connection to us; the sender's to us stays. */
    transaction_result(&end.result, &transaction->job, RELAY_ANSWERED,
                       code == 421 || end.about_us ? 451 : code, end.why);
    dialogue_fill_result(dialogue, transaction, &end.result, now_ns);
    dialogue->events->ended(dialogue->context, dialogue, transaction, &end, now_ns);
}

void dialogue_withdraw(struct dialogue *dialogue, int64_t now_ns)
{
    if (dialogue->state != DIALOGUE_ANSWER)
        dialogue_fail(dialogue, RELAY_REFUSED, "the message was withdrawn", now_ns);
}

/* `refusal` of a connection that never got to MAIL, as text for the sender. */
static void dialogue_unwelcome(struct dialogue *dialogue, const char *to_what, int64_t now_ns)
{
    char why[RELAY_TEXT_BYTES + 64];

    (void)snprintf(why, sizeof(why), "%s answered with %u %s", to_what, dialogue->reply.code,
                   dialogue->reply.text);
    dialogue_fail(dialogue, RELAY_UNREACHABLE, why, now_ns);
}

static void dialogue_out_of_turn(struct dialogue *dialogue, int64_t now_ns)
{
    dialogue_fail(dialogue, RELAY_BROKEN, "the server spoke out of turn", now_ns);
}

/* No word about this message, of which the server has nothing yet. Where the last answer to an end
 * of data may not have been the only one, this may be the other. */
static void dialogue_mistrust(struct dialogue *dialogue, const char *why, int64_t now_ns)
{
    CHECK(dialogue->state == DIALOGUE_ENVELOPE || dialogue->state == DIALOGUE_DATA);
    dialogue->misled = dialogue->unsettled;
    dialogue_fail(dialogue, RELAY_BROKEN, why, now_ns);
}

static void dialogue_connected(void *context, int64_t now_ns)
{
    struct dialogue *dialogue = context;

    CHECK(dialogue->state == DIALOGUE_CONNECTING);
    if (dialogue->transaction != NULL)
        dialogue->transaction->connect_us = dialogue->connection.connect_us;
    reply_start(&dialogue->reply);
    dialogue_turn(dialogue, DIALOGUE_GREETING, dialogue->settings->command_timeout_ns, now_ns);
}

static void dialogue_hello(struct dialogue *dialogue, enum dialogue_state state, int64_t now_ns)
{
    char command[DIALOGUE_HELLO_BYTES];

    if (!dialogue_silent(dialogue)) {
        dialogue_out_of_turn(dialogue, now_ns);
        return;
    }
    (void)snprintf(command, sizeof(command), "%s %s\r\n", state == DIALOGUE_EHLO ? "EHLO" : "HELO",
                   dialogue->settings->hostname);
    dialogue_turn(dialogue, state, dialogue->settings->command_timeout_ns, now_ns);
    connection_send(&dialogue->connection, command);
}

/* -- envelope ---------------------------------------------------------------------------------- */

static void dialogue_send_envelope(struct dialogue *dialogue)
{
    envelope_send(&dialogue->envelope, dialogue->transaction, &dialogue->offers,
                  connection_output(&dialogue->connection));
}

/* Says MAIL, and with it what more the server takes at once. */
static void dialogue_start(struct dialogue *dialogue, int64_t now_ns)
{
    struct transaction *transaction = dialogue->transaction;

    dialogue->messages++;
    envelope_start(&dialogue->envelope, transaction);
    dialogue->state = DIALOGUE_ENVELOPE;
    if (!dialogue_silent(dialogue)) {
        dialogue_out_of_turn(dialogue, now_ns); /* a re-used connection's parting word */
        return;
    }
    transaction->started_ns = now_ns;
    reply_start(&dialogue->reply);
    dialogue_turn(dialogue, DIALOGUE_ENVELOPE, dialogue->settings->command_timeout_ns, now_ns);
    dialogue_send_envelope(dialogue);
}

void dialogue_begin(struct dialogue *dialogue, struct transaction *transaction, int64_t now_ns)
{
    CHECK(dialogue->state == DIALOGUE_IDLE);
    dialogue_hold(dialogue, transaction);
    transaction->connect_us = 0;
    dialogue_start(dialogue, now_ns);
}

/* The connection is clean again: next transaction, or rest. */
static void dialogue_ready(struct dialogue *dialogue, int64_t now_ns)
{
    if (!dialogue_silent(dialogue)) {
        dialogue_close(dialogue, now_ns);
        return;
    }
    CHECK(dialogue->transaction == NULL);
    dialogue->state = DIALOGUE_IDLE;
    dialogue->rested = true;
    dialogue->events->ready(dialogue->context, dialogue, now_ns);
}

static void dialogue_reset(struct dialogue *dialogue, int64_t now_ns)
{
    dialogue_turn(dialogue, DIALOGUE_RESET, dialogue->settings->command_timeout_ns, now_ns);
    connection_send(&dialogue->connection, "RSET\r\n");
}

static void dialogue_answer_refused(struct dialogue *dialogue, int64_t now_ns)
{
    char text[RELAY_TEXT_BYTES];

    envelope_refusal(&dialogue->envelope, dialogue->transaction, text);
    dialogue_answer(dialogue, dialogue->envelope.refused_code, text, now_ns);
}

static void dialogue_envelope_complete(struct dialogue *dialogue, int64_t now_ns)
{
    if (dialogue->envelope.refused_code == 0) {
        if (!dialogue_silent(dialogue)) {
            dialogue_mistrust(dialogue, "the server spoke out of turn", now_ns);
            return;
        }
        dialogue_turn(dialogue, DIALOGUE_DATA, dialogue->settings->command_timeout_ns, now_ns);
        connection_send(&dialogue->connection, "DATA\r\n");
        return;
    }
    dialogue_answer_refused(dialogue, now_ns);
    if (dialogue->envelope.refused_command == 0)
        dialogue_ready(dialogue, now_ns); /* MAIL refused: there is no transaction to reset */
    else
        dialogue_reset(dialogue, now_ns);
}

static void dialogue_envelope_reply(struct dialogue *dialogue, int64_t now_ns)
{
    unsigned code = dialogue->reply.code;

    if (code == 421 && dialogue_was_gone(dialogue)) {
        dialogue_fail(dialogue, RELAY_BROKEN, "the server closed an idle connection", now_ns);
    } else if (code == 421) {
        dialogue_answer(dialogue, code, dialogue->reply.text, now_ns);
        dialogue_close(dialogue, now_ns);
    } else if (code / 100 == 3) {
        dialogue_mistrust(dialogue, "unexpected answer to MAIL or RCPT", now_ns);
    } else if (code >= 400 && dialogue->unsettled && dialogue->envelope.answered == 0) {
        dialogue_mistrust(dialogue, "MAIL was refused on a connection used before", now_ns);
    } else if (envelope_answer(&dialogue->envelope, &dialogue->reply)) {
        dialogue_envelope_complete(dialogue, now_ns);
    } else {
        dialogue_set_timeout(dialogue, dialogue->settings->command_timeout_ns, now_ns);
        dialogue_send_envelope(dialogue);
    }
}

/* -- data -------------------------------------------------------------------------------------- */

static void dialogue_end_data(struct dialogue *dialogue, int64_t now_ns)
{
    if (!transaction_current(dialogue->transaction) || now_ns >= dialogue->transaction->dot_ns) {
        dialogue_fail(dialogue, RELAY_REFUSED, "the message was withdrawn: too late", now_ns);
        return;
    }
    CHECK(outgoing_done(&dialogue->outgoing));
    if (!dialogue_silent(dialogue))
        return; /* dialogue_early_reply() hears it, or its rest never comes */
    if (!connection_send_at_once(&dialogue->connection, stuffing_end(&dialogue->outgoing.stuffing)))
        dialogue_fail(dialogue, RELAY_BROKEN, strerror(errno), now_ns);
    else
        dialogue_turn(dialogue, DIALOGUE_ANSWER, dialogue->settings->data_timeout_ns, now_ns);
}

static void dialogue_fill(struct dialogue *dialogue, int64_t now_ns)
{
    struct evbuffer *output = connection_output(&dialogue->connection);
    enum status status;

    if (outgoing_done(&dialogue->outgoing)) {
        if (evbuffer_get_length(output) == 0)
            dialogue_end_data(dialogue, now_ns);
        return;
    }
    if (!transaction_current(dialogue->transaction)) {
        dialogue_fail(dialogue, RELAY_REFUSED, "the message was withdrawn", now_ns);
        return;
    }
    /* Doubled dots add at most a third, so a quarter is left for them. */
    status = outgoing_fill(&dialogue->outgoing, output, DIALOGUE_QUEUE_BYTES / 4 * 3);
    if (status != STATUS_OK) {
        dialogue_fail(dialogue, RELAY_REFUSED,
                      status == STATUS_BAD_FORMAT ? "malformed message" : status_text(status),
                      now_ns);
        return;
    }
    connection_refill_below(&dialogue->connection,
                            outgoing_done(&dialogue->outgoing) ? 0 : DIALOGUE_DRAIN_BYTES);
    dialogue_set_timeout(dialogue, dialogue->settings->command_timeout_ns, now_ns);
}

static void dialogue_data_reply(struct dialogue *dialogue, int64_t now_ns)
{
    unsigned code = dialogue->reply.code;

    if (code == 354) {
        dialogue->unsettled = false;
        outgoing_start(&dialogue->outgoing, dialogue->transaction->source,
                       dialogue->transaction->fields);
        dialogue->state = DIALOGUE_BODY;
        dialogue_fill(dialogue, now_ns);
        return;
    }
    if (code < 400) {
        dialogue_mistrust(dialogue, "unexpected answer to DATA", now_ns);
        return;
    }
    dialogue_answer(dialogue, code, dialogue->reply.text, now_ns);
    if (code == 421)
        dialogue_close(dialogue, now_ns);
    else
        dialogue_reset(dialogue, now_ns);
}

/* A server that refuses in mid-data has refused, but the two of us no longer agree on what is data:
 * the connection has to go. */
static void dialogue_early_reply(struct dialogue *dialogue, int64_t now_ns)
{
    if (dialogue->reply.code < 400) {
        dialogue_out_of_turn(dialogue, now_ns);
        return;
    }
    dialogue_answer(dialogue, dialogue->reply.code, dialogue->reply.text, now_ns);
    dialogue_close(dialogue, now_ns);
}

static void dialogue_final_reply(struct dialogue *dialogue, int64_t now_ns)
{
    unsigned code = dialogue->reply.code;
    const char *doubt = belief_doubt(&dialogue->reply, &dialogue->connection);

    if (doubt != NULL && code < 400) {
        dialogue_fail(dialogue, RELAY_BROKEN, doubt, now_ns);
        return;
    }
    /* A refusal stands whenever it came; the connection, on which one more may come, does not. */
    if (doubt != NULL)
        connection_cut(&dialogue->connection);
    dialogue->unsettled = true;
    dialogue_answer(dialogue, code, dialogue->reply.text, now_ns);
    if (doubt != NULL || code == 421)
        dialogue_close(dialogue, now_ns);
    else
        dialogue_ready(dialogue, now_ns);
}

/* -- replies ----------------------------------------------------------------------------------- */

static void dialogue_welcome(struct dialogue *dialogue, int64_t now_ns)
{
    dialogue->events->welcomed(dialogue->context, dialogue, now_ns);
    if (dialogue->state == DIALOGUE_EHLO)
        dialogue->offers = dialogue->reply.offers;
    reply_start(&dialogue->reply);
    if (dialogue->transaction != NULL)
        dialogue_start(dialogue, now_ns);
    else
        dialogue_ready(dialogue, now_ns);
}

static void dialogue_hello_reply(struct dialogue *dialogue, int64_t now_ns)
{
    unsigned code = dialogue->reply.code;
    enum dialogue_state state = dialogue->state;

    if (code / 100 == 3) {
        dialogue_fail(dialogue, RELAY_BROKEN, "unexpected answer to the connection", now_ns);
        return;
    }
    if (state == DIALOGUE_EHLO && code >= 500) {
        reply_start(&dialogue->reply);
        dialogue_hello(dialogue, DIALOGUE_HELO, now_ns);
    } else if (code >= 400) {
        dialogue_unwelcome(dialogue, state == DIALOGUE_GREETING ? "the server" : "EHLO", now_ns);
    } else if (state == DIALOGUE_GREETING) {
        reply_start(&dialogue->reply);
        dialogue_hello(dialogue, DIALOGUE_EHLO, now_ns);
    } else {
        dialogue_welcome(dialogue, now_ns);
    }
}

static void dialogue_reply(struct dialogue *dialogue, int64_t now_ns)
{
    switch (dialogue->state) {
    case DIALOGUE_GREETING:
    case DIALOGUE_EHLO:
    case DIALOGUE_HELO:
        dialogue_hello_reply(dialogue, now_ns);
        return;
    case DIALOGUE_ENVELOPE:
        dialogue_envelope_reply(dialogue, now_ns);
        return;
    case DIALOGUE_DATA:
        dialogue_data_reply(dialogue, now_ns);
        return;
    case DIALOGUE_BODY:
        dialogue_early_reply(dialogue, now_ns);
        return;
    case DIALOGUE_ANSWER:
        dialogue_final_reply(dialogue, now_ns);
        return;
    case DIALOGUE_RESET:
        if (dialogue->reply.code / 100 == 2) {
            dialogue_ready(dialogue, now_ns);
            return;
        }
        break;
    default: /* idle or quitting: nothing it says matters */
        break;
    }
    dialogue_close(dialogue, now_ns);
}

static void dialogue_input(void *context, int64_t now_ns)
{
    struct dialogue *dialogue = context;

    while (dialogue->state > DIALOGUE_CONNECTING && dialogue->state != DIALOGUE_CLOSED) {
        struct evbuffer *input = connection_input(&dialogue->connection);
        struct evbuffer_iovec piece;
        enum reply_progress progress;
        size_t used;

        if (evbuffer_peek(input, -1, NULL, &piece, 1) < 1 || piece.iov_len == 0)
            return;
        if (dialogue->state == DIALOGUE_IDLE) {
            dialogue_close(dialogue, now_ns);
            return;
        }
        progress = reply_feed(&dialogue->reply, piece.iov_base, piece.iov_len, &used);
        (void)evbuffer_drain(input, used);
        if (progress == REPLY_MORE)
            continue;
        if (progress == REPLY_BAD) {
            dialogue_fail(dialogue, RELAY_BROKEN, "the server's answer is not SMTP", now_ns);
            return;
        }
        /* The reply is whole: what is left counts as the next one. */
        dialogue->reply.bytes = 0;
        dialogue_reply(dialogue, now_ns);
        if (dialogue->state != DIALOGUE_CLOSED)
            reply_start(&dialogue->reply);
    }
}

static void dialogue_drained(void *context, int64_t now_ns)
{
    struct dialogue *dialogue = context;

    if (dialogue->state == DIALOGUE_ENVELOPE)
        dialogue_send_envelope(dialogue);
    else if (dialogue->state == DIALOGUE_BODY)
        dialogue_fill(dialogue, now_ns);
}

static const char *dialogue_waited_for(const struct dialogue *dialogue)
{
    static const char *const things[] = {
        [DIALOGUE_GREETING] = "timed out waiting for the greeting",
        [DIALOGUE_EHLO] = "timed out waiting for the answer to EHLO",
        [DIALOGUE_HELO] = "timed out waiting for the answer to EHLO",
        [DIALOGUE_ENVELOPE] = "timed out waiting for the answer to RCPT",
        [DIALOGUE_DATA] = "timed out waiting for the answer to DATA",
        [DIALOGUE_BODY] = "timed out sending the message",
        [DIALOGUE_ANSWER] = "timed out waiting for the answer to the end of data",
        [DIALOGUE_CLOSED] = NULL,
    };

    if (dialogue->state == DIALOGUE_ENVELOPE && dialogue->envelope.answered == 0)
        return "timed out waiting for the answer to MAIL";
    return things[dialogue->state] != NULL ? things[dialogue->state] : "timed out";
}

/* The message's own time is over: that is no word on the server. */
static bool dialogue_out_of_time(const struct dialogue *dialogue, int64_t now_ns)
{
    return dialogue->transaction != NULL && dialogue->state < DIALOGUE_ANSWER &&
           now_ns >= dialogue->transaction->dot_ns;
}

static void dialogue_lost(void *context, enum connection_fault fault, const char *why,
                          int64_t now_ns)
{
    struct dialogue *dialogue = context;
    enum relay_outcome outcome = dialogue->state < DIALOGUE_IDLE ? RELAY_UNREACHABLE : RELAY_BROKEN;

    if (fault == CONNECTION_FAULT_OURS || dialogue_out_of_time(dialogue, now_ns))
        outcome = RELAY_REFUSED;
    dialogue_fail(dialogue, outcome, why, now_ns);
}

static void dialogue_timed_out(void *context, int64_t now_ns)
{
    struct dialogue *dialogue = context;

    if (dialogue->state == DIALOGUE_IDLE)
        dialogue_quit(dialogue, now_ns);
    else if (dialogue->state == DIALOGUE_RESET || dialogue->state == DIALOGUE_QUITTING)
        dialogue_close(dialogue, now_ns);
    else
        dialogue_lost(dialogue, CONNECTION_FAULT_PEER, dialogue_waited_for(dialogue), now_ns);
}

void dialogue_open(struct dialogue *dialogue, struct loop *loop, struct resolver *resolver,
                   const char *host, uint16_t port, struct transaction *transaction, int64_t now_ns)
{
    static const struct connection_events events = {.connected = dialogue_connected,
                                                    .input = dialogue_input,
                                                    .drained = dialogue_drained,
                                                    .timed_out = dialogue_timed_out,
                                                    .lost = dialogue_lost};
    int64_t limit_ns = dialogue->settings->connect_timeout_ns;

    CHECK(dialogue->state == DIALOGUE_CONNECTING && dialogue->events != NULL);
    if (transaction != NULL) {
        dialogue_hold(dialogue, transaction);
        if (transaction->dot_ns - now_ns < limit_ns)
            limit_ns = transaction->dot_ns - now_ns;
    }
    connection_open(&dialogue->connection, loop, resolver, host, port, limit_ns, &events, dialogue,
                    now_ns);
}

void dialogue_rest(struct dialogue *dialogue, int64_t now_ns)
{
    CHECK(dialogue->state == DIALOGUE_IDLE && dialogue->transaction == NULL);
    dialogue_set_timeout(dialogue, dialogue->settings->idle_timeout_ns, now_ns);
}

void dialogue_quit(struct dialogue *dialogue, int64_t now_ns)
{
    CHECK(dialogue->state == DIALOGUE_IDLE && dialogue->transaction == NULL);
    dialogue->state = DIALOGUE_QUITTING;
    reply_start(&dialogue->reply);
    connection_send(&dialogue->connection, "QUIT\r\n");
    connection_set_timeout(&dialogue->connection, now_ns + DIALOGUE_QUIT_NS, now_ns);
}
