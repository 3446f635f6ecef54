#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

static char harness_domains[2][2][CONFIG_NAME_BYTES] = {
    {"example.com", "example.net"},
    {"example.org", ""},
};
static char harness_recipients[2][CONFIG_NAME_BYTES] = {"bob", "carol smith@example.org"};

static void harness_configure(struct harness *harness)
{
    struct config *config = &harness->config;

    memset(config, 0, sizeof(*config));
    memset(harness->customers, 0, sizeof(harness->customers));
    (void)snprintf(config->hostname, sizeof(config->hostname), "mx.example.com");
    (void)snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@example.com");
    config->limits.message_bytes = 10000;
    config->limits.recipients = 3;
    config->limits.bad_commands = 5;
    config->limits.received_fields = 4;
    config->limits.command_timeout_ns = 300 * INT64_C(1000000000);
    config->limits.data_timeout_ns = 180 * INT64_C(1000000000);
    config->limits.data_rate = 128;
    (void)snprintf(harness->customers[0].name, sizeof(harness->customers[0].name), "first");
    harness->customers[0].domain_count = 2;
    harness->customers[0].domains = harness_domains[0];
    harness->customers[0].any_recipient = true;
    (void)snprintf(harness->customers[1].name, sizeof(harness->customers[1].name), "second");
    harness->customers[1].domain_count = 1;
    harness->customers[1].domains = harness_domains[1];
    harness->customers[1].recipient_count = 2;
    harness->customers[1].recipients = harness_recipients;
    config->customer_count = 2;
    config->customers = harness->customers;
}

static uint8_t *harness_copy(const struct store *store, const struct message *message)
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

