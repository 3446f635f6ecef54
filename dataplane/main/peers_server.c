#include "dataplane/main/peers_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/main/main_thread.h"
#include "dataplane/main/peers_rows.h"
#include "platform/clock.h"
#include "platform/log/notice.h"

#define PEERS_LINKS_MAX         16u /* at once: scanner parents, control, the supervisor, late ones */
#define PEERS_IDLE_LINKS_MAX    2u /* of another user's that are not at work */
#define PEERS_HELLO_LIMIT_NS    (5 * CLOCK_NS_PER_SECOND)
#define PEERS_MESSAGES_PER_POLL 64u

enum peer_link_stage {
    PEER_LINK_UNUSED,
    PEER_LINK_HELLO,
    PEER_LINK_WAITING,
    PEER_LINK_ACTIVE,
    PEER_LINK_LEAVING, /* we have ended it, and wait for the other side's end */
};

struct peer_link {
    enum peer_link_stage stage;
    enum link_kind kind;
    int fd;
    uint32_t uid;
    uint32_t first; /* of its slots in the table, once it is active */
    uint32_t slots;
    bool candidate;
    bool stood_in; /* serves without an order, which may still come */
    int64_t since_ns;
};

struct peers_server {
    struct peers *peers;
    const struct region *region;
    int listening;
    uint32_t peer_uid;
    uint32_t own_uid;
    struct peer_link links[PEERS_LINKS_MAX];
    struct peers_rows rows;
};

enum status peers_server_create(struct peers_server **server, struct peers *peers,
                                const struct region *region, const char *path, uint32_t peer_uid,
                                uint32_t peer_gid)
{
    enum status status;

    *server = calloc(1, sizeof(**server));
    if (*server == NULL)
        return STATUS_NO_MEMORY;
    (*server)->peers = peers;
    (*server)->region = region;
    (*server)->peer_uid = peer_uid;
    (*server)->own_uid = (uint32_t)geteuid();
    status = peers_rows_init(&(*server)->rows, peers, region);
    if (status == STATUS_OK)
        status = link_listen(path, peer_gid, &(*server)->listening);
    if (status != STATUS_OK) {
        peers_rows_fini(&(*server)->rows);
        free(*server);
        *server = NULL;
    }
    return status;
}

static uint64_t peers_life(const struct peers *peers, uint32_t slot)
{
    return atomic_load_explicit(&peers->slots[slot].life, memory_order_relaxed);
}

static void peers_set(struct peers *peers, uint32_t slot, uint32_t epoch, enum peer_state state)
{
    atomic_store_explicit(&peers->slots[slot].life, peer_life(epoch, state), memory_order_release);
    atomic_fetch_add_explicit(&peers->changes, 1, memory_order_release);
}

/* The peer in that slot is no more. One that no worker ever attached to can go at once. */
static void peers_slot_lost(struct peers_server *server, uint32_t slot)
{
    struct peers *peers = server->peers;
    uint64_t life = peers_life(peers, slot);

    if (peer_state_of(life) == PEER_OFFERED || peer_state_of(life) == PEER_CANDIDATE) {
        peers_rows_ended(&server->rows, slot);
        channel_memory_close(&peers->slots[slot].memory);
        peers_set(peers, slot, peer_epoch_of(life), PEER_ABSENT);
    } else if (peer_state_of(life) == PEER_READY || peer_state_of(life) == PEER_LEAVING) {
        peers_set(peers, slot, peer_epoch_of(life), PEER_GONE);
    }
}

static const char *peers_kind_text(enum link_kind kind)
{
    static const char *const texts[] = {
        [LINK_KIND_SCANNER] = "scanner",
        [LINK_KIND_CONTROL] = "control",
        [LINK_KIND_SUPERVISOR] = "supervisor",
    };

    return texts[kind];
}

