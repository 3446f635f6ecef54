/* What a stream tells, and the order in which a session gets on with its work. */
#include "dataplane/smtp/session.h"

#include <string.h>

#include "dataplane/smtp/plain.h"
#include "dataplane/smtp/state.h"
#include "platform/check.h"
#include "platform/clock.h"

/* Whether any reply can be said now, and a block to say it in is there: an empty stream_send()
 * takes one. Only a refused one makes the stream call `writable`. */
static bool session_reply_room(struct smtp_call *call)
{
    static const char blanks[SMTP_REPLY_ROOM];
    bool space = stream_send_space(call->stream) >= SMTP_REPLY_ROOM;

    return stream_send(call->stream, blanks, space ? 0 : sizeof(blanks)) == STATUS_OK && space;
}

/* Copies the next line, CRLF included; returns its length, 0 when it is not complete. One that
 * cannot become complete within SMTP_COMMAND_BYTES is consumed as far as it goes and the rest is
 * skipped. An LF alone ends no command: it is answered at once, and the rest up to CRLF is skipped.
 */
static uint32_t session_line(struct smtp_call *call, char line[SMTP_COMMAND_BYTES])
{
    struct smtp_session *session = call->session;
    struct block_span span;
    uint32_t used = 0;

    while (used < SMTP_COMMAND_BYTES && stream_peek(call->stream, used, &span)) {
        uint32_t part = SMTP_COMMAND_BYTES - used;
        const uint8_t *feed;

        if (part > span.length)
            part = span.length;
        feed = memchr(span.bytes, '\n', part);
        if (feed != NULL)
            part = (uint32_t)(feed - span.bytes) + 1;
        memcpy(line + used, span.bytes, part);
        used += part;
        if (feed != NULL && used >= 2 && line[used - 2] == '\r')
            return used;
        if (feed != NULL) {
            session->skipping = true;
            session->skipped = true;
            session->skipped_cr = false;
            stream_consume(call->stream, used);
            return 0;
        }
    }
    if (used == SMTP_COMMAND_BYTES) {
        session->skipping = true;
        session->skipped_cr = line[used - 1] == '\r';
        stream_consume(call->stream, used);
    }
    return 0;
}

/* Drops what belongs to a line that is no command, up to its CRLF, or to an LF alone: each is
 * answered. */
static void session_skip(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    struct block_span span;

    while (session->skipping && !session->skipped && stream_peek(call->stream, 0, &span)) {
        uint32_t used = 0;

        while (used < span.length && !session->skipped) {
            const uint8_t *feed = memchr(span.bytes + used, '\n', span.length - used);
            uint32_t stop = feed == NULL ? span.length : (uint32_t)(feed - span.bytes);

            if (stop > used)
                session->skipped_cr = span.bytes[stop - 1] == '\r';
            if (feed != NULL) {
                session->skipped = true;
                session->skipping = !session->skipped_cr;
                session->skipped_cr = false;
                stop++;
            }
            used = stop;
        }
        stream_consume(call->stream, used);
    }
}

/* Less than a quarter of the blocks is free, the part kept back from data included. */
static bool session_memory_short(const struct smtp_call *call)
{
    const struct store *store = call->server->store;

    return block_available(store, BLOCK_FOR_DATA) < store->block_count / 8;
}

/* Each byte buys the time that limits.data_rate allows for it, and nobody has more than
 * limits.data_timeout in hand: megabytes sent at once must not pay for days of trickling with all
 * of them held. When memory is short, time is dearer. */
static void session_pay(struct smtp_call *call, uint64_t bytes)
{
    const struct config_limits *limits = &smtp_config(call)->limits;
    uint64_t rate = limits->data_rate;
    int64_t most_ns = call->now_ns + limits->data_timeout_ns;
    int64_t paid_ns;

    if (session_memory_short(call))
        rate *= SMTP_SHORTAGE_RATE;
    if (bytes > UINT64_MAX / CLOCK_NS_PER_SECOND ||
        __builtin_add_overflow(call->session->paid_ns, bytes * CLOCK_NS_PER_SECOND / rate,
                               &paid_ns) ||
        paid_ns > most_ns)
        paid_ns = most_ns;
    call->session->paid_ns = paid_ns;
}

/* More of a message is here. */
static void session_advance(struct smtp_call *call)
{
    struct message *message = call->session->message;

    pace_note(&message->pace, message->shared->size, call->now_ns);
    smtp_grow(call);
}

/* When a message that waits for room is looked at next. Whatever comes meanwhile does not put that
 * off: its window stays open for what it was promised. */
static int64_t session_next_look(const struct smtp_call *call)
{
    int64_t since_ns = call->session->message->admission.since_ns;
    int64_t looks = (call->now_ns - since_ns) / SMTP_ADMISSION_POLL_NS;

    return since_ns + (looks + 1) * SMTP_ADMISSION_POLL_NS;
}

static void session_set_deadline(struct smtp_call *call)
{
    const struct config *config = smtp_config(call);

    if (smtp_reads_commands(call->session))
        stream_set_deadline(call->stream, call->now_ns + config->limits.command_timeout_ns);
    else if (smtp_grow_waits(call->session))
        stream_set_deadline(call->stream, session_next_look(call));
    else if (call->session->state == SMTP_DATA || call->session->state == SMTP_DISCARD)
        stream_set_deadline(call->stream, call->session->paid_ns);
}

/* A TLS handshake record (RFC 8446 5.1): the first bytes of a client that takes this for another
 * port. */
static bool session_begins_tls(const struct smtp_call *call)
{
    struct block_span span;

    return stream_peek(call->stream, 0, &span) && span.bytes[0] == 0x16 &&
           stream_peek(call->stream, 1, &span) && span.bytes[0] == 0x03;
}

