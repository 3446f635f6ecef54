#include "dataplane/handover/turns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/message/senders.h"
#include "platform/check.h"

#define TURNS_NONE UINT32_MAX
#define TURNS_ROOT 0u

enum status turns_init(struct turns *turns, uint32_t messages)
{
    uint32_t count = 4 * messages + 1; /* three a message, the root, and some debts */
    uint32_t buckets = 16;

    while (buckets < count)
        buckets *= 2;
    *turns = (struct turns){
        .node_count = count,
        .free = TURNS_ROOT,
        .idle_first = TURNS_NONE,
        .idle_last = TURNS_NONE,
        .nodes = calloc(count, sizeof(*turns->nodes)),
        .table = malloc(buckets * sizeof(*turns->table)),
        .mask = buckets - 1,
    };
    if (turns->nodes == NULL || turns->table == NULL)
        return STATUS_NO_MEMORY;
    memset(turns->table, 0xff, buckets * sizeof(*turns->table));
    for (uint32_t i = TURNS_ROOT + 1; i < count; i++)
        turns->nodes[i].chain = i + 1 < count ? i + 1 : TURNS_NONE;
    turns->free = TURNS_ROOT + 1 < count ? TURNS_ROOT + 1 : TURNS_NONE;
    turns->nodes[TURNS_ROOT].next_below = TURNS_NONE;
    turns->nodes[TURNS_ROOT].parent = TURNS_NONE;
    return getrandom(&turns->secret, sizeof(turns->secret), 0) == sizeof(turns->secret)
               ? STATUS_OK
               : STATUS_SYSTEM;
}

void turns_fini(struct turns *turns)
{
    free(turns->nodes);
    free(turns->table);
    turns->nodes = NULL;
    turns->table = NULL;
}

/* -- who is next below a node: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan, 1986) -----
 */

static bool turns_before(const struct turns *turns, uint32_t a, uint32_t b)
{
    const struct turns_node *x = &turns->nodes[a];
    const struct turns_node *y = &turns->nodes[b];

    return x->tag_ns < y->tag_ns || (x->tag_ns == y->tag_ns && x->order < y->order);
}

/* Joins two heaps; either may be none. Returns the first of both. */
static uint32_t heap_meld(struct turns *turns, uint32_t a, uint32_t b)
{
    uint32_t above = b == TURNS_NONE || (a != TURNS_NONE && turns_before(turns, a, b)) ? a : b;
    uint32_t below = above == a ? b : a;
    struct turns_node *first;

    if (below == TURNS_NONE)
        return above;
    first = &turns->nodes[above];
    turns->nodes[below].heap_previous = above;
    turns->nodes[below].heap_next = first->heap_child;
    if (first->heap_child != TURNS_NONE)
        turns->nodes[first->heap_child].heap_previous = below;
    first->heap_child = below;
    return above;
}

/* Joins a row of siblings: in pairs forth, then all back. */
static uint32_t heap_join(struct turns *turns, uint32_t row)
{
    uint32_t pairs = TURNS_NONE; /* linked backwards */
    uint32_t joined = TURNS_NONE;

    while (row != TURNS_NONE) {
        uint32_t other = turns->nodes[row].heap_next;
        uint32_t rest = other == TURNS_NONE ? TURNS_NONE : turns->nodes[other].heap_next;
        uint32_t pair;

        turns->nodes[row].heap_next = TURNS_NONE;
        if (other != TURNS_NONE)
            turns->nodes[other].heap_next = TURNS_NONE;
        pair = heap_meld(turns, row, other);
        turns->nodes[pair].heap_next = pairs;
        pairs = pair;
        row = rest;
    }
    while (pairs != TURNS_NONE) {
        uint32_t rest = turns->nodes[pairs].heap_next;

        turns->nodes[pairs].heap_next = TURNS_NONE;
        joined = heap_meld(turns, joined, pairs);
        pairs = rest;
    }
    return joined;
}

static void turns_enter(struct turns *turns, uint32_t index)
{
    struct turns_node *node = &turns->nodes[index];
    struct turns_node *parent = &turns->nodes[node->parent];

    CHECK(!node->waits);
    node->waits = true;
    node->heap_child = TURNS_NONE;
    node->heap_next = TURNS_NONE;
    node->heap_previous = TURNS_NONE;
    parent->next_below = heap_meld(turns, parent->next_below, index);
}

static void turns_leave(struct turns *turns, uint32_t index)
{
    struct turns_node *node = &turns->nodes[index];
    struct turns_node *parent = &turns->nodes[node->parent];
    uint32_t below = heap_join(turns, node->heap_child);

    CHECK(node->waits);
    node->waits = false;
    if (below != TURNS_NONE)
        turns->nodes[below].heap_previous = TURNS_NONE;
    if (parent->next_below == index) {
        parent->next_below = below;
        return;
    }
    if (turns->nodes[node->heap_previous].heap_child == index)
        turns->nodes[node->heap_previous].heap_child = node->heap_next;
    else
        turns->nodes[node->heap_previous].heap_next = node->heap_next;
    if (node->heap_next != TURNS_NONE)
        turns->nodes[node->heap_next].heap_previous = node->heap_previous;
    parent->next_below = heap_meld(turns, parent->next_below, below);
}

