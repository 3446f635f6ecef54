#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

static char rig_domains[2][2][CONFIG_NAME_BYTES] = {
    {"example.com", "example.net"},
    {"example.org", ""},
};
static char rig_recipients[2][CONFIG_NAME_BYTES] = {"bob", "carol smith@example.org"};

static void rig_configure(struct rig *rig)
{
    struct config *config = &rig->config;

    memset(config, 0, sizeof(*config));
    memset(rig->customers, 0, sizeof(rig->customers));
    (void)snprintf(config->hostname, sizeof(config->hostname), "mx.example.com");
    (void)snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@example.com");
    (void)snprintf(config->smtp.forbidden_commands, sizeof(config->smtp.forbidden_commands),
                   "CONNECT GET POST");
    config->limits.message_bytes = 10000;
    config->limits.recipients = 3;
    config->limits.bad_commands = 5;
    config->limits.received_fields = 4;
    config->limits.command_timeout_ns = 300 * INT64_C(1000000000);
    config->limits.data_timeout_ns = 180 * INT64_C(1000000000);
    config->limits.data_rate = 128;
    (void)snprintf(rig->customers[0].name, sizeof(rig->customers[0].name), "first");
    rig->customers[0].domain_count = 2;
    rig->customers[0].domains = rig_domains[0];
    rig->customers[0].any_recipient = true;
    (void)snprintf(rig->customers[1].name, sizeof(rig->customers[1].name), "second");
    rig->customers[1].domain_count = 1;
    rig->customers[1].domains = rig_domains[1];
    rig->customers[1].recipient_count = 2;
    rig->customers[1].recipients = rig_recipients;
    config->customer_count = 2;
    config->customers = rig->customers;
}

static uint8_t *rig_copy(const struct store *store, const struct message *message)
{
    const struct message_header *shared = message->shared;
    uint8_t *bytes = malloc(shared->size + 1u);
    uint32_t at = 0;

    CHECK(bytes != NULL);
    for (uint32_t i = 0; i < shared->extent_count; i++) {
        const struct message_extent *extent =
            (const struct message_extent *)block_bytes(
                store, shared->extent_blocks[i / MESSAGE_EXTENTS_PER_BLOCK]) +
            i % MESSAGE_EXTENTS_PER_BLOCK;

        CHECK(extent->length > 0 && at + extent->length <= shared->size);
        memcpy(bytes + at, block_bytes(store, extent->block) + extent->offset, extent->length);
        at += extent->length;
    }
    CHECK(at == shared->size);
    bytes[at] = '\0';
    return bytes;
}

static void rig_submit(void *context, struct message *message, int64_t now_ns)
{
    struct rig *rig = context;
    struct rig_message *record = &rig->messages[rig->submitted];
    uint8_t *whole = rig_copy(&rig->store, message);
    uint32_t trace = message->shared->trace_size;

    (void)now_ns;
    CHECK(rig->submitted < RIG_MESSAGES);
    CHECK(message->stage == MESSAGE_RECEIVING && message->data_ns != 0 &&
          message->received_ns != 0 && message->customer != NULL);
    CHECK(trace > 0 && trace <= message->shared->size);
    rig->submitted++;
    message->stage = MESSAGE_SCANNING;
    record->message = message;
    record->recipients = message->shared->recipient_count;
    record->length = message->shared->size - trace;
    record->bytes = malloc(record->length + 1);
    record->trace = malloc(trace + 1u);
    CHECK(record->bytes != NULL && record->trace != NULL);
    memcpy(record->bytes, whole + trace, record->length + 1);
    memcpy(record->trace, whole, trace);
    record->trace[trace] = '\0';
    memcpy(record->id, message->id, sizeof(record->id));
    free(whole);
}

static struct rig_message *rig_record(struct rig *rig, const struct message *message)
{
    for (unsigned i = 0; i < rig->submitted; i++) {
        if (rig->messages[i].message == message)
            return &rig->messages[i];
    }
    return NULL;
}

static void rig_abandon(void *context, struct message *message, int64_t now_ns)
{
    struct rig *rig = context;
    struct rig_message *record = rig_record(rig, message);

    (void)now_ns;
    CHECK(record != NULL && !record->abandoned);
    record->abandoned = true;
    record->message = NULL;
    rig->abandoned++;
    message_give(&rig->store, message);
}

static void rig_conclude(void *context, struct message *message, enum mail_outcome outcome,
                         const char *status, int64_t now_ns)
{
    struct rig *rig = context;

    (void)now_ns;
    CHECK(message->stage == MESSAGE_RECEIVING && strstr(status, "\r\n") == NULL);
    rig->concluded++;
    rig->outcome = outcome;
    (void)snprintf(rig->status, sizeof(rig->status), "%s", status);
    message_give(&rig->store, message);
}

