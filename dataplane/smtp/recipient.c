/* RCPT: who is to have it; with the first one a message slot is taken. */
#include <string.h>
#include <strings.h>

#include "dataplane/counting.h"
#include "dataplane/message/share.h"
#include "dataplane/smtp/state.h"
#include "platform/check.h"

void smtp_server_identify(struct smtp_server *server, uint32_t random)
{
    struct smtp_text text = {server->id_prefix, sizeof(server->id_prefix) - 1, 0};

    smtp_text_hex(&text, random, 8);
    server->id_prefix[text.used] = '\0';
}

/* Unique for as long as logs are kept: this start of the dataplane, worker, sequence. */
static void transaction_identify(struct smtp_server *server, struct message *message)
{
    struct smtp_text text = {message->id, sizeof(message->id) - 1, 0};

    smtp_text_string(&text, server->id_prefix);
    smtp_text_hex(&text, server->worker, 2);
    smtp_text_hex(&text, ++server->sequence, 6);
    CHECK(text.used < text.size); /* not cut: 8 + 2 leave 8 digits for the sequence */
    message->id[text.used] = '\0';
}

static enum status transaction_put(struct smtp_call *call, struct message *message,
                                   enum envelope_field field, const char *string)
{
    return message_envelope_put(call->server->store, message, field, string, strlen(string));
}

static bool transaction_fill(struct smtp_call *call, struct message *message)
{
    const struct smtp_session *session = call->session;

    message->owner = stream_handle(call->stream);
    message->started_ns = session->mail_ns;
    message->shared->flags = session->message_flags;
    stream_peer_text(call->stream, message->client);
    memcpy(message->helo, smtp_helo(session), session->helo_length + 1u);
    memcpy(message->sender, smtp_sender(session), strlen(smtp_sender(session)) + 1);
    return transaction_put(call, message, ENVELOPE_ID, message->id) == STATUS_OK &&
           transaction_put(call, message, ENVELOPE_CLIENT, message->client) == STATUS_OK &&
           transaction_put(call, message, ENVELOPE_HELO, message->helo) == STATUS_OK &&
           transaction_put(call, message, ENVELOPE_PROTOCOL, session->esmtp ? "ESMTP" : "SMTP") ==
               STATUS_OK &&
           transaction_put(call, message, ENVELOPE_CUSTOMER, message->customer->config->name) ==
               STATUS_OK &&
           transaction_put(call, message, ENVELOPE_SENDER, message->sender) == STATUS_OK;
}

/* The last quarter of the slots is for senders that hold few: one that opened a transaction on each
 * of many connections, and no more, would else leave none for anybody. */
static bool transaction_crowds(const struct smtp_call *call)
{
    const struct store *store = call->server->store;

    if (message_admits(store, stream_peer_prefix(call->stream)))
        return false;
    count(call->server->counters, COUNTER_SENDER_CROWDED);
    return true;
}

/* LIMITS RCPTMAX is a promise: so many recipients fit, however long they and the rest are. */
#define RECIPIENT_FIELD_BYTES (sizeof(struct envelope_field_header) + SMTP_PATH_BYTES)
#define RECIPIENT_OTHERS      5u /* id, client, HELO, protocol, customer, sender: less than that */
_Static_assert(MESSAGE_ENVELOPE_BLOCKS_MAX *((MESSAGE_BLOCK_BYTES - MESSAGE_ENVELOPE_KEPT) /
                                             RECIPIENT_FIELD_BYTES) >=
                   CONFIG_RECIPIENTS_MAX + RECIPIENT_OTHERS,
               "an envelope holds as many recipients as may be configured");

/* A slot for the transaction's first recipient; false when there is no room. */
static bool transaction_begin(struct smtp_call *call, const struct smtp_customer *customer,
                              const char *recipient, size_t length)
{
    struct smtp_server *server = call->server;
    struct message *message;

    /* Before shedding: who crowds must not push others out either. */
    if (transaction_crowds(call))
        return false;
    message = message_take(server->store);
    if (message == NULL && smtp_shed(call, SMTP_SHED_FOR_ANY))
        message = message_take(server->store);
    if (message == NULL)
        return false;
    message->customer = customer;
    message_from(server->store, message, stream_peer_prefix(call->stream));
    pace_begin(&message->pace, 0, call->session->mail_ns);
    share_take(server->store, message, customer->share);
    memcpy(message->recipient, recipient, length + 1);
    transaction_identify(server, message);
    if (!transaction_fill(call, message) ||
        message_envelope_put(server->store, message, ENVELOPE_RECIPIENT, recipient, length) !=
            STATUS_OK) {
        message_give(server->store, message);
        return false;
    }
    call->session->message = message;
    smtp_move(call, SMTP_RECIPIENT);
    count(server->counters, COUNTER_MESSAGE_STARTED);
    return true;
}