/* -- nodes ------------------------------------------------------------------------------------- */

static void idle_take(struct turns *turns, uint32_t index)
{
    struct turns_node *node = &turns->nodes[index];

    if (node->idle_previous != TURNS_NONE)
        turns->nodes[node->idle_previous].idle_next = node->idle_next;
    else
        turns->idle_first = node->idle_next;
    if (node->idle_next != TURNS_NONE)
        turns->nodes[node->idle_next].idle_previous = node->idle_previous;
    else
        turns->idle_last = node->idle_previous;
}

static void idle_give(struct turns *turns, uint32_t index)
{
    struct turns_node *node = &turns->nodes[index];

    node->idle_next = TURNS_NONE;
    node->idle_previous = turns->idle_last;
    if (turns->idle_last != TURNS_NONE)
        turns->nodes[turns->idle_last].idle_next = index;
    else
        turns->idle_first = index;
    turns->idle_last = index;
}

/* Where the chain has it, or ends. */
static uint32_t *node_link(const struct turns *turns, uint32_t parent, uint64_t key)
{
    const uint64_t words[2] = {key, parent};
    uint64_t hash = siphash13(&turns->secret, words, sizeof(words));
    uint32_t *link = &turns->table[hash & turns->mask];

    while (*link != TURNS_NONE &&
           (turns->nodes[*link].key != key || turns->nodes[*link].parent != parent))
        link = &turns->nodes[*link].chain;
    return link;
}

/* A free one, or that of the oldest debt. Those below a node lose their last message before it
 * does, so none is forgotten that others still share under. */
static uint32_t node_take(struct turns *turns)
{
    uint32_t index = turns->free;
    uint32_t *link;

    if (index != TURNS_NONE) {
        turns->free = turns->nodes[index].chain;
        return index;
    }
    index = turns->idle_first;
    CHECK(index != TURNS_NONE);
    idle_take(turns, index);
    link = node_link(turns, turns->nodes[index].parent, turns->nodes[index].key);
    CHECK(*link == index);
    *link = turns->nodes[index].chain;
    return index;
}

/* The node of `key` below `parent`, with a message more. */
static uint32_t node_hold(struct turns *turns, uint32_t parent, uint64_t key)
{
    uint32_t index = *node_link(turns, parent, key);

    if (index == TURNS_NONE) {
        uint32_t *link;

        index = node_take(turns);
        link = node_link(turns, parent, key); /* another than before, when one was forgotten */
        turns->nodes[index] = (struct turns_node){
            .key = key,
            .parent = parent,
            .chain = TURNS_NONE,
            .era = turns->era,
            .tag_ns = turns->nodes[parent].clock_ns,
            .next_below = TURNS_NONE,
        };
        *link = index;
    } else if (turns->nodes[index].held == 0) {
        idle_take(turns, index);
    }
    turns->nodes[index].held++;
    return index;
}

/* The client has a message less. It goes idle before those above it. */
static void turns_let_go(struct turns *turns, uint32_t client)
{
    for (uint32_t index = client; index != TURNS_ROOT; index = turns->nodes[index].parent) {
        CHECK(turns->nodes[index].held > 0);
        if (--turns->nodes[index].held == 0)
            idle_give(turns, index);
    }
    turns->nodes[TURNS_ROOT].held--;
}

/* -- tags -------------------------------------------------------------------------------------- */

static void turns_bound_debt(const struct turns *turns, struct turns_node *node)
{
    int64_t most_ns = turns->nodes[node->parent].clock_ns + turns->debt_max_ns;

    if (node->tag_ns > most_ns)
        node->tag_ns = most_ns;
}

/* Somebody below it comes to wait: it owes what it had, up to a bound, or starts at the clock. */
static void turns_arrive(struct turns *turns, uint32_t index)
{
    struct turns_node *node = &turns->nodes[index];
    int64_t clock_ns = turns->nodes[node->parent].clock_ns;

    if (node->era != turns->era || node->tag_ns < clock_ns)
        node->tag_ns = clock_ns;
    node->era = turns->era;
    turns_bound_debt(turns, node);
    node->order = ++turns->order;
    turns_enter(turns, index);
}

/* It waits or has a message at a scanner; either way its tag may move it. */
static void turns_charge(struct turns *turns, uint32_t index, int64_t ns)
{
    struct turns_node *node = &turns->nodes[index];
    bool waits = node->waits;

    if (waits)
        turns_leave(turns, index);
    node->tag_ns += ns;
    turns_bound_debt(turns, node);
    node->order = ++turns->order;
    if (waits)
        turns_enter(turns, index);
}

