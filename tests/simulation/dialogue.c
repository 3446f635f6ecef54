#include "dialogue.h"

#include <string.h>

#include "world.h"

static bool dialogue_line_ends(const uint8_t *bytes, int64_t from, int64_t end, int64_t *next)
{
    for (int64_t i = from; i + 1 < end; i++) {
        if (bytes[i] == '\r' && bytes[i + 1] == '\n') {
            *next = i + 2;
            return true;
        }
    }
    return false;
}

unsigned dialogue_count_replies(const uint8_t *bytes, int64_t *from, int64_t end)
{
    unsigned count = 0;
    int64_t next;

    while (dialogue_line_ends(bytes, *from, end, &next)) {
        if (next - *from >= 6 && bytes[*from + 3] != '-')
            count++;
        *from = next;
    }
    return count;
}

static void dialogue_put(struct exchange *x, const void *bytes, size_t length)
{
    struct peer *peer = &x->peer;

    peer_reserve(peer, peer->written + (int64_t)length);
    memcpy(peer->bytes + peer->written, bytes, length);
    peer->written += (int64_t)length;
    peer->total = peer->written;
}

/* With its dots doubled and the end of data behind it. */
static void dialogue_put_body(struct exchange *x, const struct dialogue_item *item)
{
    uint32_t start = 0;

    for (uint32_t i = 0; i < item->body_length; i++) {
        if ((i == 0 || item->body[i - 1] == '\n') && item->body[i] == '.') {
            dialogue_put(x, item->body + start, i - start);
            dialogue_put(x, ".", 1);
            start = i;
        }
    }
    dialogue_put(x, item->body + start, item->body_length - start);
    dialogue_put(x, ".\r\n", 3);
}

/* May the next item be sent before everything is answered (RFC 2920 3.1)? */
static bool dialogue_may_send(const struct dialogue *dialogue)
{
    const struct dialogue_item *last;

    if (dialogue->replied == dialogue->sent_count)
        return true;
    if (!dialogue->pipelining || dialogue->replied < 2)
        return false;
    last = &dialogue->items[dialogue->sent[dialogue->sent_count - 1]];
    switch (last->kind) {
    case DIALOGUE_MAIL:
    case DIALOGUE_RCPT:
    case DIALOGUE_RCPT_UNKNOWN:
    case DIALOGUE_RCPT_FOREIGN:
    case DIALOGUE_RSET:
        return true;
    case DIALOGUE_BODY:
        return dialogue->eager;
    default:
        return false;
    }
}

static void dialogue_send(struct exchange *x)
{
    struct dialogue *dialogue = x->dialogue;

    while (dialogue->next < dialogue->item_count && dialogue_may_send(dialogue)) {
        const struct dialogue_item *item = &dialogue->items[dialogue->next];

        if (item->kind == DIALOGUE_BODY && !dialogue->data_open) {
            dialogue->next++; /* DATA was refused */
            continue;
        }
        world_trace(x->world, "#%u says %s", x->index,
                    item->kind == DIALOGUE_BODY ? "(message)\n" : item->text);
        if (item->kind == DIALOGUE_BODY)
            dialogue_put_body(x, item);
        else
            dialogue_put(x, item->text, strlen(item->text));
        dialogue->data_open = false;
        dialogue->sent[dialogue->sent_count++] = (uint8_t)dialogue->next;
        dialogue->next++;
    }
    if (dialogue->next == dialogue->item_count && dialogue->replied == dialogue->sent_count) {
        dialogue->complete = true;
        x->peer.fin_wanted = true;
    }
    peer_push(x);
}