static void harness_submit(void *context, struct message *message, int64_t now_ns)
{
    struct harness *harness = context;
    struct harness_message *record = &harness->messages[harness->submitted];
    uint8_t *whole = harness_copy(&harness->store, message);
    uint32_t trace = message->shared->trace_size;

    (void)now_ns;
    CHECK(harness->submitted < HARNESS_MESSAGES);
    CHECK(message->stage == MESSAGE_RECEIVING && message->data_ns != 0 &&
          message->received_ns != 0 && message->customer != NULL);
    CHECK(trace > 0 && trace <= message->shared->size);
    harness->submitted++;
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

static struct harness_message *harness_record(struct harness *harness,
                                              const struct message *message)
{
    for (unsigned i = 0; i < harness->submitted; i++) {
        if (harness->messages[i].message == message)
            return &harness->messages[i];
    }
    return NULL;
}

static void harness_abandon(void *context, struct message *message, int64_t now_ns)
{
    struct harness *harness = context;
    struct harness_message *record = harness_record(harness, message);

    (void)now_ns;
    CHECK(record != NULL && !record->abandoned);
    record->abandoned = true;
    record->message = NULL;
    harness->abandoned++;
    message_give(&harness->store, message);
}

static void harness_conclude(void *context, struct message *message, enum mail_outcome outcome,
                             const char *status, int64_t now_ns)
{
    struct harness *harness = context;

    (void)now_ns;
    CHECK(message->stage == MESSAGE_RECEIVING && strstr(status, "\r\n") == NULL);
    harness->concluded++;
    harness->outcome = outcome;
    (void)snprintf(harness->status, sizeof(harness->status), "%s", status);
    message_give(&harness->store, message);
}

static void harness_rejected(void *context, const char *command, const char *client,
                             const char *helo, const char *sender, const char *recipient,
                             const char *reply, int64_t now_ns)
{
    struct harness *harness = context;

    (void)now_ns;
    CHECK(strcmp(client, "198.18.0.7") == 0 && helo != NULL);
    harness->rejections++;
    (void)snprintf(harness->rejected, sizeof(harness->rejected), "%s|%s|%s|%s", command, sender,
                   recipient, reply);
}

static int64_t harness_wall_seconds(void *context, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    return HARNESS_WALL;
}

void harness_init(struct harness *harness)
{
    struct region_plan plan = {1, HARNESS_SLOTS, HARNESS_BLOCKS};

    memset(harness, 0, sizeof(*harness));
    harness_configure(harness);
    CHECK(region_create(&harness->region, &plan, REGION_PAGES_NORMAL) == STATUS_OK);
    CHECK(store_init(&harness->store, &harness->region, 0, 0, HARNESS_BLOCKS, 0, HARNESS_SLOTS) ==
          STATUS_OK);
    CHECK(smtp_customers_create(&harness->config, &harness->table) == STATUS_OK);
    harness->server = (struct smtp_server){
        .store = &harness->store,
        .endpoint = &harness->endpoint,
        .counters = region_counters(&harness->region, 0),
        .customers = harness->table,
        .service = {.context = harness,
                    .submit = harness_submit,
                    .abandon = harness_abandon,
                    .conclude = harness_conclude,
                    .rejected = harness_rejected,
                    .wall_seconds = harness_wall_seconds},
        .worker = 3,
        .id_prefix = "7A001B",
    };
    smtp_server_application(&harness->server, &harness->listener.application);
    stream_listener_init(&harness->listener);
}

void harness_fini(struct harness *harness)
{
    smtp_customers_free(harness->table);
    store_fini(&harness->store);
    region_close(&harness->region);
}

void harness_open(struct harness *harness, const struct pipe_options *options)
{
    static const struct pipe_options plain = {
        .block_use = MESSAGE_BLOCK_BYTES, .block_start = 0, .send_space = TCP_SEND_BYTES};

    harness->submitted = 0;
    harness->concluded = 0;
    harness->abandoned = 0;
    harness->rejections = 0;
    harness->status[0] = '\0';
    harness->rejected[0] = '\0';
    memset(harness->messages, 0, sizeof(harness->messages));
    pipe_open(&harness->pipe, &harness->endpoint, &harness->store, &harness->listener.below,
              options != NULL ? options : &plain);
}

void harness_close(struct harness *harness)
{
    if (harness->endpoint.connection != NULL)
        pipe_close(&harness->pipe, TCP_CLOSED_NORMAL);
    for (unsigned i = 0; i < harness->submitted; i++) {
        free(harness->messages[i].bytes);
        free(harness->messages[i].trace);
        CHECK(harness->messages[i].message == NULL);
    }
    harness->submitted = 0;
}

bool harness_store_full(const struct harness *harness)
{
    return harness->store.free_count == HARNESS_BLOCKS &&
           harness->store.free_slot_count == HARNESS_SLOTS;
}

void harness_send(struct harness *harness, const char *bytes, size_t length, size_t piece)
{
    while (length > 0) {
        size_t part = piece < length ? piece : length;

        if (pipe_receive(&harness->pipe, bytes, part) != part)
            return;
        bytes += part;
        length -= part;
    }
}

bool harness_finish(struct harness *harness, const struct mail_result *result)
{
    for (unsigned i = 0; i < harness->submitted; i++) {
        struct message *message = harness->messages[i].message;
        char reply[SMTP_RESULT_BYTES];
        struct stream *stream;

        if (message == NULL)
            continue;
        harness->messages[i].message = NULL;
        stream = stream_find(&harness->endpoint, message->owner);
        CHECK(stream != NULL && stream->connection == &harness->pipe);
        smtp_finish(&harness->server, stream, message, reply,
                    policy_reply(message, result, reply, sizeof(reply)), harness->pipe.now_ns);
        message_give(&harness->store, message);
        if (!harness->pipe.hold_acks)
            pipe_acknowledge(&harness->pipe,
                             harness->pipe.sent_length - harness->pipe.acknowledged);
        return true;
    }
    return false;
}

const char *harness_field(struct harness *harness, const struct message *message,
                          enum envelope_field field, unsigned nth, size_t *length)
{
    const struct message_header *shared = message->shared;

    for (uint32_t i = 0; i < shared->envelope_block_count; i++) {
        const uint8_t *bytes = block_bytes(&harness->store, shared->envelope_blocks[i]);
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
