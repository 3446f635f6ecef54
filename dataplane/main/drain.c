/* The end as senders see it: no new mail, and answers to all that is in progress. */
#include "dataplane/main/main_thread.h"

static bool drain_complete(const struct main_thread *thread)
{
    for (unsigned i = 0; i < thread->workers_made; i++) {
        if (!atomic_load_explicit(&thread->workers[i].drained, memory_order_relaxed))
            return false;
    }
    return true;
}

bool main_drain(struct main_thread *thread, unsigned terms, int64_t now_ns)
{
    if (terms == 0)
        return false;
    if (thread->drain_end_ns == 0) {
        thread->drain_end_ns = now_ns + MAIN_DRAIN_LIMIT_NS;
        atomic_store(&thread->orders.drain, true);
        notice("draining: no new mail, finishing what is in progress");
    }
    return terms > 1 || now_ns >= thread->drain_end_ns || drain_complete(thread);
}