/* What a command may be answered here; 0: nothing more. */
static bool dialogue_expected(const struct exchange *x, const struct dialogue_item *item,
                              unsigned code)
{
    const struct dialogue *dialogue = x->dialogue;

    switch (item->kind) {
    case DIALOGUE_BANNER:
        return code == 220;
    case DIALOGUE_EHLO:
    case DIALOGUE_HELO:
    case DIALOGUE_NOOP:
    case DIALOGUE_RSET:
        return code == 250;
    case DIALOGUE_VRFY:
        return code == 252;
    case DIALOGUE_MAIL:
        return code == 250 || code == 452;
    case DIALOGUE_RCPT:
        return dialogue->has_mail ? code == 250 || code == 452 : code == 503;
    case DIALOGUE_RCPT_UNKNOWN:
        return dialogue->has_mail ? code == 550 : code == 503;
    case DIALOGUE_RCPT_FOREIGN:
        return dialogue->has_mail ? code == 554 : code == 503;
    case DIALOGUE_DATA:
        if (!dialogue->has_mail)
            return code == 503;
        return dialogue->recipients > 0 ? code == 354 || code == 452 : code == 554;
    case DIALOGUE_BODY:
        return item->submitted ? code == item->answer : code == 452 || code == 552;
    case DIALOGUE_QUIT:
        return code == 221;
    }
    return false;
}

static void dialogue_apply(struct dialogue *dialogue, const struct dialogue_item *item,
                           unsigned code)
{
    switch (item->kind) {
    case DIALOGUE_EHLO:
    case DIALOGUE_HELO:
    case DIALOGUE_RSET:
    case DIALOGUE_BODY:
        dialogue->has_mail = false;
        dialogue->recipients = 0;
        break;
    case DIALOGUE_MAIL:
        dialogue->has_mail = code == 250;
        dialogue->recipients = 0;
        break;
    case DIALOGUE_RCPT:
        dialogue->recipients += code == 250;
        break;
    case DIALOGUE_DATA:
        dialogue->data_open = code == 354;
        break;
    default:
        break;
    }
}

static void dialogue_reply(struct exchange *x, unsigned code)
{
    struct dialogue *dialogue = x->dialogue;
    const struct dialogue_item *item;

    if (code == 421) {
        dialogue->closing = true;
        return;
    }
    if (dialogue->replied >= dialogue->sent_count) {
        world_fail(x->world, "#%u reply %u to nothing", x->index, code);
        return;
    }
    item = &dialogue->items[dialogue->sent[dialogue->replied]];
    dialogue->no_room = dialogue->no_room || code == 452;
    world_trace(x->world, "#%u hears %u", x->index, code);
    if (!dialogue_expected(x, item, code))
        world_fail(x->world, "#%u reply %u to item %u (kind %d), verdict %u", x->index, code,
                   dialogue->sent[dialogue->replied], (int)item->kind, item->answer);
    dialogue_apply(dialogue, item, code);
    dialogue->replied++;
}

void dialogue_received(struct exchange *x)
{
    struct dialogue *dialogue = x->dialogue;
    struct peer *peer = &x->peer;
    int64_t next;

    while (dialogue_line_ends(x->replies, dialogue->parsed, peer->receive_next, &next)) {
        const uint8_t *line = x->replies + dialogue->parsed;

        if (next - dialogue->parsed < 6)
            world_fail(x->world, "#%u a reply line of %lld bytes", x->index,
                       (long long)(next - dialogue->parsed));
        else if (line[3] != '-')
            dialogue_reply(x, (line[0] - '0') * 100u + (line[1] - '0') * 10u + (line[2] - '0'));
        dialogue->parsed = next;
    }
    if (peer->fin_seen) {
        peer->fin_wanted = true;
        dialogue->complete =
            dialogue->next == dialogue->item_count && dialogue->replied == dialogue->sent_count;
        return;
    }
    if (dialogue->closing)
        return;
    if (dialogue->pauses && peer->write_ns == 0)
        peer->write_ns = x->world->now_ns + random_size(&x->world->random, 1, peer->plan.gap_ns);
    else if (!dialogue->pauses)
        dialogue_send(x);
}

void dialogue_timer(struct exchange *x)
{
    if (!x->dialogue->closing && !x->peer.fin_wanted)
        dialogue_send(x);
}
