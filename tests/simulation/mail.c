#include "mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/reply.h"
#include "dialogue.h"
#include "oracle.h"
#include "platform/check.h"

/* A message that waits for its verdict. */
struct mail_waiting {
    struct message *message; /* null: it has been abandoned */
    uint32_t exchange;
    unsigned item;
};

struct mail {
    struct smtp_server server;
    struct stream_listener listener;
    struct config config;
    struct config_customer customers[2];
    struct smtp_customers *table;
    struct mail_waiting *waiting; /* one for each submission of the run */
    uint32_t waiting_count;
    uint32_t submitted;
    int64_t verdict_ns; /* longest */
};

static char mail_domains[2][1][CONFIG_NAME_BYTES] = {{"example.com"}, {"example.org"}};
static char mail_recipients[1][CONFIG_NAME_BYTES] = {"bob"};

static void mail_configure(struct world *world, struct mail *mail)
{
    struct config *config = &mail->config;
    struct random *random = &world->random;

    (void)snprintf(config->hostname, sizeof(config->hostname), "mx.example.com");
    (void)snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@example.com");
    config->limits.message_bytes =
        random_chance(random, 2000) ? (uint64_t)random_between(random, 1000, 20000) : 1000000;
    if (world->crowd > 0)
        config->limits.message_bytes = WORLD_CROWD_MAIL;
    config->limits.recipients = 10;
    config->limits.bad_commands = 1000;
    config->limits.received_fields = 30;
    config->limits.window_bytes = world->window_bytes;
    config->limits.admission_wait_ns =
        world->crowd > 0 ? 60 * WORLD_SECOND : random_size(random, WORLD_SECOND, 60 * WORLD_SECOND);
    config->limits.data_rate = 1;
    config->limits.command_timeout_ns = 150 * WORLD_SECOND;
    config->limits.data_timeout_ns = 150 * WORLD_SECOND;
    (void)snprintf(mail->customers[0].name, sizeof(mail->customers[0].name), "first");
    mail->customers[0].domain_count = 1;
    mail->customers[0].domains = mail_domains[0];
    mail->customers[0].recipient_count = 1;
    mail->customers[0].recipients = mail_recipients;
    (void)snprintf(mail->customers[1].name, sizeof(mail->customers[1].name), "second");
    mail->customers[1].domain_count = 1;
    mail->customers[1].domains = mail_domains[1];
    mail->customers[1].any_recipient = true;
    config->customer_count = 2;
    config->customers = mail->customers;
}

static struct mail_waiting *mail_find(struct mail *mail, const struct message *message)
{
    for (uint32_t i = mail->waiting_count; i > 0; i--) {
        if (mail->waiting[i - 1].message == message)
            return &mail->waiting[i - 1];
    }
    return NULL;
}

/* The message must be byte for byte what the sender meant, behind our own trace. */
static void mail_compare(struct exchange *x, const struct message *message,
                         const struct dialogue_item *item)
{
    const struct message_header *shared = message->shared;
    const struct store *store = &x->world->store;
    uint32_t skip = shared->trace_size + message->separator_bytes;
    uint32_t at = 0;

    for (uint32_t i = 0; i < shared->extent_count; i++) {
        const struct message_extent *extent =
            (const struct message_extent *)block_bytes(
                store, shared->extent_blocks[i / MESSAGE_EXTENTS_PER_BLOCK]) +
            i % MESSAGE_EXTENTS_PER_BLOCK;
        const uint8_t *bytes = block_bytes(store, extent->block) + extent->offset;
        uint32_t length = extent->length;
        uint32_t skipped = skip < length ? skip : length;

        skip -= skipped;
        bytes += skipped;
        length -= skipped;
        if (at + length > item->body_length || memcmp(bytes, item->body + at, length) != 0) {
            world_fail(x->world, "#%u message differs from what was sent between %u and %u of %u",
                       x->index, at, at + length, item->body_length);
            return;
        }
        at += length;
    }
    if (at != item->body_length)
        world_fail(x->world, "#%u message of %u bytes, %u were sent", x->index, at,
                   item->body_length);
    x->world->bytes_delivered += at;
}

static void mail_submit(void *context, struct message *message, int64_t now_ns)
{
    struct world *world = context;
    struct mail *mail = world->server;
    struct tcp_connection *c = tcp_find(&world->endpoint, message->owner);
    struct exchange *x;
    struct dialogue *dialogue;
    unsigned item;

    if (c == NULL) {
        world_fail(world, "a message of no connection is submitted");
        return;
    }
    x = oracle_exchange(world, c);
    dialogue = x->dialogue;
    dialogue->counted += dialogue_count_replies(x->replies, &dialogue->counted_to, x->reply_count);
    item = dialogue->sent[dialogue->counted];
    world_trace(world, "#%u message submitted, item %u", x->index, item);
    if (dialogue->counted >= dialogue->sent_count || dialogue->items[item].kind != DIALOGUE_BODY ||
        dialogue->items[item].submitted) {
        world_fail(world, "#%u a message is submitted where none was sent (item %u)", x->index,
                   item);
        return;
    }
    dialogue->items[item].submitted = true;
    mail_compare(x, message, &dialogue->items[item]);
    message->stage = MESSAGE_SCANNING;
    mail->waiting = realloc(mail->waiting, (mail->waiting_count + 1) * sizeof(*mail->waiting));
    CHECK(mail->waiting != NULL);
    mail->waiting[mail->waiting_count] = (struct mail_waiting){message, x->index, item};
    events_add(&world->events, now_ns + random_size(&world->random, 1000, mail->verdict_ns),
               EVENT_ANSWER, mail->waiting_count, NULL);
    mail->waiting_count++;
}