/* A customer that holds its share already, because its server hangs most of the time: its mail
 * waits at its senders, everybody else's goes on. */
static bool recipient_crowded(const struct smtp_call *call, const struct smtp_customer *customer)
{
    return !share_admits(call->server->store, customer->share);
}

/* `code` "<recipient>: " `words`, and a line in the log. */
static void recipient_refuse(struct smtp_call *call, const char *code, const char *recipient,
                             const char *words)
{
    struct smtp_line line;

    smtp_line_begin(&line, code);
    smtp_text_string(&line.text, " <");
    smtp_text_safe(&line.text, recipient, strlen(recipient), SMTP_PATH_BYTES);
    smtp_text_string(&line.text, ">: ");
    smtp_text_string(&line.text, words);
    smtp_say_refused(call, "RCPT", recipient, &line);
}

/* Who asks for many recipients that do not exist is looking for some that do. Nothing more is told:
 * an answer for those that exist would tell which do not. */
static void recipient_harvest(struct smtp_call *call, const char *recipient)
{
    count(call->server->counters, COUNTER_SMTP_HARVESTS_CLOSED);
    smtp_log_refused(call, "RCPT", recipient, SMTP_TOO_MANY_UNKNOWN);
    smtp_transaction_end(call, MAIL_CUT_OFF, SMTP_TOO_MANY_UNKNOWN);
    smtp_say_closing(call, "421 4.7.0", "Error: too many unknown recipients");
}

/* The same for good: each is a bad command, too, and one that its client is remembered for. */
static void recipient_unknown(struct smtp_call *call, const char *code, const char *recipient,
                              const char *words)
{
    const struct config_limits *limits = &smtp_config(call)->limits;

    count(call->server->counters, COUNTER_SMTP_BAD_COMMANDS);
    count(call->server->counters, COUNTER_SMTP_INVALID_RECIPIENTS);
    if (!stream_peer_fault(call->stream, limits->invalid_recipients, call->now_ns)) {
        recipient_harvest(call, recipient);
        return;
    }
    if (call->session->bad_commands >= limits->bad_commands) {
        smtp_transaction_end(call, MAIL_CUT_OFF, SMTP_TOO_MANY_UNKNOWN);
        smtp_say_closing(call, "421 4.7.0", "Error: too many unknown recipients");
        return;
    }
    call->session->bad_commands++;
    recipient_refuse(call, code, recipient, words);
}

/* user%other@domain, other!user@domain, "user@other"@domain: the customer's server, which trusts
 * us, may take the rest for an address of its own to send on to. Where the customer has listed its
 * recipients, the list decides. */
static bool recipient_routes(const struct smtp_customer *customer, const char *local, size_t length)
{
    for (size_t i = 0; customer->config->any_recipient && i < length; i++) {
        if (local[i] == '%' || local[i] == '!' || local[i] == '@')
            return true;
    }
    return false;
}

static bool recipient_in_vain(const struct smtp_call *call, const struct smtp_customer *customer)
{
    const struct smtp_service *service = &call->server->service;

    return service->route_down != NULL && service->route_down(service->context, customer);
}

/* The customer that takes mail for `path`; null when it was refused (and said so). */
static const struct smtp_customer *
recipient_customer(struct smtp_call *call, const struct smtp_path *path, const char *recipient)
{
    const struct smtp_customers *customers = call->server->customers;
    const struct smtp_customer *customer =
        path->literal ? NULL : smtp_customers_find(customers, path->domain, path->domain_length);
    char local[SMTP_MAILBOX_BYTES];
    size_t length = smtp_local_unquoted(path, local);

    if (customer == NULL || recipient_routes(customer, local, length)) {
        recipient_unknown(call, "554 5.7.1", recipient, "Relay access denied");
        return NULL;
    }
    if (!smtp_customers_recipient(customers, customer, local, length, path->domain,
                                  path->domain_length)) {
        recipient_unknown(call, "550 5.1.1", recipient, "Recipient address rejected: User unknown");
        return NULL;
    }
    if (recipient_in_vain(call, customer)) {
        count(call->server->counters, COUNTER_SMTP_ROUTE_DOWN);
        recipient_refuse(call, "451 4.4.1", recipient, "Recipient's server is unreachable");
        return NULL;
    }
    return customer;
}