static void peers_drop(struct peers_server *server, struct peer_link *link, const char *why)
{
    bool active = link->stage == PEER_LINK_ACTIVE || link->stage == PEER_LINK_LEAVING;

    if (active) {
        uint32_t first = link->first;

        for (uint32_t i = 0; i < link->slots; i++)
            peers_slot_lost(server, first + i);
    }
    if (!active || link->kind != LINK_KIND_SUPERVISOR)
        notice("%s link closed: %s", active ? peers_kind_text(link->kind) : "peer", why);
    close(link->fd);
    link->stage = PEER_LINK_UNUSED;
}

/* Ends a link whose other side is still there. Control may have buffers under way that refer to
 * messages: it is asked to let go, and counts as gone when it has closed its end. */
static void peers_part(struct peers_server *server, struct peer_link *link, const char *why)
{
    uint32_t slot = peers_control(server->peers);
    uint64_t life = peers_life(server->peers, slot);

    if (link->stage != PEER_LINK_ACTIVE || link->kind != LINK_KIND_CONTROL ||
        peer_state_of(life) != PEER_READY || shutdown(link->fd, SHUT_WR) != 0) {
        peers_drop(server, link, why);
        return;
    }
    notice("control is asked to leave: %s", why);
    link->stage = PEER_LINK_LEAVING;
    peers_set(server->peers, slot, peer_epoch_of(life), PEER_LEAVING);
}

/* Gives a peer fresh channel memory for one slot. */
static void peers_offer(struct peers_server *server, struct peer_link *link, uint32_t index)
{
    uint32_t slot = link->first + index;
    struct peer_slot *entry = &server->peers->slots[slot];
    uint32_t epoch = peer_epoch_of(peers_life(server->peers, slot)) + 1;
    struct link_message message = {.type = LINK_CHANNEL, .slot = index, .epoch = epoch};
    enum channel_kind kind = link->kind == LINK_KIND_CONTROL ? CHANNEL_CONTROL : CHANNEL_SCANNER;
    enum status status = channel_memory_create(&entry->memory, kind, server->peers->worker_count);

    if (status != STATUS_OK) {
        peers_drop(server, link, status_text(status));
        return;
    }
    atomic_store_explicit(&entry->kill_epoch, 0, memory_order_relaxed);
    entry->engine[0] = '\0';
    entry->identity = (struct link_identity){0};
    peers_set(server->peers, slot, epoch, PEER_OFFERED);
    status = link_send(link->fd, &message, entry->memory.fd);
    if (status != STATUS_OK) {
        peers_slot_lost(server, slot);
        peers_drop(server, link, status_text(status));
    }
}

/* A slot whose peer is gone is free again when every worker has let go of it. */
static void peers_retire(struct peers_server *server, uint32_t slot)
{
    struct peers *peers = server->peers;
    uint64_t life = peers_life(peers, slot);

    if (peer_state_of(life) != PEER_GONE)
        return;
    for (uint32_t worker = 0; worker < peers->worker_count; worker++) {
        if (atomic_load_explicit(peers_seen(peers, worker, slot), memory_order_acquire) != life)
            return;
    }
    peers_rows_ended(&server->rows, slot);
    channel_memory_close(&peers->slots[slot].memory);
    peers_set(peers, slot, peer_epoch_of(life), PEER_ABSENT);
}

static bool peers_active(const struct peer_link *link, enum link_kind kind)
{
    return link->stage == PEER_LINK_ACTIVE && link->kind == kind;
}

/* The slot is nobody's, and no worker holds on to what was there. */
static bool peers_slot_free(const struct peers_server *server, uint32_t slot)
{
    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        const struct peer_link *link = &server->links[i];

        if ((link->stage == PEER_LINK_ACTIVE || link->stage == PEER_LINK_LEAVING) &&
            slot >= link->first && slot - link->first < link->slots)
            return false;
    }
    return peer_state_of(peers_life(server->peers, slot)) == PEER_ABSENT;
}

/* The first run of `slots` free ones among the scanners', or PEERS_NO_SLOT. */
static uint32_t peers_find_slots(const struct peers_server *server, uint32_t slots)
{
    uint32_t run = 0;

    for (uint32_t slot = 0; slot < server->peers->scanner_slots; slot++) {
        run = peers_slot_free(server, slot) ? run + 1 : 0;
        if (run == slots)
            return slot + 1 - slots;
    }
    return PEERS_NO_SLOT;
}

