/* MAIL, RCPT and DATA: who may send what to whom, before a byte of it is read. */
#include <string.h>
#include <strings.h>

#include "dataplane/counting.h"
#include "dataplane/smtp/address.h"
#include "dataplane/smtp/received.h"
#include "dataplane/smtp/state.h"
#include "platform/check.h"

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

static void transaction_refuse(struct smtp_call *call, const char *command, const char *recipient,
                               const char *reply)
{
    struct smtp_line line;

    smtp_line_begin(&line, reply);
    smtp_say_refused(call, command, recipient, &line);
}

/* A syntax error in MAIL or RCPT: both a bad command and a refusal. */
static void transaction_bad(struct smtp_call *call, const char *command, const char *reply)
{
    char client[46];

    tcp_peer_text(call->connection, client);
    call->server->service.rejected(call->server->service.context, command, client,
                                   smtp_helo(call->session), smtp_sender(call->session), "", reply,
                                   call->now_ns);
    smtp_command_bad(call, reply);
}

struct mail_parameters {
    bool has_size;
    bool has_body;
    bool eight_bit;
    uint64_t size;
};

/* Digits only, at most 20 (RFC 1870 3). What does not fit 64 bits is larger than any limit. */
static bool parameter_size(const char *text, size_t length, uint64_t *size)
{
    *size = 0;
    if (length == 0 || length > 20)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9)
            return false;
        *size = *size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *size * 10 + digit;
    }
    return true;
}

