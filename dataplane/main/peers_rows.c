#include "dataplane/main/peers_rows.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

enum status peers_rows_init(struct peers_rows *rows, const struct peers *peers,
                            const struct region *region)
{
    *rows = (struct peers_rows){.peers = peers, .region = region};
    CHECK(region->header.peer_count == 0 || region->header.peer_count == peers->slot_count);
    rows->slots =
        aligned_alloc(_Alignof(struct peers_rows_slot), peers->slot_count * sizeof(*rows->slots));
    if (rows->slots == NULL)
        return STATUS_NO_MEMORY;
    memset(rows->slots, 0, peers->slot_count * sizeof(*rows->slots));
    return STATUS_OK;
}

void peers_rows_fini(struct peers_rows *rows)
{
    free(rows->slots);
    rows->slots = NULL;
}

static enum row_kind rows_kind(const struct peers_rows *rows, uint32_t slot)
{
    return slot == peers_control(rows->peers) ? ROW_CONTROL : ROW_SCANNER;
}

void peers_rows_assign(struct peers_rows *rows, uint32_t slot)
{
    /* Control is one and the same. */
    if (rows_kind(rows, slot) == ROW_SCANNER)
        rows->slots[slot].lives_here = 0;
}

void peers_rows_came(struct peers_rows *rows, uint32_t slot)
{
    struct peers_rows_slot *entry = &rows->slots[slot];
    bool control = rows_kind(rows, slot) == ROW_CONTROL;

    if (entry->lives_here > 0)
        entry->before
            .value[control ? (unsigned)CONTROL_COUNTER_RESTARTS : SCANNER_COUNTER_RESTARTS]++;
    entry->lives_here++;
    entry->lives++;
    rows->published_ns = 0;
}

void peers_rows_killed(struct peers_rows *rows, uint32_t slot)
{
    CHECK(rows_kind(rows, slot) == ROW_SCANNER);
    rows->slots[slot].before.value[SCANNER_COUNTER_KILLED]++;
}

void peers_rows_ended(struct peers_rows *rows, uint32_t slot)
{
    const struct channel_memory *memory = &rows->peers->slots[slot].memory;
    struct peer_row row;
    uint64_t unread;

    CHECK(memory->base != NULL);
    unread = channel_unread(memory);
    row_read(&row, channel_row(memory));
    row_end(&row, rows_kind(rows, slot), unread);
    row_join(&rows->slots[slot].before, &row);
    rows->published_ns = 0;
}

static const char *rows_state(enum peer_state state)
{
    static const char *const texts[] = {
        [PEER_ABSENT] = "absent", [PEER_OFFERED] = "starting", [PEER_CANDIDATE] = "candidate",
        [PEER_READY] = "ready",   [PEER_GONE] = "gone",        [PEER_LEAVING] = "leaving",
    };

    return texts[state];
}

static void rows_publish_slot(struct peers_rows *rows, uint32_t slot)
{
    const struct peer_slot *peer = &rows->peers->slots[slot];
    const struct peers_rows_slot *entry = &rows->slots[slot];
    struct region_peer *to = region_peer(rows->region, slot);
    uint64_t life = atomic_load_explicit(&peer->life, memory_order_relaxed);
    struct peer_row row = entry->before;

    if (peer->memory.base != NULL) {
        struct peer_row now;

        row_read(&now, channel_row(&peer->memory));
        row_join(&row, &now);
    }
    row_publish(&to->row, &row);
    (void)strncpy(to->state, rows_state(peer_state_of(life)), sizeof(to->state) - 1);
    memcpy(to->engine, peer->engine, sizeof(to->engine));
    to->signatures = link_signatures(&peer->identity);
    __atomic_store_n(&to->lives, entry->lives, __ATOMIC_RELEASE);
}

void peers_rows_publish(struct peers_rows *rows, int64_t now_ns)
{
    if (rows->published_ns != 0 && now_ns - rows->published_ns < PEERS_ROWS_EVERY_NS)
        return;
    for (uint32_t slot = 0; slot < rows->region->header.peer_count; slot++) {
        if (rows->slots[slot].lives > 0)
            rows_publish_slot(rows, slot);
    }
    rows->published_ns = now_ns;
}
