/* MAIL: who sends. */
#include <string.h>

#include "dataplane/smtp/state.h"

_Static_assert(SMTP_MAILBOX_BYTES < SMTP_SENDER_BYTES, "every sender fits a session");

const char *smtp_mail_check(struct smtp_argument *argument)
{
    const struct config *config = argument->config;
    struct smtp_path *path = &argument->path;
    bool strict = config->smtp.strict_addresses;
    size_t used;

    if (!smtp_argument_keyword(argument, "FROM:"))
        return "501 5.5.4 Syntax: MAIL FROM:<address>";
    if (smtp_argument_path(argument, &used) != STATUS_OK)
        return "501 5.1.7 Bad sender address syntax";
    /* No path of RFC 5321 lacks a domain. Whoever would send a bounce there asks us for it, as if
     * we had been the first host that the mail came to. */
    if (path->mailbox_length > 0 && path->domain_length == 0 &&
        (strict || smtp_path_complete(path, config->hostname, argument->mailbox) != STATUS_OK))
        return "501 5.1.7 Bad sender address syntax";
    return smtp_parameters_parse(&argument->parameters, argument->text + used,
                                 argument->length - used,
                                 strict ? SMTP_UNOFFERED_NONE : SMTP_UNOFFERED_MAIL);
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
