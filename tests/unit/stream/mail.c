#include "tests/unit/stream/mail.h"

#include <stdio.h>
#include <string.h>

static char mail_domains[1][CONFIG_NAME_BYTES] = {"example.com"};

static void mail_submit(void *context, struct message *message, int64_t now_ns)
{
    struct mail *mail = context;
    const struct store *store = mail->server.store;
    uint32_t skip = message->shared->trace_size;

    (void)now_ns;
    message->stage = MESSAGE_SCANNING;
    mail->submitted = message;
    mail->length = 0;
    for (uint32_t i = 0; i < message->shared->extent_count; i++) {
        const struct message_extent *extent = message_extent_slot(store, message, i);
        uint32_t start = skip < extent->length ? skip : extent->length;

        skip -= start;
        CHECK(mail->length + extent->length <= MAIL_BYTES_MAX);
        memcpy(mail->bytes + mail->length,
               block_bytes(store, extent->block) + extent->offset + start, extent->length - start);
        mail->length += extent->length - start;
    }
}

static void mail_abandon(void *context, struct message *message, int64_t now_ns)
{
    struct mail *mail = context;

    (void)now_ns;
    mail->submitted = NULL;
    message_give(mail->server.store, message);
}

static void mail_conclude(void *context, struct message *message, enum mail_outcome outcome,
                          const char *status, int64_t now_ns)
{
    struct mail *mail = context;

    (void)outcome;
    (void)status;
    (void)now_ns;
    mail->concluded++;
    message_give(mail->server.store, message);
}

static void mail_rejected(void *context, const char *command, const char *client, const char *helo,
                          const char *sender, const char *recipient, const char *reply,
                          int64_t now_ns)
{
    (void)context;
    (void)command;
    (void)client;
    (void)helo;
    (void)sender;
    (void)recipient;
    (void)reply;
    (void)now_ns;
}

static int64_t mail_wall_seconds(void *context, int64_t now_ns)
{
    (void)context;
    return 1795285802 + now_ns / CLOCK_NS_PER_SECOND;
}

void mail_init(struct mail *mail, struct rig *rig, const struct stream_kind *kind,
               const char *hostname)
{
    memset(mail, 0, sizeof(*mail));
    (void)snprintf(mail->config.hostname, sizeof(mail->config.hostname), "%s", hostname);
    mail->config.limits.message_bytes = MAIL_BYTES_MAX / 2;
    mail->config.limits.recipients = 10;
    mail->config.limits.bad_commands = 5;
    mail->config.limits.received_fields = 10;
    mail->config.limits.command_timeout_ns = 300 * CLOCK_NS_PER_SECOND;
    mail->config.limits.data_timeout_ns = 180 * CLOCK_NS_PER_SECOND;
    mail->config.limits.data_rate = 128;
    (void)snprintf(mail->customer.name, sizeof(mail->customer.name), "customer");
    mail->customer.domain_count = 1;
    mail->customer.domains = mail_domains;
    mail->customer.any_recipient = true;
    mail->config.customer_count = 1;
    mail->config.customers = &mail->customer;
    CHECK(smtp_customers_create(&mail->config, &mail->table) == STATUS_OK);
    mail->server = (struct smtp_server){
        .store = &rig->store,
        .endpoint = &rig->endpoint,
        .counters = region_counters(&rig->region, 0),
        .customers = mail->table,
        .service = {.context = mail,
                    .submit = mail_submit,
                    .abandon = mail_abandon,
                    .conclude = mail_conclude,
                    .rejected = mail_rejected,
                    .wall_seconds = mail_wall_seconds},
        .id_prefix = "7A001B",
    };
    mail->listener.kind = kind;
    smtp_server_application(&mail->server, &mail->listener.application);
    stream_listener_init(&mail->listener);
}

void mail_fini(struct mail *mail)
{
    smtp_customers_free(mail->table);
}

void mail_accept(struct mail *mail, int64_t now_ns)
{
    struct mail_result result = {.outcome = MAIL_DELIVERED, .code = 250, .text = "2.0.0 Ok: kept"};
    struct message *message = mail->submitted;
    char reply[SMTP_RESULT_BYTES];
    struct stream *stream = stream_find(mail->server.endpoint, message->owner);

    CHECK(stream != NULL);
    mail->submitted = NULL;
    smtp_finish(&mail->server, stream, message, reply,
                policy_reply(message, &result, reply, sizeof(reply)), now_ns);
    message_give(mail->server.store, message);
}
