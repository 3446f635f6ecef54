/* Senders and what they send: one reply to one mail, or they go away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "platform/link/message_view.h"
#include "world.h"

#define MAILS_LINE 60u

static const char *const mails_domains[WORLD_CUSTOMERS] = {"defer.example", "reject.example",
                                                           "deliver.example"};

/* -- mails ------------------------------------------------------------------------------------- */

void mail_body(const struct mail *mail, char *body)
{
    struct random random;
    int head = snprintf(body, 64, "Subject: %u\r\n\r\n", mail->number);
    char *at = body + head;

    random_seed(&random, mail->body_seed);
    for (uint32_t i = 0; i < mail->body_bytes; i += MAILS_LINE) {
        for (unsigned column = 0; column < MAILS_LINE - 2; column++)
            *at++ = (char)('a' + random_below(&random, 26));
        *at++ = '\r';
        *at++ = '\n';
    }
    *at = '\0';
}

static struct mail *mail_make(struct world *world, uint32_t worker)
{
    static const enum verdict_kind truths[] = {VERDICT_CLEAN, VERDICT_CLEAN, VERDICT_CLEAN,
                                               VERDICT_INFECTED, VERDICT_UNSCANNABLE};
    struct mail *mail = &world->mails[world->mail_count];

    CHECK(world->mail_count < WORLD_MAILS_MAX);
    *mail = (struct mail){
        .number = world->mail_count++,
        .worker = worker,
        .customer = (uint32_t)random_below(&world->random, WORLD_CUSTOMERS),
        .truth = truths[random_below(&world->random, 5)],
        .body_bytes = (uint32_t)random_size(&world->random, 1, WORLD_BODY_MAX - 2 * MAILS_LINE),
        .body_seed = random_next(&world->random),
    };
    return mail;
}

/* Which mail it says it is; null when it is none of ours, or not byte for byte. */
static struct mail *mail_of_bytes(struct world *world, const char *bytes, size_t length)
{
    char body[WORLD_BODY_MAX + 256];
    char *end;
    unsigned long number;

    if (length < 12 || memcmp(bytes, "Subject: ", 9) != 0)
        return NULL;
    number = strtoul(bytes + 9, &end, 10);
    if (number >= world->mail_count || *end != '\r')
        return NULL;
    mail_body(&world->mails[number], body);
    if (strlen(body) != length || memcmp(body, bytes, length) != 0)
        return NULL;
    return &world->mails[number];
}

struct mail *mail_read(struct world *world, uint32_t message, uint32_t generation, uint32_t length)
{
    char bytes[WORLD_BODY_MAX + 1024];
    struct message_view view;
    struct mail *mail;
    size_t got;

    if (message_view_open(&view, &world->region, message, generation, length) != STATUS_OK) {
        world_fail(world, "message %u, generation %u, is not what was handed over", message,
                   generation);
        return NULL;
    }
    got = message_view_read(&view, view.trace_size, bytes, sizeof(bytes) - 1);
    bytes[got] = '\0';
    message_view_close(&view);
    mail = mail_of_bytes(world, bytes, got);
    if (mail == NULL)
        world_fail(world, "message %u, generation %u, is not what was sent", message, generation);
    return mail;
}

/* -- a sender ---------------------------------------------------------------------------------- */

static void sender_leave(struct world *world, struct sender *sender)
{
    (void)world;
    if (sender->mail != NULL)
        sender->mail->left = sender->mail->left || !sender->mail->answered;
    if (sender->next != NULL)
        sender->next->left = true;
    sender_close(sender->connection);
    *sender = (struct sender){.state = SENDER_NONE};
}

static void sender_envelope(const struct mail *mail, char text[256])
{
    (void)snprintf(text, 256, "MAIL FROM:<ann@client.example>\r\nRCPT TO:<bob@%s>\r\nDATA\r\n",
                   mails_domains[mail->customer]);
}

static void sender_begin(struct world *world, struct sender *sender)
{
    uint32_t worker = (uint32_t)random_below(&world->random, WORLD_WORKERS);
    char text[256];

    sender->connection = sender_open(&world->workers[worker].endpoint);
    sender->connection->prefix = random_below(&world->random, 8);
    sender->left = (unsigned)random_between(&world->random, 0, 3);
    sender->mail = mail_make(world, worker);
    sender->state = SENDER_ENVELOPE;
    sender_envelope(sender->mail, text);
    sender_say(sender->connection, text);
}

