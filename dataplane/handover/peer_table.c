#include "dataplane/handover/peers.h"

#include <stdlib.h>

#include "platform/check.h"

enum status peers_init(struct peers *peers, uint32_t worker_count, uint32_t scanner_slots)
{
    CHECK(worker_count >= 1 && worker_count <= REGION_WORKERS_MAX);
    CHECK(scanner_slots >= 1 && scanner_slots <= PEERS_SCANNERS_MAX);
    *peers = (struct peers){
        .worker_count = worker_count,
        .scanner_slots = scanner_slots,
        .slot_count = scanner_slots + 1,
    };
    peers->slots = calloc(peers->slot_count, sizeof(*peers->slots));
    peers->seen = calloc((size_t)worker_count * peers->slot_count, sizeof(*peers->seen));
    if (peers->slots == NULL || peers->seen == NULL) {
        peers_fini(peers);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < peers->slot_count; i++)
        peers->slots[i].memory.fd = -1;
    return STATUS_OK;
}

void peers_fini(struct peers *peers)
{
    free(peers->slots);
    free(peers->seen);
    *peers = (struct peers){0};
}
