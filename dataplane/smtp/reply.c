/* What is said, and counted as said. */
#include <string.h>

#include "dataplane/counting.h"
#include "dataplane/smtp/state.h"
#include "platform/check.h"

void smtp_line_begin(struct smtp_line *line, const char *string)
{
    line->text = (struct smtp_text){line->bytes, SMTP_LINE_BYTES, 0};
    smtp_text_string(&line->text, string);
}

/* Keeps a reply that nothing is left to queue in for `writable`, as one line that fits. */
static void reply_keep(struct smtp_session *session, const char *bytes, size_t length)
{
    const char *end = memchr(bytes, '\r', length);
    size_t line = end == NULL ? length : (size_t)(end - bytes);
    char *kept;

    if (line > SMTP_SENDER_BYTES - 3)
        line = SMTP_SENDER_BYTES - 3;
    kept = smtp_sender_room(session, line + 3);
    memcpy(kept, bytes, line);
    kept[3] = ' '; /* the only line now */
    memcpy(kept + line, "\r\n", 3);
    session->pending_length = (uint16_t)(line + 2);
}

void smtp_say_lines(struct smtp_call *call, const char *bytes, size_t length)
{
    struct smtp_session *session = call->session;
    enum status status = stream_send(call->stream, bytes, length);

    if (bytes[0] == '4')
        count(call->server->counters, COUNTER_SMTP_REPLIES_4XX);
    if (bytes[0] == '5')
        count(call->server->counters, COUNTER_SMTP_REPLIES_5XX);
    if (status != STATUS_NO_SPACE || session->state == SMTP_CLOSING)
        return;
    if (smtp_has_sender(session) || session->pending_length > 0) {
        /* Unheard of: room was made sure of before the command was read. Without its reply the
         * dialogue cannot go on. */
        smtp_move(call, SMTP_CLOSING);
        stream_abort(call->stream);
        return;
    }
    reply_keep(session, bytes, length);
}

bool smtp_say_pending(struct smtp_call *call)
{
    struct smtp_session *session = call->session;

    if (session->pending_length == 0)
        return true;
    if (stream_send(call->stream, smtp_sender(session), session->pending_length) == STATUS_NO_SPACE)
        return false;
    session->pending_length = 0;
    smtp_sender_room(session, 1)[0] = '\0';
    return true;
}

void smtp_line_say(struct smtp_call *call, struct smtp_line *line)
{
    size_t length = line->text.used;

    memcpy(line->bytes + length, "\r\n", 3);
    smtp_say_lines(call, line->bytes, length + 2);
    line->bytes[length] = '\0';
}

void smtp_say(struct smtp_call *call, const char *string)
{
    struct smtp_line line;

    smtp_line_begin(&line, string);
    smtp_line_say(call, &line);
}

void smtp_log_refused(struct smtp_call *call, const char *command, const char *recipient,
                      const char *reply)
{
    const struct smtp_session *session = call->session;
    char client[46];

    stream_peer_text(call->stream, client);
    call->server->service.rejected(call->server->service.context, command, client,
                                   smtp_helo(session), smtp_sender(session), recipient, reply,
                                   call->now_ns);
}

void smtp_say_refused(struct smtp_call *call, const char *command, const char *recipient,
                      struct smtp_line *line)
{
    line->bytes[line->text.used] = '\0';
    smtp_log_refused(call, command, recipient, line->bytes);
    smtp_line_say(call, line);
}

void smtp_say_closing(struct smtp_call *call, const char *code, const char *words)
{
    struct smtp_line line;

    smtp_line_begin(&line, code);
    smtp_text_string(&line.text, " ");
    smtp_text_string(&line.text, smtp_config(call)->hostname);
    smtp_text_string(&line.text, " ");
    smtp_text_string(&line.text, words);
    smtp_move(call, SMTP_CLOSING); /* a peer that let replies pile up loses this one */
    smtp_line_say(call, &line);
    smtp_close(call);
}

void smtp_close(struct smtp_call *call)
{
    smtp_move(call, SMTP_CLOSING);
    stream_set_deadline(call->stream, 0);
    stream_close(call->stream);
}