/* Where the slots of `link` shall be; PEERS_NO_SLOT while it has to wait. */
static uint32_t peers_place(const struct peers_server *server, const struct peer_link *link)
{
    uint32_t control = peers_control(server->peers);

    switch (link->kind) {
    case LINK_KIND_SCANNER:
        return peers_find_slots(server, link->slots);
    case LINK_KIND_CONTROL:
        return peers_slot_free(server, control) ? control : PEERS_NO_SLOT;
    case LINK_KIND_SUPERVISOR:
        break;
    }
    return 0; /* it has none */
}

static void peers_welcome(struct peers_server *server, struct peer_link *link)
{
    struct link_message message = {.type = LINK_WELCOME, .workers = server->peers->worker_count};
    enum status status =
        link_send(link->fd, &message, link->kind == LINK_KIND_SUPERVISOR ? -1 : server->region->fd);

    link->stage = PEER_LINK_ACTIVE;
    if (status != STATUS_OK) {
        peers_drop(server, link, status_text(status));
        return;
    }
    for (uint32_t i = 0; i < link->slots && link->stage == PEER_LINK_ACTIVE; i++) {
        peers_rows_assign(&server->rows, link->first + i);
        peers_offer(server, link, i);
    }
}

static void peers_admit(struct peers_server *server, struct peer_link *link)
{
    uint32_t first = peers_place(server, link);

    if (first == PEERS_NO_SLOT)
        return;
    link->first = first;
    peers_welcome(server, link);
}

/* Whether so many could ever have room; refused are counted. */
static bool peers_fits(const struct peers_server *server, uint32_t slots)
{
    if (slots <= LINK_SLOTS_MAX && slots <= server->peers->scanner_slots)
        return true;
    atomic_fetch_add_explicit(&server->peers->refused, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->peers->changes, 1, memory_order_release);
    notice("a scanner parent wants %u slots, the table has %u: refused", slots,
           server->peers->scanner_slots);
    return false;
}

/* Only root (or whoever we are) may scan or give orders; control's user may only be control. */
static bool peers_hello(const struct peers_server *server, struct peer_link *link,
                        const struct link_message *message)
{
    bool own = link->uid == 0 || link->uid == server->own_uid;

    link->kind = (enum link_kind)message->kind;
    link->slots = message->slots;
    link->stood_in = false;
    link->candidate =
        link->kind == LINK_KIND_SCANNER && (message->flags & LINK_FLAG_CANDIDATE) != 0;
    switch (message->kind) {
    case LINK_KIND_SCANNER:
        return own && link->slots >= 1 && peers_fits(server, link->slots);
    case LINK_KIND_CONTROL:
        return link->slots == 1 && (own || link->uid == server->peer_uid);
    case LINK_KIND_SUPERVISOR:
        return own && link->slots == 0;
    default:
        return false;
    }
}

/* For logs, headers and terminals. */
static void peers_clean_text(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

static void peers_ready(struct peers_server *server, uint32_t slot,
                        const struct link_message *message, bool candidate)
{
    struct peers *peers = server->peers;
    struct peer_slot *entry = &peers->slots[slot];

    if (peers_life(peers, slot) != peer_life(message->epoch, PEER_OFFERED))
        return; /* about an incarnation that is already over */
    memcpy(entry->engine, message->text, sizeof(entry->engine));
    entry->identity = message->identity;
    peers_rows_came(&server->rows, slot);
    peers_set(peers, slot, message->epoch, candidate ? PEER_CANDIDATE : PEER_READY);
}

/* Lets the candidate serve. Returns how many of its children are ready. */
static uint32_t peers_promote(struct peers_server *server, struct peer_link *link)
{
    struct link_message message = {.type = LINK_SERVE};
    uint32_t serving = 0;

    for (uint32_t i = 0; i < link->slots; i++) {
        uint64_t life = peers_life(server->peers, link->first + i);

        if (peer_state_of(life) != PEER_CANDIDATE)
            continue;
        peers_set(server->peers, link->first + i, peer_epoch_of(life), PEER_READY);
        serving++;
    }
    link->candidate = false;
    notice("candidate scanners serve from now on: %u", serving);
    if (link_send(link->fd, &message, -1) != STATUS_OK)
        peers_drop(server, link, "does not read its link");
    return serving;
}

/* The newest candidate all of whose children are ready (or, `any`, one of them); null: none. */
static struct peer_link *peers_candidate(struct peers_server *server, bool any)
{
    struct peer_link *newest = NULL;

    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        struct peer_link *link = &server->links[i];
        uint32_t ready = 0;

        if (!peers_active(link, LINK_KIND_SCANNER) || !link->candidate)
            continue;
        for (uint32_t j = 0; j < link->slots; j++)
            ready += peer_state_of(peers_life(server->peers, link->first + j)) == PEER_CANDIDATE;
        if (ready >= (any ? 1 : link->slots) &&
            (newest == NULL || link->since_ns > newest->since_ns))
            newest = link;
    }
    return newest;
}

