/* What a sender of mail is going to say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialogue.h"
#include "mail.h"
#include "platform/check.h"

static struct dialogue_item *script_add(struct dialogue *dialogue, enum dialogue_kind kind,
                                        const char *text)
{
    struct dialogue_item *item = &dialogue->items[dialogue->item_count++];

    CHECK(dialogue->item_count < DIALOGUE_ITEMS_MAX);
    item->kind = kind;
    (void)snprintf(item->text, sizeof(item->text), "%s", text);
    return item;
}

/* Lines of chance, many of them beginning with dots, none with a bare CR or LF or a NUL. */
static void script_body(struct random *random, struct dialogue_item *item, int64_t least,
                        int64_t most)
{
    uint32_t length = (uint32_t)random_size(random, least, most);
    uint32_t line = 0;

    item->body = malloc(length + 4);
    CHECK(item->body != NULL);
    random_fill(random, item->body, length);
    for (uint32_t i = 0; i < length; i++) {
        uint8_t *byte = &item->body[i];

        if (*byte == '\r' || *byte == '\n' || *byte == '\0')
            *byte = 'x';
        if (line == 0 && *byte < 128)
            *byte = '.';
        line++;
        if (i + 1 < length && line > 1 && (*byte == 'e' || line > 900)) {
            item->body[i] = '\r';
            item->body[++i] = '\n';
            line = 0;
        }
    }
    if (length >= 2 && memcmp(item->body + length - 2, "\r\n", 2) != 0) {
        memcpy(item->body + length, "\r\n", 2);
        length += 2;
    } else if (length == 1) {
        memcpy(item->body, "\r\n", 2);
        length = 2;
    }
    item->body_length = length;
}

static void script_extras(struct random *random, struct dialogue *dialogue)
{
    if (random_chance(random, 1000))
        (void)script_add(dialogue, DIALOGUE_NOOP, "NOOP\r\n");
    if (random_chance(random, 500))
        (void)script_add(dialogue, DIALOGUE_VRFY, "VRFY bob\r\n");
    if (random_chance(random, 1000))
        (void)script_add(dialogue, DIALOGUE_RSET, "RSET\r\n");
}

static void script_recipients(struct random *random, struct dialogue *dialogue)
{
    int64_t count = random_between(random, 0, 3);

    if (random_chance(random, 9500))
        (void)script_add(dialogue, DIALOGUE_RCPT, "RCPT TO:<bob@example.com>\r\n");
    for (int64_t i = 0; i < count; i++) {
        switch (random_below(random, 3)) {
        case 0:
            (void)script_add(dialogue, DIALOGUE_RCPT_UNKNOWN, "RCPT TO:<eve@example.com>\r\n");
            break;
        case 1:
            (void)script_add(dialogue, DIALOGUE_RCPT_FOREIGN, "RCPT TO:<bob@example.net>\r\n");
            break;
        default:
            (void)script_add(dialogue, DIALOGUE_RCPT, "RCPT TO:<postmaster@example.com>\r\n");
            break;
        }
    }
}

/* A maximal mail, announced or not; or a few small ones. */
static void mail_plan_crowd(struct world *world, struct exchange *x)
{
    struct random *random = &world->random;
    struct dialogue *dialogue = x->dialogue;
    bool large = x->index < world->crowd;
    int64_t messages = large ? 1 : random_between(random, 1, 4);

    (void)script_add(dialogue, DIALOGUE_EHLO, "EHLO client.example.net\r\n");
    for (int64_t i = 0; i < messages; i++) {
        struct dialogue_item *mail;
        struct dialogue_item *body;

        mail = script_add(dialogue, DIALOGUE_MAIL, "MAIL FROM:<alice@client.example.net>\r\n");
        (void)script_add(dialogue, DIALOGUE_RCPT, "RCPT TO:<bob@example.com>\r\n");
        (void)script_add(dialogue, DIALOGUE_DATA, "DATA\r\n");
        body = script_add(dialogue, DIALOGUE_BODY, "");
        script_body(random, body, large ? WORLD_CROWD_MAIL * 4 / 5 : 100,
                    large ? WORLD_CROWD_MAIL - 4 : 8000);
        /* Among many of unknown size, a small one that does not say so may have to wait as they do.
         */
        if (random_chance(random, large ? 3000 : world->crowd > 6 ? 10000 : 7000)) {
            (void)snprintf(mail->text, sizeof(mail->text),
                           "MAIL FROM:<alice@client.example.net> SIZE=%u\r\n", body->body_length);
        }
        (void)script_add(dialogue, DIALOGUE_RSET, "RSET\r\n");
    }
    (void)script_add(dialogue, DIALOGUE_QUIT, "QUIT\r\n");
    dialogue->quits = true;
}

void mail_plan(struct world *world, struct exchange *x)
{
    struct random *random = &world->random;
    struct dialogue *dialogue = calloc(1, sizeof(*dialogue));
    int64_t most = world->exchange_count <= 6 ? 200000 : world->exchange_count <= 40 ? 30000 : 3000;
    int64_t messages = random_between(random, 0, 4);

    CHECK(dialogue != NULL);
    x->dialogue = dialogue;
    x->peer.plan.total = 0;
    x->peer.plan.waits_for_fin = false;
    if (x->peer.plan.segments == PEER_TINY_SEGMENTS)
        most = 500;
    dialogue->pipelining = random_chance(random, 7000);
    dialogue->eager = random_chance(random, 5000);
    dialogue->quits = random_chance(random, 8000);
    dialogue->pauses = random_chance(random, 4000);
    (void)script_add(dialogue, DIALOGUE_BANNER, "");
    dialogue->sent_count = 1;
    dialogue->next = 1;
    if (world->crowd > 0) {
        dialogue->pauses = false;
        mail_plan_crowd(world, x);
        return;
    }
    if (random_chance(random, 8500)) {
        (void)script_add(dialogue, DIALOGUE_EHLO, "EHLO client.example.net\r\n");
    } else {
        (void)script_add(dialogue, DIALOGUE_HELO, "HELO client.example.net\r\n");
        dialogue->pipelining = false;
    }
    for (int64_t i = 0; i < messages; i++) {
        script_extras(random, dialogue);
        (void)script_add(dialogue, DIALOGUE_MAIL, "MAIL FROM:<alice@client.example.net>\r\n");
        script_recipients(random, dialogue);
        (void)script_add(dialogue, DIALOGUE_DATA, "DATA\r\n");
        script_body(random, script_add(dialogue, DIALOGUE_BODY, ""), 0, most);
        /* Whatever became of it, the next transaction starts afresh. */
        (void)script_add(dialogue, DIALOGUE_RSET, "RSET\r\n");
    }
    if (dialogue->quits)
        (void)script_add(dialogue, DIALOGUE_QUIT, "QUIT\r\n");
}