/* -- messages ---------------------------------------------------------------------------------- */

/* Puts it into its client's line. */
static void line_add(struct turns_node *client, struct message *message, bool first)
{
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
}

static void line_remove(struct turns_node *client, struct message *message)
{
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
}

void turns_add(struct turns *turns, struct message *message, bool first)
{
    const uint64_t keys[TURNS_LEVELS] = {
        [TURNS_CUSTOMER] = message->share,
        [TURNS_AROUND] = senders_around(message->client_prefix),
        [TURNS_CLIENT] = message->client_prefix,
    };
    uint32_t index = TURNS_ROOT;

    /* Nobody waits and nothing is scanned: whoever comes now takes nothing from anybody. */
    if (turns->nodes[TURNS_ROOT].held++ == 0)
        turns->era++;
    for (unsigned level = TURNS_CUSTOMER; level < TURNS_LEVELS; level++)
        index = node_hold(turns, index, keys[level]);
    message->turn = index;
    line_add(&turns->nodes[index], message, first);
    for (; index != TURNS_ROOT && !turns->nodes[index].waits; index = turns->nodes[index].parent)
        turns_arrive(turns, index);
}

void turns_remove(struct turns *turns, struct message *message)
{
    uint32_t index = message->turn;

    line_remove(&turns->nodes[index], message);
    if (turns->nodes[index].first == NULL) {
        do {
            turns_leave(turns, index);
            index = turns->nodes[index].parent;
        } while (index != TURNS_ROOT && turns->nodes[index].next_below == TURNS_NONE);
    }
    turns_let_go(turns, message->turn);
}

struct message *turns_next(const struct turns *turns)
{
    uint32_t index = TURNS_ROOT;

    if (turns->nodes[TURNS_ROOT].next_below == TURNS_NONE)
        return NULL;
    while (turns->nodes[index].next_below != TURNS_NONE)
        index = turns->nodes[index].next_below;
    return turns->nodes[index].first;
}

void turns_begin(struct turns *turns, const struct message *message)
{
    turns->scanning++;
    turns->nodes[TURNS_ROOT].held++;
    for (uint32_t index = message->turn; index != TURNS_ROOT; index = turns->nodes[index].parent) {
        struct turns_node *node = &turns->nodes[index];

        CHECK(node->waits);
        node->held++;
        turns->nodes[node->parent].clock_ns = node->tag_ns;
        turns_charge(turns, index, TURNS_BEGIN_NS);
    }
}

void turns_end(struct turns *turns, const struct message *message, int64_t took_ns)
{
    CHECK(turns->scanning > 0);
    turns->scanning--;
    for (uint32_t index = message->turn; index != TURNS_ROOT && took_ns > TURNS_BEGIN_NS;
         index = turns->nodes[index].parent)
        turns_charge(turns, index, took_ns - TURNS_BEGIN_NS);
    turns_let_go(turns, message->turn);
}

/* -- what must hold ---------------------------------------------------------------------------- */

static uint32_t sound_line(const struct turns *turns, uint32_t index)
{
    const struct turns_node *client = &turns->nodes[index];
    const struct message *previous = NULL;
    uint32_t count = 0;

    for (const struct message *message = client->first; message != NULL;
         message = message->turn_next) {
        CHECK(message->turn_previous == previous && message->waiting);
        CHECK(message->turn == index && message->client_prefix == client->key);
        previous = message;
        count++;
    }
    CHECK(client->last == previous);
    return count;
}

/* One that waits: it is where its parent and its neighbours say. */
static void sound_waits(const struct turns *turns, uint32_t index)
{
    const struct turns_node *node = &turns->nodes[index];
    const struct turns_node *above;

    CHECK(node->held > 0);
    CHECK(turns->nodes[node->parent].next_below != TURNS_NONE);
    if (turns->nodes[node->parent].next_below == index)
        return;
    above = &turns->nodes[node->heap_previous];
    CHECK(above->waits && above->parent == node->parent);
    if (above->heap_child == index)
        CHECK(!turns_before(turns, index, node->heap_previous));
    else
        CHECK(above->heap_next == index);
}

bool turns_sound(const struct turns *turns, uint32_t waiting, uint32_t scanning)
{
    uint32_t messages = 0;
    uint32_t held = 0;

    for (uint32_t index = TURNS_ROOT + 1; index < turns->node_count; index++) {
        const struct turns_node *node = &turns->nodes[index];
        uint32_t count;

        if (node->held == 0)
            continue; /* idle, or free */
        count = sound_line(turns, index);
        CHECK(node->waits == (count > 0 || node->next_below != TURNS_NONE));
        if (node->waits)
            sound_waits(turns, index);
        messages += count;
        if (node->parent == TURNS_ROOT)
            held += node->held;
    }
    CHECK(messages == waiting);
    CHECK(turns->scanning == scanning);
    CHECK(held == waiting + scanning && turns->nodes[TURNS_ROOT].held == held);
    return true;
}
