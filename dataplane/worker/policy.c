/* Which configurations a worker still needs. */
#include "dataplane/worker/worker.h"

#define POLICY_SLOTS_PER_CALL 256u

/* A message refers to a policy from its first recipient to its end, and to none but that one (or,
 * where it was moved on, the newest). So what was met on the way through all slots, or was in force
 * when the way began, is the oldest there can be: what came later is newer. */
static void policy_look(struct worker *worker, struct message *message, uint32_t left)
{
    if (message->stage == MESSAGE_FREE || message->customer == NULL)
        return;
    if (message->customer->generation <= left)
        message->customer = smtp_policy_successor(worker->policy->policy, message->customer);
    if (message->customer->generation < worker->policy_least)
        worker->policy_least = message->customer->generation;
}

static void policy_look_on(struct worker *worker)
{
    uint32_t left = atomic_load_explicit(&worker->orders->policy_left, memory_order_acquire);

    for (uint32_t i = 0;
         i < POLICY_SLOTS_PER_CALL && worker->policy_slot < worker->store.slot_count; i++)
        policy_look(worker, &worker->store.messages[worker->policy_slot++], left);
    if (worker->policy_slot < worker->store.slot_count)
        return;
    atomic_store_explicit(&worker->policy_oldest, worker->policy_least, memory_order_release);
    worker->policy_slot = 0;
    worker->policy_least = worker->policy->generation;
}

void worker_follow_policy(struct worker *worker)
{
    const struct worker_policy *next =
        atomic_load_explicit(&worker->orders->policy, memory_order_acquire);

    if (next != worker->policy) {
        worker->policy = next;
        worker->smtp.policy = next->policy;
        handover_configure(&worker->handover, next->config);
    }
    if (atomic_load_explicit(&worker->policy_oldest, memory_order_relaxed) !=
        worker->policy->generation)
        policy_look_on(worker);
}
