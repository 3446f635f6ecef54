/* Which configurations a worker still needs. */
#include "dataplane/worker/worker.h"

#define SETTINGS_SLOTS_PER_CALL 256u

/* A message refers to one configuration from its first recipient to its end, and to none but that
 * (or, where it was moved on, the newest). So what was met on the way through all slots, or was in
 * force when the way began, is the oldest there can be: what came later is newer. */
static void settings_look(struct worker *worker, struct message *message, uint32_t left)
{
    if (message->stage == MESSAGE_FREE || message->customer == NULL)
        return;
    if (message->customer->generation <= left)
        message->customer =
            smtp_customers_successor(worker->settings->customers, message->customer);
    if (message->customer->generation < worker->settings_least)
        worker->settings_least = message->customer->generation;
}

static void settings_look_on(struct worker *worker)
{
    uint32_t left = atomic_load_explicit(&worker->orders->settings_left, memory_order_acquire);

    for (uint32_t i = 0;
         i < SETTINGS_SLOTS_PER_CALL && worker->settings_slot < worker->store.slot_count; i++)
        settings_look(worker, &worker->store.messages[worker->settings_slot++], left);
    if (worker->settings_slot < worker->store.slot_count)
        return;
    atomic_store_explicit(&worker->settings_oldest, worker->settings_least, memory_order_release);
    worker->settings_slot = 0;
    worker->settings_least = worker->settings->generation;
}

void worker_follow_settings(struct worker *worker)
{
    const struct worker_settings *next =
        atomic_load_explicit(&worker->orders->settings, memory_order_acquire);

    if (next != worker->settings) {
        worker->settings = next;
        worker->smtp.customers = next->customers;
        handover_configure(&worker->handover, next->config);
    }
    if (atomic_load_explicit(&worker->settings_oldest, memory_order_relaxed) !=
        worker->settings->generation)
        settings_look_on(worker);
}
