/* MAIL: who sends. */
#include <string.h>

#include "dataplane/smtp/state.h"

void smtp_transaction_mail(struct smtp_call *call, const char *text, size_t length)
{
    struct smtp_session *session = call->session;
    struct smtp_parameters parameters;
    struct smtp_path path;
    const char *refused;
    char *sender;
    size_t used;

    if (call->server->draining) {
        smtp_transaction_end(call, MAIL_CUT_OFF, SMTP_SHUTTING_DOWN);
        smtp_transaction_refuse(call, "MAIL", "", SMTP_SHUTTING_DOWN);
        smtp_close(call);
        return;
    }
    if (session->helo_length == 0) {
        smtp_transaction_bad(call, "MAIL", "503 5.5.1 Error: send EHLO or HELO first");
        return;
    }
    if (session->has_sender) {
        smtp_transaction_bad(call, "MAIL", "503 5.5.1 Error: nested MAIL command");
        return;
    }
    if (smtp_path_parse(text, length, &path, &used) != STATUS_OK ||
        (path.mailbox_length > 0 && path.domain_length == 0) ||
        path.mailbox_length >= SMTP_SENDER_BYTES) {
        smtp_transaction_bad(call, "MAIL", "501 5.1.7 Bad sender address syntax");
        return;
    }
    refused = smtp_parameters_parse(&parameters, text + used, length - used);
    if (refused != NULL) {
        smtp_transaction_bad(call, "MAIL", refused);
        return;
    }
    sender = smtp_sender_room(session, path.mailbox_length + 1);
    memcpy(sender, path.mailbox, path.mailbox_length);
    sender[path.mailbox_length] = '\0';
    if (parameters.has_size && parameters.size > smtp_config(call)->limits.message_bytes) {
        smtp_transaction_refuse(call, "MAIL", "", smtp_refusal_text(MAIL_TOO_LARGE, false));
        sender[0] = '\0';
        return;
    }
    session->has_sender = true;
    session->message_flags = parameters.eight_bit ? MESSAGE_FLAG_8BITMIME : 0;
    session->mail_ns = call->now_ns;
    smtp_say(call, "250 2.1.0 Ok");
}