/* Mail must not wait for an order when nobody else is there to scan it. */
static void peers_stand_in(struct peers_server *server)
{
    struct peer_link *candidate;

    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        if (peers_active(&server->links[i], LINK_KIND_SCANNER) && !server->links[i].candidate)
            return;
    }
    candidate = peers_candidate(server, true);
    if (candidate == NULL)
        return;
    candidate->stood_in = true;
    (void)peers_promote(server, candidate);
}

/* How many children serve of a candidate that did not wait for the order. */
static uint32_t peers_stood_in(struct peers_server *server)
{
    uint32_t serving = 0;

    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        struct peer_link *link = &server->links[i];

        if (!peers_active(link, LINK_KIND_SCANNER) || !link->stood_in)
            continue;
        link->stood_in = false;
        for (uint32_t j = 0; j < link->slots; j++)
            serving += peer_state_of(peers_life(server->peers, link->first + j)) == PEER_READY;
    }
    return serving;
}

/* False when the supervisor is to be let go. */
static bool peers_order(struct peers_server *server, const struct peer_link *supervisor,
                        const struct link_message *message)
{
    struct link_message answer = {.type = LINK_SERVE};
    struct peer_link *candidate = peers_candidate(server, false);

    if (message->type != LINK_SERVE)
        return false;
    if (candidate != NULL)
        answer.slots = peers_promote(server, candidate);
    else
        answer.slots = peers_stood_in(server);
    return link_send(supervisor->fd, &answer, -1) == STATUS_OK;
}

/* False when the peer broke the protocol. */
static bool peers_active_message(struct peers_server *server, const struct peer_link *link,
                                 const struct link_message *message)
{
    uint32_t slot = link->first + message->slot;
    uint64_t life;

    if (link->kind == LINK_KIND_SUPERVISOR)
        return peers_order(server, link, message);
    if (message->slot >= link->slots)
        return false;
    if (message->type == LINK_READY) {
        peers_ready(server, slot, message, link->candidate);
        return true;
    }
    if (message->type != LINK_GONE)
        return false;
    life = peers_life(server->peers, slot);
    /* Once for each incarnation, and to nobody's log twice. */
    if (peer_epoch_of(life) == message->epoch &&
        (peer_state_of(life) == PEER_OFFERED || peer_state_of(life) == PEER_CANDIDATE ||
         peer_state_of(life) == PEER_READY)) {
        notice("%s %u ended: %s", peers_kind_text(link->kind), message->slot, message->text);
        peers_slot_lost(server, slot);
    }
    return true;
}

static void peers_hear(struct peers_server *server, struct peer_link *link)
{
    for (unsigned i = 0; i < PEERS_MESSAGES_PER_POLL; i++) {
        struct link_message message;
        int fd;
        enum status status = link_receive(link->fd, &message, &fd);

        if (status == STATUS_AGAIN)
            return;
        if (fd >= 0)
            close(fd); /* peers have no business sending any */
        if (status == STATUS_CLOSED) {
            peers_drop(server, link, status_text(status));
            return;
        }
        if (link->stage == PEER_LINK_LEAVING)
            continue; /* nothing it says counts any more */
        if (status != STATUS_OK) {
            peers_part(server, link, status_text(status));
            return;
        }
        peers_clean_text(message.text);
        peers_clean_text(message.identity.library);
        if (link->stage == PEER_LINK_HELLO && message.type == LINK_HELLO &&
            peers_hello(server, link, &message)) {
            link->stage = PEER_LINK_WAITING;
        } else if (link->stage != PEER_LINK_ACTIVE ||
                   !peers_active_message(server, link, &message)) {
            peers_part(server, link, "broke the protocol or is not allowed");
            return;
        }
    }
}