static bool sender_more(const struct world *world, const struct sender *sender)
{
    return sender->left > 0 && world->mail_count < world->plan.mails;
}

/* Some of the body; with its end, sometimes, what comes behind it. */
static void sender_body(struct world *world, struct sender *sender)
{
    size_t length = strlen(sender->body);
    size_t part = (size_t)random_size(&world->random, 1, WORLD_BODY_MAX);
    char text[WORLD_BODY_MAX + 768];

    if (part > length - sender->said)
        part = length - sender->said;
    memcpy(text, sender->body + sender->said, part);
    text[part] = '\0';
    sender->said += (uint32_t)part;
    if (sender->said == length) {
        sender->mail->submitted_ns = world->now_ns;
        sender->state = SENDER_WAITING;
        if (sender_more(world, sender) && random_chance(&world->random, 5000)) {
            sender->left--;
            sender->next = mail_make(world, sender->mail->worker);
            sender_envelope(sender->next, text + part);
        }
    }
    sender_say(sender->connection, text);
}

static void sender_next(struct world *world, struct sender *sender)
{
    char text[256];

    sender->mail = sender->next;
    sender->next = NULL;
    sender->replies = 0;
    sender->state = SENDER_ENVELOPE;
    if (sender->mail != NULL)
        return; /* it has been said already */
    if (!sender_more(world, sender)) {
        sender->state = SENDER_DONE;
        return;
    }
    sender->left--;
    sender->mail =
        mail_make(world, sender->connection->endpoint == &world->workers[0].endpoint ? 0 : 1);
    sender_envelope(sender->mail, text);
    sender_say(sender->connection, text);
}

static void sender_reply(struct world *world, struct sender *sender, const char *reply)
{
    unsigned code = (unsigned)strtoul(reply, NULL, 10);

    if (sender->state == SENDER_WAITING) {
        oracle_reply(world, sender->mail, reply);
        sender_next(world, sender);
        return;
    }
    if (sender->state != SENDER_ENVELOPE || ++sender->replies > 3) {
        world_fail(world, "a reply to nothing: %s", reply);
        return;
    }
    sender->data_code = code;
    if (sender->replies < 3)
        return;
    sender->said = 0;
    sender->state = code == 354 ? SENDER_BODY : SENDER_DONE; /* no room: it comes another day */
    mail_body(sender->mail, sender->body);
    memcpy(sender->body + strlen(sender->body), ".\r\n", sizeof(".\r\n"));
}

static void sender_listen(struct world *world, struct sender *sender)
{
    const char *heard = sender_heard(sender->connection);
    size_t length = strlen(heard); /* what it says in between brings more, for the next round */

    for (size_t i = 0; i < length && !world->failed; i++) {
        CHECK(sender->line_length < sizeof(sender->line) - 1);
        sender->line[sender->line_length++] = heard[i];
        if (heard[i] != '\n')
            continue;
        sender->line[sender->line_length - 2] = '\0';
        sender->line_length = 0;
        if (sender->line[3] == ' ')
            sender_reply(world, sender, sender->line);
    }
}

static void sender_act(struct world *world, struct sender *sender)
{
    if (sender->state == SENDER_NONE) {
        if (world->now_ns < world->plan.begin_ns)
            return;
        if (world->mail_count < world->plan.mails &&
            random_chance(&world->random, world->plan.arrivals))
            sender_begin(world, sender);
        return;
    }
    sender_listen(world, sender);
    if (world->failed)
        return;
    if (sender->state == SENDER_DONE || sender->connection->closed ||
        (!world->plan.calm && random_chance(&world->random, world->plan.sender_leaves))) {
        sender_leave(world, sender);
        return;
    }
    if (sender->state == SENDER_BODY && random_chance(&world->random, 5000))
        sender_body(world, sender);
}

void senders_act(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_SENDERS_MAX && !world->failed; i++)
        sender_act(world, &world->senders[i]);
}

bool senders_done(const struct world *world)
{
    for (uint32_t i = 0; i < WORLD_SENDERS_MAX; i++) {
        if (world->senders[i].state != SENDER_NONE)
            return false;
    }
    return world->mail_count >= world->plan.mails;
}
