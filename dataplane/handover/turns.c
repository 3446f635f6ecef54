#include "dataplane/handover/turns.h"

#include <string.h>
#include <sys/random.h>

#include "platform/check.h"

_Static_assert((TURNS_CLIENTS & (TURNS_CLIENTS - 1)) == 0, "a power of two");

void turns_init(struct turns *turns)
{
    memset(turns, 0, sizeof(*turns));
    /* Without a secret, who shares a place could be chosen; nothing worse. */
    (void)!getrandom(turns->secret, sizeof(turns->secret), 0);
    turns->secret[1] |= 1;
}

/* Multiply-shift hashing (Dietzfelbinger et al., 1997): any two clients meet with probability 2 in
 * TURNS_CLIENTS at most. */
static uint32_t turns_of(const struct turns *turns, const struct message *message)
{
    uint64_t mixed = (message->client_prefix ^ turns->secret[0]) * turns->secret[1];

    return (uint32_t)(mixed >> 32) / (uint32_t)((UINT64_C(1) << 32) / TURNS_CLIENTS);
}

/* -- the heap of clients that wait ------------------------------------------------------------- */

static bool turns_before(const struct turns *turns, uint32_t a, uint32_t b)
{
    const struct turns_client *x = &turns->clients[a];
    const struct turns_client *y = &turns->clients[b];

    return x->tag_ns < y->tag_ns || (x->tag_ns == y->tag_ns && x->order < y->order);
}

static void turns_put(struct turns *turns, uint32_t place, uint32_t client)
{
    turns->queue[place] = client;
    turns->clients[client].place = place;
}

/* Moves the client at `place` to where its tag belongs: at most log2(TURNS_CLIENTS) steps. */
static void turns_settle(struct turns *turns, uint32_t place)
{
    uint32_t client = turns->queue[place];

    while (place > 0 && turns_before(turns, client, turns->queue[(place - 1) / 2])) {
        turns_put(turns, place, turns->queue[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        uint32_t below = 2 * place + 1;

        if (below + 1 < turns->count &&
            turns_before(turns, turns->queue[below + 1], turns->queue[below]))
            below++;
        if (below >= turns->count || !turns_before(turns, turns->queue[below], client))
            break;
        turns_put(turns, place, turns->queue[below]);
        place = below;
    }
    turns_put(turns, place, client);
}

static void turns_enter(struct turns *turns, uint32_t client)
{
    turns_put(turns, turns->count++, client);
    turns_settle(turns, turns->count - 1);
}

static void turns_leave(struct turns *turns, uint32_t client)
{
    uint32_t place = turns->clients[client].place;
    uint32_t last = turns->queue[--turns->count];

    if (place == turns->count)
        return;
    turns_put(turns, place, last);
    turns_settle(turns, place);
}

/* -- messages ---------------------------------------------------------------------------------- */

/* It owes what it had, up to a bound, or starts at the clock. */
static void turns_arrive(struct turns *turns, struct turns_client *client)
{
    if (client->era != turns->era || client->tag_ns < turns->clock_ns)
        client->tag_ns = turns->clock_ns;
    client->era = turns->era;
    if (client->tag_ns > turns->clock_ns + turns->debt_max_ns)
        client->tag_ns = turns->clock_ns + turns->debt_max_ns;
    client->order = ++turns->order;
}

void turns_add(struct turns *turns, struct message *message, bool first)
{
    uint32_t number = turns_of(turns, message);
    struct turns_client *client = &turns->clients[number];
    bool waited = client->first != NULL;

    message->turn_next = first ? client->first : NULL;
    message->turn_previous = first ? NULL : client->last;
    if (message->turn_next != NULL)
        message->turn_next->turn_previous = message;
    else
        client->last = message;
    if (message->turn_previous != NULL)
        message->turn_previous->turn_next = message;
    else
        client->first = message;
    if (waited)
        return;
    /* Nobody waits and nothing is scanned: whoever comes now takes nothing from anybody. */
    if (turns->count == 0 && turns->scanning == 0)
        turns->era++;
    turns_arrive(turns, client);
    turns_enter(turns, number);
}

void turns_remove(struct turns *turns, struct message *message)
{
    uint32_t number = turns_of(turns, message);
    struct turns_client *client = &turns->clients[number];

    if (message->turn_previous != NULL)
        message->turn_previous->turn_next = message->turn_next;
    else
        client->first = message->turn_next;
    if (message->turn_next != NULL)
        message->turn_next->turn_previous = message->turn_previous;
    else
        client->last = message->turn_previous;
    message->turn_next = NULL;
    message->turn_previous = NULL;
    if (client->first == NULL)
        turns_leave(turns, number);
}

struct message *turns_next(const struct turns *turns)
{
    return turns->count == 0 ? NULL : turns->clients[turns->queue[0]].first;
}

/* The client waits or has a message at a scanner; either way its tag may move it. */
static void turns_charge(struct turns *turns, struct turns_client *client, int64_t ns)
{
    client->tag_ns += ns;
    if (client->tag_ns > turns->clock_ns + turns->debt_max_ns)
        client->tag_ns = turns->clock_ns + turns->debt_max_ns;
    client->order = ++turns->order;
    if (client->first != NULL)
        turns_settle(turns, client->place);
}

void turns_begin(struct turns *turns, const struct message *message)
{
    struct turns_client *client = &turns->clients[turns_of(turns, message)];

    CHECK(client->first != NULL);
    turns->clock_ns = client->tag_ns;
    turns->scanning++;
    turns_charge(turns, client, TURNS_BEGIN_NS);
}

void turns_end(struct turns *turns, const struct message *message, int64_t took_ns)
{
    struct turns_client *client = &turns->clients[turns_of(turns, message)];

    CHECK(turns->scanning > 0);
    turns->scanning--;
    if (took_ns > TURNS_BEGIN_NS)
        turns_charge(turns, client, took_ns - TURNS_BEGIN_NS);
}

/* -- what must hold ---------------------------------------------------------------------------- */

static uint32_t turns_sound_client(const struct turns *turns, uint32_t number)
{
    const struct turns_client *client = &turns->clients[number];
    const struct message *previous = NULL;
    uint32_t count = 0;

    for (const struct message *message = client->first; message != NULL;
         message = message->turn_next) {
        CHECK(message->turn_previous == previous && message->waiting);
        CHECK(turns_of(turns, message) == number);
        previous = message;
        count++;
    }
    CHECK(client->last == previous);
    CHECK(count == 0 || (client->place < turns->count && turns->queue[client->place] == number));
    return count;
}

bool turns_sound(const struct turns *turns, uint32_t waiting, uint32_t scanning)
{
    uint32_t messages = 0;
    uint32_t clients = 0;

    for (uint32_t number = 0; number < TURNS_CLIENTS; number++) {
        uint32_t count = turns_sound_client(turns, number);

        messages += count;
        clients += count > 0;
    }
    CHECK(messages == waiting);
    CHECK(clients == turns->count);
    CHECK(turns->scanning == scanning);
    for (uint32_t place = 1; place < turns->count; place++)
        CHECK(!turns_before(turns, turns->queue[place], turns->queue[(place - 1) / 2]));
    return true;
}
