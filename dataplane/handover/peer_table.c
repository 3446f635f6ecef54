#include "dataplane/handover/peers.h"

#include <string.h>

void peers_init(struct peers *peers, uint32_t worker_count)
{
    memset(peers, 0, sizeof(*peers));
    peers->worker_count = worker_count;
    for (uint32_t i = 0; i < PEERS_SLOTS; i++)
        peers->slots[i].memory.fd = -1;
}