static void recipient_accept(struct smtp_call *call, const struct smtp_customer *customer,
                             const char *recipient, size_t length)
{
    struct message *message = call->session->message;
    bool room;

    /* A configuration that came meanwhile has the same customer under another address. */
    if (message != NULL && message->customer != customer &&
        smtp_customers_successor(call->server->customers, message->customer) != customer) {
        recipient_refuse(call, "452 4.5.3", recipient,
                         "Recipients of different customers: send this one separately");
        return;
    }
    if (message != NULL &&
        message->shared->recipient_count >= smtp_config(call)->limits.recipients) {
        recipient_refuse(call, "452 4.5.3", recipient, "Too many recipients");
        return;
    }
    if (message == NULL && recipient_crowded(call, customer)) {
        count(call->server->counters, COUNTER_CUSTOMER_CROWDED);
        recipient_refuse(call, "451 4.4.5", recipient,
                         "Too much mail for this domain is under way, try again later");
        return;
    }
    if (message == NULL)
        room = transaction_begin(call, customer, recipient, length);
    else
        room = message_envelope_put(call->server->store, message, ENVELOPE_RECIPIENT, recipient,
                                    length) == STATUS_OK;
    if (room)
        smtp_say(call, "250 2.1.5 Ok");
    else
        smtp_transaction_refuse(call, "RCPT", recipient,
                                smtp_refusal_text(MAIL_NO_ROOM, SMTP_FAULT_NONE));
}

/* <postmaster> without a domain is ours (RFC 5321 4.5.1) and goes where the configuration says. */
static bool recipient_postmaster(struct smtp_call *call, struct smtp_path *path)
{
    const char *postmaster = smtp_config(call)->postmaster;
    const char *at = strrchr(postmaster, '@');

    if (at == NULL)
        return false;
    *path = (struct smtp_path){
        .mailbox = postmaster,
        .mailbox_length = strlen(postmaster),
        .local = postmaster,
        .local_length = (size_t)(at - postmaster),
        .domain = at + 1,
        .domain_length = strlen(at + 1),
    };
    return true;
}

/* The one recipient that may come without a domain. */
static bool recipient_is_postmaster(const struct smtp_path *path)
{
    return path->local_length == 10 && strncasecmp(path->local, "postmaster", 10) == 0;
}

const char *smtp_recipient_check(struct smtp_argument *argument)
{
    struct smtp_path *path = &argument->path;
    const char *refused;
    size_t used;

    if (!smtp_argument_keyword(argument, "TO:"))
        return "501 5.5.4 Syntax: RCPT TO:<address>";
    if (smtp_argument_path(argument, &used) != STATUS_OK || path->mailbox_length == 0 ||
        (path->domain_length == 0 && !recipient_is_postmaster(path)))
        return "501 5.1.3 Bad recipient address syntax";
    refused = smtp_parameters_parse(
        &argument->parameters, argument->text + used, argument->length - used,
        argument->config->smtp.strict_addresses ? SMTP_UNOFFERED_NONE : SMTP_UNOFFERED_RCPT);
    if (refused == NULL && (argument->parameters.has_size || argument->parameters.has_body))
        refused = "555 5.5.4 Unsupported parameter";
    return refused;
}

void smtp_recipient(struct smtp_call *call, const struct smtp_argument *argument)
{
    const struct smtp_customer *customer;
    struct smtp_path path = argument->path;
    char recipient[SMTP_PATH_BYTES];

    if (path.domain_length == 0 && !recipient_postmaster(call, &path)) {
        smtp_transaction_refuse(call, "RCPT", "postmaster", "550 5.1.1 No postmaster configured");
        return;
    }
    memcpy(recipient, path.mailbox, path.mailbox_length);
    recipient[path.mailbox_length] = '\0';
    if (stream_peer_faulty(call->stream, smtp_config(call)->limits.invalid_recipients,
                           call->now_ns)) {
        recipient_harvest(call, recipient);
        return;
    }
    customer = recipient_customer(call, &path, recipient);
    if (customer != NULL)
        recipient_accept(call, customer, recipient, path.mailbox_length);
}
