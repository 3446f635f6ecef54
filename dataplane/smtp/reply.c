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
    enum status status = tcp_send(call->connection, bytes, length);

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
        tcp_abort(call->connection);
        return;
    }
    reply_keep(session, bytes, length);
}

bool smtp_say_pending(struct smtp_call *call)
{
    struct smtp_session *session = call->session;

    if (session->pending_length == 0)
        return true;
    if (tcp_send(call->connection, smtp_sender(session), session->pending_length) ==
        STATUS_NO_SPACE)
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

void smtp_say_refused(struct smtp_call *call, const char *command, const char *recipient,
                      struct smtp_line *line)
{
    const struct smtp_session *session = call->session;
    char client[46];

    line->bytes[line->text.used] = '\0';
    tcp_peer_text(call->connection, client);
    call->server->service.rejected(call->server->service.context, command, client,
                                   smtp_helo(session), smtp_sender(session), recipient, line->bytes,
                                   call->now_ns);
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
    tcp_set_deadline(call->connection, 0);
    tcp_close(call->connection);
}

const char *smtp_refusal_text(enum mail_outcome outcome, bool loop)
{
    switch (outcome) {
    case MAIL_TOO_LARGE:
        return "552 5.3.4 Message size exceeds fixed limit";
    case MAIL_NO_ROOM:
        return "452 4.3.1 Insufficient system storage";
    case MAIL_MALFORMED:
        return loop ? "554 5.4.6 Too many hops"
                    : "550 5.5.2 Bare CR or LF in message data: lines end with CRLF";
    case MAIL_CUT_OFF:
        return "421 4.4.2 Connection lost before end of data";
    default:
        return "451 4.4.2 Connection lost while waiting for the reply";
    }
}

/* RFC 3463: class "." subject "." detail at the start of `text`, of the class that `code` has.
 * Returns its length, or 0. */
static size_t reply_enhanced(unsigned code, const char *text, size_t length)
{
    size_t at = 0;

    if (length == 0 || text[0] != (char)('0' + code / 100))
        return 0;
    at = 1;
    for (unsigned part = 0; part < 2; part++) {
        size_t start;

        if (at >= length || text[at] != '.')
            return 0;
        start = ++at;
        while (at < length && at - start < 3 && text[at] >= '0' && text[at] <= '9')
            at++;
        if (at == start)
            return 0;
    }
    return at == length || text[at] == ' ' ? at : 0;
}

/* The customer's words are only a guest in our dialogue: the code has the class that the outcome
 * has, and none that would mean something else here (421 closes, 354 asks for data). */
static unsigned reply_customer_code(const struct mail_result *result)
{
    unsigned code = result->code;

    switch (result->outcome) {
    case MAIL_DELIVERED:
        return code / 10 == 25 ? code : 250;
    case MAIL_RELAY_TEMPORARY:
        return code / 100 == 4 && code != 421 ? code : 451;
    default:
        return code / 100 == 5 && code != 521 ? code : 554;
    }
}

static void reply_id(struct smtp_text *text, const struct message *message)
{
    smtp_text_string(text, " [");
    smtp_text_string(text, message->id);
    smtp_text_string(text, "] ");
}

/* Line by line, code and enhanced code on each (RFC 2034 4), our id on the first. */
static void reply_customer(struct smtp_text *text, const struct message *message,
                           const struct mail_result *result)
{
    unsigned code = reply_customer_code(result);
    const char *rest = result->text != NULL ? result->text : "";
    char enhanced[8] = {(char)('0' + code / 100), '.', '0', '.', '0', '\0'};
    size_t own = reply_enhanced(code, rest, strcspn(rest, "\n"));
    bool first = true;
    bool more = true;

    if (own > 0 && own < sizeof(enhanced)) {
        memcpy(enhanced, rest, own);
        enhanced[own] = '\0';
    }
    while (more) {
        size_t length = strcspn(rest, "\n");
        size_t skip = reply_enhanced(code, rest, length);
        size_t prefix = 4 + strlen(enhanced) + (first ? strlen(message->id) + 4 : 1);
        size_t start = text->used;
        size_t space = text->size - start;

        more = rest[length] == '\n' && rest[length + 1] != '\0' && space > 2 * SMTP_LINE_BYTES;
        smtp_text_number(text, code, 3);
        smtp_text_string(text, more ? "-" : " ");
        smtp_text_string(text, enhanced);
        if (first)
            reply_id(text, message);
        else
            smtp_text_string(text, " ");
        if (skip > 0 && rest[skip] == ' ')
            skip++;
        if (space > SMTP_LINE_BYTES)
            space = SMTP_LINE_BYTES;
        if (space > prefix + 2)
            smtp_text_safe(text, rest + skip, length - skip, space - prefix - 2);
        smtp_text_string(text, "\r\n");
        rest += length + (more ? 1 : 0);
        first = false;
    }
}

static void reply_ours(struct smtp_text *text, const struct message *message, const char *code,
                       const char *words, const char *detail, const char *end)
{
    smtp_text_string(text, code);
    reply_id(text, message);
    smtp_text_string(text, words);
    if (detail != NULL)
        smtp_text_safe(text, detail, strlen(detail), 320);
    smtp_text_string(text, end);
    smtp_text_string(text, "\r\n");
}

/* Not relayed: with control's own enhanced code, where it gave one. */
static void reply_no_relay(struct smtp_text *text, const struct message *message,
                           const struct mail_result *result)
{
    bool told = result->text != NULL && result->text[0] != '\0';
    const char *words = told ? result->text : "The recipient's mail server cannot be reached now";
    size_t own = reply_enhanced(451, words, strlen(words));
    char code[sizeof("451 4.999.999")] = "451 4.4.1";

    if (own > 0 && 4 + own < sizeof(code)) {
        memcpy(code + 4, words, own);
        code[4 + own] = '\0';
        words += words[own] == ' ' ? own + 1 : own;
    }
    reply_ours(text, message, code, "", words, "");
}

size_t smtp_result_reply(const struct message *message, const struct mail_result *result,
                         char *bytes, size_t size)
{
    struct smtp_text text = {bytes, size, 0};
    const char *name = result->name != NULL ? result->name : "unknown";

    CHECK(size >= 512);
    switch (result->outcome) {
    case MAIL_DELIVERED:
    case MAIL_RELAY_TEMPORARY:
    case MAIL_RELAY_PERMANENT:
        reply_customer(&text, message, result);
        break;
    case MAIL_INFECTED:
        reply_ours(&text, message, "554 5.7.1", "Message rejected: virus found (", name, ")");
        break;
    case MAIL_UNSCANNABLE:
        if (result->policy == CONFIG_POLICY_REJECT)
            reply_ours(&text, message, "554 5.7.1", "Message rejected: ", name, "");
        else
            reply_ours(&text, message, "451 4.7.1", "Cannot scan now: ", name, "");
        break;
    case MAIL_NO_RELAY:
        reply_no_relay(&text, message, result);
        break;
    default:
        smtp_text_string(&text, smtp_refusal_text(result->outcome, false));
        smtp_text_string(&text, "\r\n");
        break;
    }
    return text.used;
}
