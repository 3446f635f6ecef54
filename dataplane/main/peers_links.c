#include "dataplane/main/peers_links.h"

#include <unistd.h>

#include "platform/log/notice.h"

uint64_t peers_life(const struct peers *peers, uint32_t slot)
{
    return atomic_load_explicit(&peers->slots[slot].life, memory_order_relaxed);
}

void peers_set(struct peers *peers, uint32_t slot, uint32_t epoch, enum peer_state state)
{
    atomic_store_explicit(&peers->slots[slot].life, peer_life(epoch, state), memory_order_release);
    atomic_fetch_add_explicit(&peers->changes, 1, memory_order_release);
}

void peers_slot_lost(struct peers_server *server, uint32_t slot)
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

const char *peers_kind_text(enum link_kind kind)
{
    static const char *const texts[] = {
        [LINK_KIND_SCANNER] = "scanner",
        [LINK_KIND_CONTROL] = "control",
        [LINK_KIND_SUPERVISOR] = "supervisor",
    };

    return texts[kind];
}

void peers_drop(struct peers_server *server, struct peer_link *link, const char *why)
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

bool peers_active(const struct peer_link *link, enum link_kind kind)
{
    return link->stage == PEER_LINK_ACTIVE && link->kind == kind;
}
