/* MAIL: who sends. */
#include <string.h>

#include "dataplane/smtp/state.h"

const char *smtp_mail_check(struct smtp_argument *argument)
{
    struct smtp_path *path = &argument->path;
    size_t used;

    if (!smtp_argument_keyword(argument, "FROM:"))
        return "501 5.5.4 Syntax: MAIL FROM:<address>";
    if (smtp_path_parse(argument->text, argument->length, path, &used) != STATUS_OK ||
        (path->mailbox_length > 0 && path->domain_length == 0) ||
        path->mailbox_length >= SMTP_SENDER_BYTES)
        return "501 5.1.7 Bad sender address syntax";
    return smtp_parameters_parse(&argument->parameters, argument->text + used,
                                 argument->length - used);
}

void smtp_mail(struct smtp_call *call, const struct smtp_argument *argument)
{
    struct smtp_session *session = call->session;
    const struct smtp_path *path = &argument->path;
    const struct smtp_parameters *parameters = &argument->parameters;
    char *sender;

    if (call->server->draining) {
        smtp_transaction_refuse(call, "MAIL", "", SMTP_SHUTTING_DOWN);
        smtp_close(call);
        return;
    }
    sender = smtp_sender_room(session, path->mailbox_length + 1);
    memcpy(sender, path->mailbox, path->mailbox_length);
    sender[path->mailbox_length] = '\0';
    if (parameters->has_size && parameters->size > smtp_message_bytes(call)) {
        smtp_transaction_refuse(call, "MAIL", "",
                                smtp_refusal_text(MAIL_TOO_LARGE, SMTP_FAULT_NONE));
        sender[0] = '\0';
        return;
    }
    smtp_move(call, SMTP_MAIL);
    session->message_flags = parameters->eight_bit ? MESSAGE_FLAG_8BITMIME : 0;
    session->announced_bytes = parameters->has_size ? (uint32_t)parameters->size : 0;
    session->mail_ns = call->now_ns;
    smtp_say(call, "250 2.1.0 Ok");
}
