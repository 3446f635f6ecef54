/* What a sender says and hears: one mail a connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "platform/check.h"

static const char dialogue_behind[] = "NOOP\r\n"; /* said again and again */
static const char dialogue_quit[] = "QUIT\r\n";

static void dialogue_say(struct client *client, const char *text)
{
    size_t length = strlen(text);

    CHECK(client->body_at < 0 && client->before_bytes + length < sizeof(client->before));
    memcpy(client->before + client->before_bytes, text, length);
    client->before_bytes += (int64_t)length;
    client->end = client->before_bytes;
}

/* Behind the body: its dot, and what is said without waiting. */
static int64_t dialogue_body_end(const struct client *client)
{
    return client->body_at + client->plan.body_bytes + (client->plan.holds ? 0 : 3);
}

static uint8_t dialogue_byte_behind(const struct client *client, int64_t at)
{
    int64_t dot = client->plan.body_bytes;

    if (at < dot + 3)
        return (uint8_t) ".\r\n"[at - dot];
    at -= dot + 3;
    if (at < client->plan.behind)
        return (uint8_t)dialogue_behind[at % 6];
    return (uint8_t)dialogue_quit[(at - client->plan.behind) % 6];
}

static void dialogue_bytes_again(const struct client *client, int64_t from, uint32_t length,
                                 uint8_t *to)
{
    size_t times = strlen(client->again);

    for (uint32_t i = 0; i < length; i++, from++) {
        int64_t at = from - client->before_bytes;

        to[i] = (uint8_t)(at < 0 ? client->before[from] : client->again[(size_t)at % times]);
    }
}

void dialogue_bytes(const struct client *client, int64_t from, uint32_t length, uint8_t *to)
{
    int64_t total = client->plan.body_bytes;

    if (client->again != NULL) {
        dialogue_bytes_again(client, from, length, to);
        return;
    }
    while (length > 0 && (client->body_at < 0 || from < client->body_at)) {
        *to++ = (uint8_t)client->before[from++];
        length--;
    }
    if (length > 0 && from < client->body_at + total) {
        int64_t at = from - client->body_at;
        uint32_t part = (uint32_t)(total - at < length ? total - at : length);

        body_bytes(client, (uint32_t)at, part, to);
        from += part;
        to += part;
        length -= part;
    }
    for (; length > 0; length--, from++)
        *to++ = dialogue_byte_behind(client, from - client->body_at);
}

void dialogue_grab(struct client *client)
{
    static const struct {
        const char *before;
        const char *again;
        int64_t times;
    } words[] = {
        [GRAB_NOTHING] = {"", "", 0},
        [GRAB_COMMANDS] = {"", "EHLO a", 1},
        [GRAB_REPLIES] = {"EHLO a\r\n", "NOOP\r\n", 1300},
        [GRAB_ENVELOPES] = {"EHLO a\r\nMAIL FROM:<ann@client.example>\r\n",
                            "RCPT TO:<a-user-whose-name-has-as-many-octets-as-a-local-part-may-have"
                            "@customer0.example>\r\n",
                            1000},
    };
    enum client_grab grab = client->plan.grab;

    if (grab == GRAB_NOTHING)
        return;
    CHECK(words[grab].before != NULL);
    dialogue_say(client, words[grab].before);
    client->again = words[grab].again;
    client->end += words[grab].times * (int64_t)strlen(client->again);
}

void dialogue_begin(struct client *client)
{
    client->stage = STAGE_BANNER;
    client->before_bytes = 0;
    client->body_at = -1;
    client->again = NULL;
    client->line_bytes = 0;
    client->data_ns = 0;
    client->taken_ns = 0;
    client->go_ns = 0;
    client->dot_ns = 0;
    client->code = 0;
}

static void dialogue_mail(struct client *client)
{
    char text[128] = "MAIL FROM:<ann@client.example>\r\n";

    if (client->plan.announces)
        (void)snprintf(text, sizeof(text), "MAIL FROM:<ann@client.example> SIZE=%u\r\n",
                       client->plan.body_bytes);
    dialogue_say(client, text);
}

void dialogue_acknowledged(struct client *client)
{
    if (client->stage == STAGE_DATA && client->taken_ns == 0 && client->una == client->end)
        client->taken_ns = client->crowd->now_ns;
    if (client->dot_ns == 0 && client->body_at >= 0 && !client->plan.holds &&
        client->una >= dialogue_body_end(client))
        client->dot_ns = client->crowd->now_ns;
}

/* 354: the body, and what comes behind it. */
static void dialogue_body(struct client *client)
{
    client->go_ns = client->crowd->now_ns;
    client->body_at = client->before_bytes;
    client->end = dialogue_body_end(client) + (client->plan.holds ? 0 : client->plan.behind);
}

static void dialogue_over(struct client *client)
{
    if (client->body_at < 0)
        dialogue_say(client, dialogue_quit);
    else
        client->end = dialogue_body_end(client) + client->plan.behind + 6;
    client->stage = STAGE_QUIT;
}

/* Its last word on the mail. None may be late: room for admission_wait, the verdict for
 * verdict_timeout, and a moment for workers and the line. */
static void dialogue_answered(struct client *client, unsigned code)
{
    struct crowd *crowd = client->crowd;
    bool completed = client->stage == STAGE_BODY && client->received && code != 452 &&
                     !crowd->plan.customer[client->plan.customer].hangs;

    client->code = code;
    client->took_ns = crowd->now_ns - client->begun_ns;
    crowd_trace(crowd, "client %u hears %u at stage %d after %.3f s", client->index, code,
                (int)client->stage, (double)client->took_ns / 1e9);
    if (code / 100 == 4) {
        client->refusals++;
        crowd->refused++;
    }
    crowd->completed += completed;
    crowd_live(crowd, client, false, completed);
    client->data_ns = 0;
    dialogue_over(client);
}

static void dialogue_next(struct client *client)
{
    char text[64];

    client->stage++;
    switch (client->stage) {
    case STAGE_EHLO:
        dialogue_say(client, "EHLO client.example\r\n");
        break;
    case STAGE_MAIL:
        dialogue_mail(client);
        break;
    case STAGE_RCPT:
        (void)snprintf(text, sizeof(text), "RCPT TO:<bob@customer%u.example>\r\n",
                       client->plan.customer);
        dialogue_say(client, text);
        break;
    case STAGE_DATA:
        dialogue_say(client, "DATA\r\n");
        client->data_ns = client->crowd->now_ns;
        client->received = false;
        crowd_live(client->crowd, client, true, false);
        break;
    case STAGE_BODY:
        dialogue_body(client);
        break;
    default:
        break;
    }
}

static void dialogue_reply(struct client *client, unsigned code)
{
    static const unsigned good[] = {220, 250, 250, 250, 354};

    if (client->code != 0)
        return; /* of what it said behind, or of QUIT */
    if (client->stage < STAGE_BODY && code == good[client->stage])
        dialogue_next(client);
    else
        dialogue_answered(client, code);
}

void dialogue_heard(struct client *client, const uint8_t *bytes, uint32_t length)
{
    if (client->again != NULL)
        return;
    for (uint32_t i = 0; i < length; i++) {
        CHECK(client->line_bytes < sizeof(client->line) - 1);
        client->line[client->line_bytes++] = (char)bytes[i];
        if (bytes[i] != '\n')
            continue;
        client->line[client->line_bytes] = '\0';
        client->line_bytes = 0;
        if (client->line[3] == ' ')
            dialogue_reply(client, (unsigned)strtoul(client->line, NULL, 10));
    }
}