static void rig_rejected(void *context, const char *command, const char *client, const char *helo,
                         const char *sender, const char *recipient, const char *reply,
                         int64_t now_ns)
{
    struct rig *rig = context;

    (void)now_ns;
    CHECK(strcmp(client, "198.18.0.7") == 0 && helo != NULL);
    rig->rejections++;
    (void)snprintf(rig->rejected, sizeof(rig->rejected), "%s|%s|%s|%s", command, sender, recipient,
                   reply);
}

static int64_t rig_wall_seconds(void *context, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    return RIG_WALL;
}

void rig_init(struct rig *rig)
{
    struct region_plan plan = {1, RIG_SLOTS, RIG_BLOCKS};

    memset(rig, 0, sizeof(*rig));
    rig_configure(rig);
    CHECK(region_create(&rig->region, &plan, REGION_PAGES_NORMAL) == STATUS_OK);
    CHECK(store_init(&rig->store, &rig->region, 0, 0, RIG_BLOCKS, 0, RIG_SLOTS) == STATUS_OK);
    CHECK(smtp_customers_create(&rig->config, &rig->table) == STATUS_OK);
    rig->server = (struct smtp_server){
        .store = &rig->store,
        .endpoint = &rig->endpoint,
        .counters = region_counters(&rig->region, 0),
        .customers = rig->table,
        .service = {.context = rig,
                    .submit = rig_submit,
                    .abandon = rig_abandon,
                    .conclude = rig_conclude,
                    .rejected = rig_rejected,
                    .wall_seconds = rig_wall_seconds},
        .worker = 3,
        .id_prefix = "7A001B",
    };
    smtp_server_application(&rig->server, &rig->listener.application);
    stream_listener_init(&rig->listener);
}

void rig_fini(struct rig *rig)
{
    smtp_customers_free(rig->table);
    store_fini(&rig->store);
    region_close(&rig->region);
}

void rig_open(struct rig *rig, const struct pipe_options *options)
{
    static const struct pipe_options plain = {
        .block_use = MESSAGE_BLOCK_BYTES, .block_start = 0, .send_space = TCP_SEND_BYTES};

    rig->submitted = 0;
    rig->concluded = 0;
    rig->abandoned = 0;
    rig->rejections = 0;
    rig->status[0] = '\0';
    rig->rejected[0] = '\0';
    memset(rig->messages, 0, sizeof(rig->messages));
    pipe_open(&rig->pipe, &rig->endpoint, &rig->store, &rig->listener.below,
              options != NULL ? options : &plain);
}

void rig_close(struct rig *rig)
{
    if (rig->endpoint.connection != NULL)
        pipe_close(&rig->pipe, TCP_CLOSED_NORMAL);
    for (unsigned i = 0; i < rig->submitted; i++) {
        free(rig->messages[i].bytes);
        free(rig->messages[i].trace);
        CHECK(rig->messages[i].message == NULL);
    }
    rig->submitted = 0;
}

bool rig_store_full(const struct rig *rig)
{
    return rig->store.free_count == RIG_BLOCKS && rig->store.free_slot_count == RIG_SLOTS;
}

void rig_send(struct rig *rig, const char *bytes, size_t length, size_t piece)
{
    while (length > 0) {
        size_t part = piece < length ? piece : length;

        if (pipe_receive(&rig->pipe, bytes, part) != part)
            return;
        bytes += part;
        length -= part;
    }
}

bool rig_finish(struct rig *rig, const struct mail_result *result)
{
    for (unsigned i = 0; i < rig->submitted; i++) {
        struct message *message = rig->messages[i].message;
        char reply[SMTP_RESULT_BYTES];
        struct stream *stream;

        if (message == NULL)
            continue;
        rig->messages[i].message = NULL;
        stream = stream_find(&rig->endpoint, message->owner);
        CHECK(stream != NULL && stream->connection == &rig->pipe);
        smtp_finish(&rig->server, stream, message, reply,
                    policy_reply(message, result, reply, sizeof(reply)), rig->pipe.now_ns);
        message_give(&rig->store, message);
        if (!rig->pipe.hold_acks)
            pipe_acknowledge(&rig->pipe, rig->pipe.sent_length - rig->pipe.acknowledged);
        return true;
    }
    return false;
}

const char *rig_field(struct rig *rig, const struct message *message, enum envelope_field field,
                      unsigned nth, size_t *length)
{
    const struct message_header *shared = message->shared;

    for (uint32_t i = 0; i < shared->envelope_block_count; i++) {
        const uint8_t *bytes = block_bytes(&rig->store, shared->envelope_blocks[i]);
        uint32_t at = 0;
        struct envelope_field_header header;

        while (at + sizeof(header) <= MESSAGE_BLOCK_BYTES) {
            memcpy(&header, bytes + at, sizeof(header));
            if (header.field == ENVELOPE_END)
                break;
            if (header.field == (uint16_t)field && nth-- == 0) {
                *length = header.length;
                return (const char *)bytes + at + sizeof(header);
            }
            at += (uint32_t)sizeof(header) + header.length;
        }
    }
    return NULL;
}