/* Links of one user that are not at work yet. */
static unsigned peers_idle_links(const struct peers_server *server, uint32_t uid)
{
    unsigned idle = 0;

    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        const struct peer_link *link = &server->links[i];

        idle += link->uid == uid &&
                (link->stage == PEER_LINK_HELLO || link->stage == PEER_LINK_WAITING);
    }
    return idle;
}

static void peers_accept(struct peers_server *server, int64_t now_ns)
{
    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        struct peer_link *link = &server->links[i];

        if (link->stage != PEER_LINK_UNUSED)
            continue;
        if (link_accept(server->listening, &link->fd, &link->uid) != STATUS_OK)
            return;
        /* Control's user must not be able to keep the scanners out. */
        if (link->uid != server->own_uid &&
            peers_idle_links(server, link->uid) >= PEERS_IDLE_LINKS_MAX) {
            close(link->fd);
            continue;
        }
        link->stage = PEER_LINK_HELLO;
        link->since_ns = now_ns;
    }
}

/* Sends on what workers ask for, and offers slots that have become free again. */
static void peers_serve_slots(struct peers_server *server, struct peer_link *link)
{
    uint32_t first = link->first;

    for (uint32_t i = 0; i < link->slots && link->stage == PEER_LINK_ACTIVE; i++) {
        struct peer_slot *entry = &server->peers->slots[first + i];
        uint64_t life = peers_life(server->peers, first + i);
        uint32_t kill = atomic_exchange_explicit(&entry->kill_epoch, 0, memory_order_relaxed);

        if (kill != 0 && life == peer_life(kill, PEER_READY) && link->kind == LINK_KIND_CONTROL) {
            /* Nobody is there to kill it; it may connect again. */
            peers_part(server, link, "broke the protocol of its channels");
        } else if (kill != 0 && life == peer_life(kill, PEER_READY)) {
            struct link_message message = {.type = LINK_KILL, .slot = i, .epoch = kill};

            peers_rows_killed(&server->rows, first + i);
            if (link_send(link->fd, &message, -1) != STATUS_OK)
                peers_drop(server, link, "does not read its link");
        } else if (peer_state_of(life) == PEER_ABSENT) {
            peers_offer(server, link, i);
        }
    }
}

void peers_server_poll(struct peers_server *server)
{
    int64_t now_ns = clock_monotonic_ns();

    peers_accept(server, now_ns);
    for (uint32_t slot = 0; slot < server->peers->slot_count; slot++)
        peers_retire(server, slot);
    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        struct peer_link *link = &server->links[i];

        if (link->stage == PEER_LINK_UNUSED)
            continue;
        peers_hear(server, link);
        if (link->stage == PEER_LINK_WAITING)
            peers_admit(server, link);
        if (link->stage == PEER_LINK_HELLO && now_ns - link->since_ns > PEERS_HELLO_LIMIT_NS)
            peers_drop(server, link, "said no hello");
        if (link->stage == PEER_LINK_ACTIVE)
            peers_serve_slots(server, link);
    }
    peers_stand_in(server);
    peers_rows_publish(&server->rows, now_ns);
}

void peers_server_free(struct peers_server *server)
{
    if (server == NULL)
        return;
    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        if (server->links[i].stage != PEER_LINK_UNUSED)
            close(server->links[i].fd);
    }
    for (uint32_t i = 0; i < server->peers->slot_count; i++)
        channel_memory_close(&server->peers->slots[i].memory);
    peers_rows_fini(&server->rows);
    close(server->listening);
    free(server);
}
