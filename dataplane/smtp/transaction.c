/* The end of what MAIL began, and refusals. */
#include <string.h>
#include <strings.h>

#include "dataplane/counting.h"
#include "dataplane/smtp/state.h"

void smtp_transaction_end(struct smtp_call *call, enum mail_outcome outcome, const char *status)
{
    struct smtp_session *session = call->session;
    struct message *message = session->message;

    if (session->state >= SMTP_MAIL && session->state <= SMTP_ADMITTING)
        smtp_move(call, SMTP_GREETED);
    session->message = NULL;
    session->message_flags = 0;
    session->announced_bytes = 0;
    smtp_sender_room(session, 1)[0] = '\0';
    if (message != NULL)
        call->server->service.conclude(call->server->service.context, message, outcome, status,
                                       call->now_ns);
}

void smtp_transaction_refuse(struct smtp_call *call, const char *command, const char *recipient,
                             const char *reply)
{
    struct smtp_line line;

    smtp_line_begin(&line, reply);
    smtp_say_refused(call, command, recipient, &line);
}

bool smtp_command_bad(struct smtp_call *call, const char *reply)
{
    count(call->server->counters, COUNTER_SMTP_BAD_COMMANDS);
    if (call->session->bad_commands >= smtp_config(call)->limits.bad_commands) {
        smtp_transaction_end(call, MAIL_CUT_OFF, "421 4.7.0 Too many errors");
        smtp_say_closing(call, "421 4.7.0", "Error: too many errors");
        return true;
    }
    call->session->bad_commands++;
    smtp_say(call, reply);
    return false;
}

void smtp_transaction_bad(struct smtp_call *call, const char *command, const char *reply)
{
    smtp_log_refused(call, command, "", reply);
    smtp_command_bad(call, reply);
}

bool smtp_argument_keyword(struct smtp_argument *argument, const char *keyword)
{
    size_t length = strlen(keyword);

    if (argument->length < length || strncasecmp(argument->text, keyword, length) != 0)
        return false;
    while (length < argument->length && argument->text[length] == ' ')
        length++;
    argument->text += length;
    argument->length -= length;
    return true;
}

enum status smtp_argument_path(struct smtp_argument *argument, size_t *used)
{
    enum status status = smtp_path_parse(argument->text, argument->length, &argument->path, used);

    if (status == STATUS_OK || argument->config->smtp.strict_addresses)
        return status;
    return smtp_path_parse_loosely(argument->text, argument->length, &argument->path,
                                   argument->mailbox, used);
}
