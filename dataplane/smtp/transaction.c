/* The end of what MAIL began, and refusals. */
#include "dataplane/counting.h"
#include "dataplane/smtp/state.h"

void smtp_transaction_end(struct smtp_call *call, enum mail_outcome outcome, const char *status)
{
    struct smtp_session *session = call->session;
    struct message *message = session->message;

    session->message = NULL;
    session->has_sender = false;
    session->message_flags = 0;
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
    char client[46];

    tcp_peer_text(call->connection, client);
    call->server->service.rejected(call->server->service.context, command, client,
                                   smtp_helo(call->session), smtp_sender(call->session), "", reply,
                                   call->now_ns);
    smtp_command_bad(call, reply);
}
