#include "dataplane/main/peers_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/main/peers_links.h"
#include "platform/clock.h"
#include "platform/log/notice.h"

#define PEERS_IDLE_LINKS_MAX    2u /* of another user's that are not at work */
#define PEERS_HELLO_LIMIT_NS    (5 * CLOCK_NS_PER_SECOND)
#define PEERS_MESSAGES_PER_POLL 64u

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
    link->since_ns = 0; /* the next poll knows the time */
    link->killed = false;
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
    link->leaving = false;
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

/* Its children get no more mail; those that have none, or never had, need not be waited for. */
static void peers_leave(struct peers_server *server, struct peer_link *link)
{
    link->leaving = true;
    link->candidate = false;
    notice("scanners leave, and finish what they have");
    for (uint32_t i = 0; i < link->slots; i++) {
        uint64_t life = peers_life(server->peers, link->first + i);

        if (peer_state_of(life) == PEER_READY)
            peers_set(server->peers, link->first + i, peer_epoch_of(life), PEER_LEAVING);
        else
            peers_slot_lost(server, link->first + i);
    }
}

/* Every worker has the answers to all it gave to the children of `link`. */
static bool peers_has_left(const struct peers_server *server, const struct peer_link *link)
{
    const struct peers *peers = server->peers;

    for (uint32_t slot = link->first; slot < link->first + link->slots; slot++) {
        uint64_t life = peers_life(peers, slot);

        for (uint32_t worker = 0; worker < peers->worker_count; worker++) {
            if (peer_state_of(life) == PEER_LEAVING &&
                atomic_load_explicit(peers_seen(peers, worker, slot), memory_order_acquire) != life)
                return false;
        }
    }
    return true;
}

/* Control has been asked to leave and holds on to messages' memory: it is made to. */
static void peers_urge(struct peer_link *link, int64_t now_ns)
{
    pid_t pid = link_peer(link->fd);

    if (link->since_ns == 0)
        link->since_ns = now_ns;
    /* Never ourselves: a test may be both ends. */
    if (link->killed || now_ns - link->since_ns < PEERS_LEAVE_LIMIT_NS || pid <= 1 ||
        pid == getpid())
        return;
    link->killed = true;
    notice("control does not leave: process %ld is killed", (long)pid);
    (void)kill(pid, SIGKILL);
}

/* False when the peer broke the protocol. */
static bool peers_active_message(struct peers_server *server, struct peer_link *link,
                                 const struct link_message *message)
{
    uint32_t slot = link->first + message->slot;
    uint64_t life;

    if (link->kind == LINK_KIND_SUPERVISOR)
        return peers_order(server, link, message);
    if (message->type == LINK_LEAVE && link->kind == LINK_KIND_SCANNER) {
        if (!link->leaving)
            peers_leave(server, link);
        return true;
    }
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
         peer_state_of(life) == PEER_READY || peer_state_of(life) == PEER_LEAVING)) {
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
        } else if (kill != 0 &&
                   (life == peer_life(kill, PEER_READY) || life == peer_life(kill, PEER_LEAVING))) {
            struct link_message message = {.type = LINK_KILL, .slot = i, .epoch = kill};

            peers_rows_killed(&server->rows, first + i);
            if (link_send(link->fd, &message, -1) != STATUS_OK)
                peers_drop(server, link, "does not read its link");
        } else if (peer_state_of(life) == PEER_ABSENT && !link->leaving) {
            peers_offer(server, link, i);
        }
    }
}

static void peers_tend(struct peers_server *server, struct peer_link *link, int64_t now_ns)
{
    peers_hear(server, link);
    if (link->stage == PEER_LINK_WAITING)
        peers_admit(server, link);
    if (link->stage == PEER_LINK_HELLO && now_ns - link->since_ns > PEERS_HELLO_LIMIT_NS)
        peers_drop(server, link, "said no hello");
    if (link->stage == PEER_LINK_ACTIVE)
        peers_serve_slots(server, link);
    if (link->stage == PEER_LINK_ACTIVE && link->leaving && peers_has_left(server, link))
        peers_drop(server, link, "it has finished what it had");
    if (link->stage == PEER_LINK_LEAVING)
        peers_urge(link, now_ns);
}

void peers_server_poll(struct peers_server *server, int64_t now_ns)
{
    peers_accept(server, now_ns);
    for (uint32_t slot = 0; slot < server->peers->slot_count; slot++)
        peers_retire(server, slot);
    for (unsigned i = 0; i < PEERS_LINKS_MAX; i++) {
        struct peer_link *link = &server->links[i];

        if (link->stage != PEER_LINK_UNUSED)
            peers_tend(server, link, now_ns);
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