static void mail_abandon(void *context, struct message *message, int64_t now_ns)
{
    struct world *world = context;
    struct mail_waiting *waiting = mail_find(world->server, message);

    (void)now_ns;
    if (waiting == NULL) {
        world_fail(world, "a message is abandoned that was not submitted");
        return;
    }
    waiting->message = NULL;
    message_give(&world->store, message);
}

static void mail_conclude(void *context, struct message *message, enum mail_outcome outcome,
                          const char *status, int64_t now_ns)
{
    struct world *world = context;

    (void)now_ns;
    world_trace(world, "message concluded: %d, %s", (int)outcome, status);
    message_give(&world->store, message);
}

static void mail_rejected(void *context, const char *command, const char *client, const char *helo,
                          const char *sender, const char *recipient, const char *reply,
                          int64_t now_ns)
{
    (void)client;
    (void)helo;
    (void)sender;
    (void)recipient;
    (void)now_ns;
    world_trace(context, "rejected: %s: %s", command, reply);
}

static int64_t mail_wall_seconds(void *context, int64_t now_ns)
{
    const struct world *world = context;

    return 1795285802 + (now_ns - world->start_ns) / WORLD_SECOND;
}

void mail_application(struct tcp_application *application, struct world *world)
{
    struct mail *mail = calloc(1, sizeof(*mail));

    CHECK(mail != NULL);
    world->server = mail;
    mail_configure(world, mail);
    mail->verdict_ns =
        random_size(&world->random, WORLD_MS, (world->crowd > 0 ? 2 : 20) * WORLD_SECOND);
    CHECK(smtp_customers_create(&mail->config, &mail->table) == STATUS_OK);
    mail->server = (struct smtp_server){
        .store = &world->store,
        .endpoint = &world->endpoint,
        .counters = world->counters,
        .customers = mail->table,
        .service = {.context = world,
                    .submit = mail_submit,
                    .abandon = mail_abandon,
                    .conclude = mail_conclude,
                    .rejected = mail_rejected,
                    .wall_seconds = mail_wall_seconds},
        .id_prefix = "7A001B",
    };
    smtp_server_application(&mail->server, &mail->listener.application);
    stream_listener_init(&mail->listener);
    *application = mail->listener.below;
}

static unsigned mail_draw(struct random *random, struct mail_result *result)
{
    *result = (struct mail_result){.code = 250, .text = "2.0.0 Ok: queued as 9F"};
    switch (random_below(random, 5)) {
    case 0:
        result->outcome = MAIL_INFECTED;
        result->name = "Win.Test.EICAR_HDB-1";
        return 554;
    case 1:
        result->outcome = MAIL_UNSCANNABLE;
        result->name = "encrypted";
        result->action = POLICY_DEFER;
        return 451;
    case 2:
        result->outcome = MAIL_NO_RELAY;
        result->text = NULL;
        return 451;
    default:
        result->outcome = MAIL_DELIVERED;
        return 250;
    }
}

void mail_answer(struct world *world, uint32_t subject)
{
    struct mail *mail = world->server;
    struct mail_waiting waiting = mail->waiting[subject];
    struct stream *stream;
    struct mail_result result;
    char reply[SMTP_RESULT_BYTES];

    if (waiting.message == NULL)
        return;
    stream = stream_find(&world->endpoint, waiting.message->owner);
    if (stream == NULL) {
        world_fail(world, "#%u ended without its message being abandoned", waiting.exchange);
        return;
    }
    world->round.calls++;
    mail->waiting[subject].message = NULL;
    world->exchanges[waiting.exchange].dialogue->items[waiting.item].answer =
        mail_draw(&world->random, &result);
    smtp_finish(&mail->server, stream, waiting.message, reply,
                policy_reply(waiting.message, &result, reply, sizeof(reply)), world->now_ns);
    message_give(&world->store, waiting.message);
    worker_poll_soon(world);
}

bool mail_excused(const struct world *world, const struct exchange *x)
{
    const struct dialogue *dialogue = x->dialogue;

    for (unsigned i = 0; dialogue->closing && i < dialogue->item_count; i++) {
        if (dialogue->items[i].body_length > world->server->config.limits.message_bytes)
            return true;
    }
    return false;
}

/* Who sends small mail beside the large ones is never refused room, and everybody gets to the end
 * of its dialogue: a large one may hear 452, but only once it has waited its time. */
static void mail_check_crowd(struct world *world, const struct exchange *x)
{
    const struct dialogue *dialogue = x->dialogue;

    if (x->opened && !dialogue->complete)
        world_fail(world, "#%u in a crowd: its dialogue ended at item %u of %u", x->index,
                   dialogue->next, dialogue->item_count);
    if (x->index >= world->crowd && dialogue->no_room)
        world_fail(world, "#%u sends small mail and was refused for room", x->index);
}

void mail_check(struct world *world)
{
    for (uint32_t i = 0; i < world->exchange_count; i++) {
        const struct exchange *x = &world->exchanges[i];
        const struct dialogue *dialogue = x->dialogue;

        if (world->crowd > 0)
            mail_check_crowd(world, x);
        if (x->clean && !dialogue->complete && !mail_excused(world, x))
            world_fail(world, "#%u its dialogue ended at item %u of %u, with %u replies to %u",
                       x->index, dialogue->next, dialogue->item_count, dialogue->replied,
                       dialogue->sent_count);
    }
}

void mail_fini(struct world *world)
{
    struct mail *mail = world->server;

    for (uint32_t i = 0; i < world->exchange_count; i++) {
        struct dialogue *dialogue = world->exchanges[i].dialogue;

        for (unsigned item = 0; item < dialogue->item_count; item++)
            free(dialogue->items[item].body);
        free(dialogue);
    }
    smtp_customers_free(mail->table);
    free(mail->waiting);
    free(mail);
}
