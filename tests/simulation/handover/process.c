/* Births and deaths of peers, in the order dataplane/main/peers_server.c makes them. */
#include <inttypes.h>
#include <string.h>

#include "platform/check.h"
#include "world.h"

void process_init(struct process *process, uint32_t slot)
{
    *process = (struct process){.slot = slot, .state = PEER_ABSENT};
}

bool process_alive(const struct process *process)
{
    return process->state == PEER_READY;
}

static void process_say(struct world *world, struct process *process, enum peer_state state)
{
    process->state = state;
    atomic_store_explicit(&world->peers.slots[process->slot].life, peer_life(process->epoch, state),
                          memory_order_release);
    atomic_fetch_add_explicit(&world->peers.changes, 1, memory_order_release);
}

static void process_offer(struct world *world, struct process *process)
{
    struct peer_slot *slot = &world->peers.slots[process->slot];
    enum channel_kind kind =
        process->slot == peers_control(&world->peers) ? CHANNEL_CONTROL : CHANNEL_SCANNER;
    enum status status = channel_memory_create(&slot->memory, kind, WORLD_WORKERS);

    CHECK(status == STATUS_OK);
    for (uint32_t i = 0; i < WORLD_WORKERS; i++)
        channel_attach(&process->channel[i], &slot->memory, i);
    memcpy(slot->engine, "ClamAV 1.4.3/1", sizeof("ClamAV 1.4.3/1"));
    process->epoch++;
    process->kill_ns = 0;
    process->scribbled = false;
    process->next_ns = world->now_ns + random_size(&world->random, WORLD_MS, WORLD_SECOND);
    process_say(world, process, PEER_OFFERED);
}

void process_die(struct world *world, struct process *process)
{
    CHECK(process_alive(process) || process->state == PEER_LEAVING);
    world_trace(world, "slot %u dies, epoch %u", process->slot, process->epoch);
    world->total_deaths++;
    process_say(world, process, PEER_GONE);
}

/* Unmapped only when every worker has let go. */
static void process_retire(struct world *world, struct process *process)
{
    uint64_t life = peer_life(process->epoch, PEER_GONE);

    for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
        if (atomic_load_explicit(peers_seen(&world->peers, i, process->slot),
                                 memory_order_acquire) != life)
            return;
    }
    channel_memory_close(&world->peers.slots[process->slot].memory);
    process->next_ns = world->now_ns + random_size(&world->random, WORLD_MS, 3 * WORLD_SECOND);
    process_say(world, process, PEER_ABSENT);
}

/* A kill takes its time, and while there are faults it may take for ever. */
static void process_hear_kill(struct world *world, struct process *process)
{
    uint32_t epoch =
        atomic_load_explicit(&world->peers.slots[process->slot].kill_epoch, memory_order_relaxed);

    if (epoch != process->epoch)
        return;
    if (process->kill_ns == 0) {
        process->kill_ns = world->now_ns + random_size(&world->random, WORLD_MS, WORLD_SECOND);
        if (world_faulty(world) && random_chance(&world->random, 2000))
            process->kill_ns = world->plan.faults_end_ns;
    }
    if (world->now_ns < process->kill_ns)
        return;
    if (process->slot != peers_control(&world->peers)) {
        process_die(world, process);
        return;
    }
    /* Its link is ended; it goes when it has nothing under way that refers to messages. */
    process->next_ns = world->now_ns + random_size(&world->random, WORLD_MS, 3 * WORLD_SECOND);
    process_say(world, process, PEER_LEAVING);
}

/* Some scanners are candidates first, and told to serve later. */
static void process_ready(struct world *world, struct process *process)
{
    bool candidate =
        process->slot != peers_control(&world->peers) && random_chance(&world->random, 2500);

    if (candidate)
        process->next_ns = world->now_ns + random_size(&world->random, WORLD_MS, WORLD_SECOND);
    process_say(world, process, candidate ? PEER_CANDIDATE : PEER_READY);
}

void process_act(struct world *world, struct process *process)
{
    switch (process->state) {
    case PEER_ABSENT:
        if (world->now_ns >= process->next_ns)
            process_offer(world, process);
        break;
    case PEER_OFFERED:
        if (world->now_ns >= process->next_ns)
            process_ready(world, process);
        break;
    case PEER_CANDIDATE:
        if (world->now_ns >= process->next_ns)
            process_say(world, process, PEER_READY);
        break;
    case PEER_READY:
        process_hear_kill(world, process);
        break;
    case PEER_LEAVING:
        if (world->now_ns >= process->next_ns)
            process_die(world, process);
        break;
    case PEER_GONE:
        process_retire(world, process);
        break;
    }
}

void process_end(struct world *world, struct process *process)
{
    channel_memory_close(&world->peers.slots[process->slot].memory);
    process->state = PEER_ABSENT;
}