static bool parameter_is(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

/* One "KEY[=VALUE]". Returns null, or the reply that refuses it. */
static const char *parameter_take(struct mail_parameters *parameters, const char *text,
                                  size_t length)
{
    const char *equals = memchr(text, '=', length);
    size_t key = equals == NULL ? length : (size_t)(equals - text);
    const char *value = equals == NULL ? "" : equals + 1;
    size_t value_length = equals == NULL ? 0 : length - key - 1;

    if (parameter_is(text, key, "SIZE")) {
        if (parameters->has_size || !parameter_size(value, value_length, &parameters->size))
            return "501 5.5.4 Syntax: bad or repeated SIZE";
        parameters->has_size = true;
        return NULL;
    }
    if (parameter_is(text, key, "BODY")) {
        parameters->eight_bit = parameter_is(value, value_length, "8BITMIME");
        if (parameters->has_body ||
            (!parameters->eight_bit && !parameter_is(value, value_length, "7BIT")))
            return "501 5.5.4 Syntax: bad or repeated BODY";
        parameters->has_body = true;
        return NULL;
    }
    return "555 5.5.4 Unsupported parameter";
}

/* Parameters follow the path after a blank. */
static const char *parameters_parse(struct mail_parameters *parameters, const char *text,
                                    size_t length)
{
    size_t at = 0;

    *parameters = (struct mail_parameters){0};
    if (length > 0 && text[0] != ' ')
        return "501 5.5.4 Syntax: text after the address";
    while (at < length) {
        size_t start;
        const char *refused;

        while (at < length && text[at] == ' ')
            at++;
        start = at;
        while (at < length && text[at] != ' ')
            at++;
        if (at == start)
            break;
        refused = parameter_take(parameters, text + start, at - start);
        if (refused != NULL)
            return refused;
    }
    return NULL;
}

void smtp_transaction_mail(struct smtp_call *call, const char *text, size_t length)
{
    struct smtp_session *session = call->session;
    struct mail_parameters parameters;
    struct smtp_path path;
    const char *refused;
    char *sender;
    size_t used;

    if (call->server->draining) {
        smtp_transaction_end(call, MAIL_CUT_OFF, SMTP_SHUTTING_DOWN);
        transaction_refuse(call, "MAIL", "", SMTP_SHUTTING_DOWN);
        smtp_close(call);
        return;
    }
    if (session->helo_length == 0) {
        transaction_bad(call, "MAIL", "503 5.5.1 Error: send EHLO or HELO first");
        return;
    }
    if (session->has_sender) {
        transaction_bad(call, "MAIL", "503 5.5.1 Error: nested MAIL command");
        return;
    }
    if (smtp_path_parse(text, length, &path, &used) != STATUS_OK ||
        (path.mailbox_length > 0 && path.domain_length == 0) ||
        path.mailbox_length >= SMTP_SENDER_BYTES) {
        transaction_bad(call, "MAIL", "501 5.1.7 Bad sender address syntax");
        return;
    }
    refused = parameters_parse(&parameters, text + used, length - used);
    if (refused != NULL) {
        transaction_bad(call, "MAIL", refused);
        return;
    }
    sender = smtp_sender_room(session, path.mailbox_length + 1);
    memcpy(sender, path.mailbox, path.mailbox_length);
    sender[path.mailbox_length] = '\0';
    if (parameters.has_size && parameters.size > smtp_config(call)->limits.message_bytes) {
        transaction_refuse(call, "MAIL", "", smtp_refusal_text(MAIL_TOO_LARGE, false));
        sender[0] = '\0';
        return;
    }
    session->has_sender = true;
    session->message_flags = parameters.eight_bit ? MESSAGE_FLAG_8BITMIME : 0;
    session->mail_ns = call->now_ns;
    smtp_say(call, "250 2.1.0 Ok");
}

/* Unique for as long as logs are kept: this start of the dataplane, worker, sequence. */
static void transaction_identify(struct smtp_server *server, struct message *message)
{
    struct smtp_text text = {message->id, sizeof(message->id) - 1, 0};

    smtp_text_string(&text, server->id_prefix);
    smtp_text_hex(&text, server->worker, 2);
    smtp_text_hex(&text, ++server->sequence, 6);
    CHECK(text.used < text.size); /* not cut: 7 + 2 leave 9 digits for the sequence */
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

    message->owner = tcp_handle(call->connection);
    message->started_ns = session->mail_ns;
    message->shared->flags = session->message_flags;
    tcp_peer_text(call->connection, message->client);
    message->client_prefix = tcp_peer_prefix(call->connection);
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

/* The last quarter of the slots is for those with few connections: one client that opened a
 * transaction on each of many, and no more, would else leave none for anybody. */
static bool transaction_crowds(const struct smtp_call *call)
{
    const struct store *store = call->server->store;
    uint32_t share = store->slot_count / 8 > 0 ? store->slot_count / 8 : 1;

    return store->free_slot_count < store->slot_count / 4 &&
           tcp_peer_exceeds(call->connection, share, 2 * share);
}

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
    if (message == NULL && smtp_shed(call))
        message = message_take(server->store);
    if (message == NULL)
        return false;
    message->customer = customer;
    memcpy(message->recipient, recipient, length + 1);
    transaction_identify(server, message);
    if (!transaction_fill(call, message) ||
        message_envelope_put(server->store, message, ENVELOPE_RECIPIENT, recipient, length) !=
            STATUS_OK) {
        message_give(server->store, message);
        return false;
    }
    call->session->message = message;
    count(server->counters, COUNTER_MESSAGE_STARTED);
    return true;
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

/* The customer that takes mail for `path`; null when it was refused (and said so). */
static const struct smtp_customer *
recipient_customer(struct smtp_call *call, const struct smtp_path *path, const char *recipient)
{
    const struct smtp_policy *policy = call->server->policy;
    const struct smtp_customer *customer =
        path->literal ? NULL : smtp_policy_customer(policy, path->domain, path->domain_length);
    char local[SMTP_LOCAL_BYTES];
    size_t length = smtp_local_unquoted(path, local);

    if (customer == NULL || recipient_routes(customer, local, length)) {
        recipient_refuse(call, "554 5.7.1", recipient, "Relay access denied");
        return NULL;
    }
    if (!smtp_policy_recipient(policy, customer, local, length, path->domain,
                               path->domain_length)) {
        recipient_refuse(call, "550 5.1.1", recipient, "Recipient address rejected: User unknown");
        return NULL;
    }
    return customer;
}

static void recipient_accept(struct smtp_call *call, const struct smtp_customer *customer,
                             const char *recipient, size_t length)
{
    struct message *message = call->session->message;
    bool room;

    if (message != NULL && message->customer != customer) {
        recipient_refuse(call, "452 4.5.3", recipient,
                         "Recipients of different customers: send this one separately");
        return;
    }
    if (message != NULL &&
        message->shared->recipient_count >= smtp_config(call)->limits.recipients) {
        recipient_refuse(call, "452 4.5.3", recipient, "Too many recipients");
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
        transaction_refuse(call, "RCPT", recipient, smtp_refusal_text(MAIL_NO_ROOM, false));
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

void smtp_transaction_recipient(struct smtp_call *call, const char *text, size_t length)
{
    const struct smtp_customer *customer;
    struct mail_parameters parameters;
    struct smtp_path path;
    char recipient[SMTP_PATH_BYTES];
    const char *refused;
    size_t used;

    if (!call->session->has_sender) {
        transaction_bad(call, "RCPT", "503 5.5.1 Error: need MAIL command");
        return;
    }
    if (smtp_path_parse(text, length, &path, &used) != STATUS_OK || path.mailbox_length == 0) {
        transaction_bad(call, "RCPT", "501 5.1.3 Bad recipient address syntax");
        return;
    }
    refused = parameters_parse(&parameters, text + used, length - used);
    if (refused == NULL && (parameters.has_size || parameters.has_body))
        refused = "555 5.5.4 Unsupported parameter";
    if (refused != NULL) {
        transaction_bad(call, "RCPT", refused);
        return;
    }
    if (path.domain_length == 0 && !recipient_postmaster(call, &path)) {
        transaction_refuse(call, "RCPT", "postmaster", "550 5.1.1 No postmaster configured");
        return;
    }
    memcpy(recipient, path.mailbox, path.mailbox_length);
    recipient[path.mailbox_length] = '\0';
    customer = recipient_customer(call, &path, recipient);
    if (customer != NULL)
        recipient_accept(call, customer, recipient, path.mailbox_length);
}

static enum status data_trace(struct smtp_call *call, struct message *message)
{
    struct smtp_server *server = call->server;
    char text[SMTP_RECEIVED_BYTES];
    struct smtp_received received = {
        .helo = message->helo,
        .client = message->client,
        .host = smtp_config(call)->hostname,
        .id = message->id,
        .recipient = message->shared->recipient_count == 1 ? message->recipient : NULL,
        .esmtp = call->session->esmtp,
        .wall_seconds = server->service.wall_seconds(server->service.context, call->now_ns),
    };
    enum status status =
        message_append_bytes(server->store, message, text, smtp_received_write(&received, text));

    if (status == STATUS_OK)
        message_mark_trace(message);
    return status;
}

void smtp_transaction_data(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    struct message *message = session->message;

    if (!session->has_sender) {
        transaction_bad(call, "DATA", "503 5.5.1 Error: need MAIL and RCPT commands");
        return;
    }
    if (message == NULL) {
        transaction_bad(call, "DATA", "554 5.5.1 Error: no valid recipients");
        return;
    }
    if (!tcp_expect(call->connection, TCP_EXPECT_DATA) &&
        !(smtp_shed(call) && tcp_expect(call->connection, TCP_EXPECT_DATA))) {
        smtp_transaction_end(call, MAIL_NO_ROOM, smtp_refusal_text(MAIL_NO_ROOM, false));
        smtp_say(call, smtp_refusal_text(MAIL_NO_ROOM, false));
        return;
    }
    message->data_ns = call->now_ns;
    session->paid_ns = call->now_ns + smtp_config(call)->limits.data_timeout_ns;
    if (data_trace(call, message) != STATUS_OK) {
        tcp_expect(call->connection, TCP_EXPECT_COMMANDS);
        smtp_transaction_end(call, MAIL_NO_ROOM, smtp_refusal_text(MAIL_NO_ROOM, false));
        smtp_say(call, smtp_refusal_text(MAIL_NO_ROOM, false));
        return;
    }
    session->state = SMTP_DATA;
    session->scan = SMTP_SCAN_LINE_START;
    session->in_header = true;
    session->field_match = 0;
    session->received_fields = 0;
    session->drained_bytes = 0;
    session->loop = false;
    smtp_say(call, "354 End data with <CR><LF>.<CR><LF>");
}