/* What came of trying to handle one command. */
enum session_progress { SESSION_DONE, SESSION_INCOMPLETE, SESSION_NO_ROOM };

static enum session_progress session_command(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    char line[SMTP_COMMAND_BYTES];
    bool tls = session->state == SMTP_CONNECTED && session_begins_tls(call);
    uint32_t length = 0;

    if (!tls && !session->skipping && !session->skipped)
        length = session_line(call, line);
    if (session->skipping)
        session_skip(call);
    if (length == 0 && !session->skipped && !tls)
        return SESSION_INCOMPLETE;
    if (!session_reply_room(call))
        return SESSION_NO_ROOM;
    if (tls) {
        smtp_command_foreign(call, "421 4.7.0 Not SMTP: TLS");
    } else if (session->skipped) {
        session->skipped = false;
        smtp_command_garbled(call);
    } else {
        stream_consume(call->stream, length);
        smtp_command_line(call, line, length - 2);
    }
    session_set_deadline(call);
    return SESSION_DONE;
}

/* Nobody will send the rest of what is there. */
static void session_end(struct smtp_call *call)
{
    smtp_transaction_end(call, MAIL_CUT_OFF, smtp_refusal_text(MAIL_CUT_OFF, SMTP_FAULT_NONE));
    smtp_close(call);
}

/* Does all that can be done now. Bounded by the window and by the room for replies. */
static void session_run(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    bool more = true;

    while (more) {
        if (!smtp_say_pending(call))
            return;
        switch ((enum smtp_state)session->state) {
        case SMTP_CONNECTED:
        case SMTP_GREETED:
        case SMTP_MAIL:
        case SMTP_RECIPIENT:
            switch (session_command(call)) {
            case SESSION_DONE:
                break;
            case SESSION_INCOMPLETE:
                more = false;
                break;
            case SESSION_NO_ROOM:
                return;
            }
            break;
        case SMTP_DATA:
        case SMTP_DISCARD:
            more = stream_readable(call->stream) > 0;
            if (more) {
                uint64_t before = session->drained_bytes;

                smtp_data_read(call);
                session_pay(call, session->drained_bytes - before);
                if (session->state == SMTP_DATA)
                    session_advance(call);
                session_set_deadline(call);
            }
            break;
        case SMTP_ADMITTING:
        case SMTP_WAITING:
        case SMTP_CLOSING:
        case SMTP_STATES:
            return;
        }
    }
    if (session->finished)
        session_end(call);
}

static struct smtp_call session_call(void *context, struct stream *stream, int64_t now_ns)
{
    struct smtp_call call = {context, stream, stream_session(stream), now_ns};

    return call;
}

static void session_opened(void *context, struct stream *stream, int64_t now_ns)
{
    struct smtp_call call = session_call(context, stream, now_ns);
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

static void session_readable(void *context, struct stream *stream, int64_t now_ns)
{
    struct smtp_call call = session_call(context, stream, now_ns);

    session_run(&call);
}

static void session_finished(void *context, struct stream *stream, int64_t now_ns)
{
    struct smtp_call call = session_call(context, stream, now_ns);

    call.session->finished = true;
    session_run(&call);
}

/* There was no room for a message, or for more of it: is there now? */
static void session_ask_again(struct smtp_call *call)
{
    if (call->session->state == SMTP_ADMITTING)
        smtp_admit_again(call);
    else
        smtp_grow_again(call);
    session_set_deadline(call);
    session_run(call);
}

static void session_expired(void *context, struct stream *stream, int64_t now_ns)
{
    struct smtp_call call = session_call(context, stream, now_ns);

    if (call.session->state == SMTP_WAITING || call.session->state == SMTP_CLOSING)
        return;
    if (call.session->state == SMTP_ADMITTING || smtp_grow_waits(call.session)) {
        session_ask_again(&call);
        return;
    }
    smtp_transaction_end(&call, MAIL_CUT_OFF, "421 4.4.2 Error: timeout exceeded");
    smtp_say_closing(&call, "421 4.4.2", "Error: timeout exceeded");
}

static void session_closed(void *context, struct stream *stream, int64_t now_ns)
{
    struct smtp_call call = session_call(context, stream, now_ns);
    struct smtp_session *session = call.session;
    struct message *message = session->message;

    if (session->state == SMTP_WAITING) {
        session->message = NULL;
        smtp_move(&call, SMTP_CLOSING);
        call.server->service.abandon(call.server->service.context, message, now_ns);
    } else {
        smtp_move(&call, SMTP_CLOSING);
        smtp_transaction_end(&call, MAIL_CUT_OFF, smtp_refusal_text(MAIL_CUT_OFF, SMTP_FAULT_NONE));
    }
}

void smtp_server_application(struct smtp_server *server, struct stream_application *application)
{
    smtp_plain_init();
    smtp_admit_fit(server);
    *application = (struct stream_application){
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

void smtp_finish(struct smtp_server *server, struct stream *stream, const struct message *message,
                 const char *reply, size_t length, int64_t now_ns)
{
    struct smtp_call call = session_call(server, stream, now_ns);

    CHECK(call.session->state == SMTP_WAITING && call.session->message == message);
    CHECK(length <= SMTP_RESULT_BYTES);
    smtp_move(&call, SMTP_GREETED);
    /* The caller's from here on: this only forgets it, nothing is concluded. */
    call.session->message = NULL;
    smtp_transaction_end(&call, MAIL_CUT_OFF, "");
    smtp_say_lines(&call, reply, length);
    if (server->draining && call.session->pending_length == 0) {
        smtp_say_closing(&call, "421 4.3.2", "Service shutting down, try again later");
        return;
    }
    session_set_deadline(&call);
    session_run(&call);
}
