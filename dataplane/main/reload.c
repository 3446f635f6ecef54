/* The configuration as the workers use it: the first one, the next ones, and their end. */
#include <stdlib.h>

#include "dataplane/main/main_thread.h"

static struct worker_policy *policy_make(struct config *config, uint32_t generation)
{
    struct worker_policy *policy = calloc(1, sizeof(*policy));

    if (policy == NULL)
        return NULL;
    policy->generation = generation;
    policy->config = config;
    if (smtp_policy_create(config, &policy->policy) == STATUS_OK)
        return policy;
    free(policy);
    return NULL;
}

static void policy_free(const struct main_thread *thread, struct worker_policy *policy)
{
    if (policy == NULL)
        return;
    smtp_policy_free(policy->policy);
    if (policy->config != thread->start_config)
        config_free(policy->config);
    free(policy);
}

enum status main_first_policy(struct main_thread *thread)
{
    struct worker_policy *policy = policy_make(thread->start_config, 1);

    if (policy == NULL)
        return STATUS_NO_MEMORY;
    atomic_store(&thread->orders.policy, policy);
    return STATUS_OK;
}

void main_retire(struct main_thread *thread)
{
    uint32_t current = atomic_load(&thread->orders.policy)->generation;

    if (thread->retired == NULL)
        return;
    for (unsigned i = 0; i < thread->workers_made; i++) {
        if (atomic_load_explicit(&thread->workers[i].policy_clear, memory_order_acquire) != current)
            return;
    }
    policy_free(thread, thread->retired);
    thread->retired = NULL;
}

bool main_reload(struct main_thread *thread)
{
    struct worker_policy *old = atomic_load(&thread->orders.policy);
    struct worker_policy *next;
    struct config *config;
    struct config_error error;

    if (thread->retired != NULL)
        return false; /* one reload at a time; the next waits for the last to be complete */
    if (config_load(thread->start_config->file, &config, &error) != STATUS_OK) {
        notice("configuration not reloaded: %s", error.text);
        return true;
    }
    next = policy_make(config, old->generation + 1);
    if (next == NULL) {
        config_free(config);
        notice("configuration not reloaded: %s", status_text(STATUS_NO_MEMORY));
        return true;
    }
    atomic_store_explicit(&thread->orders.policy, next, memory_order_release);
    thread->retired = old;
    notice("configuration reloaded from %s", config->file);
    return true;
}

void main_free_policies(struct main_thread *thread)
{
    policy_free(thread, thread->retired);
    thread->retired = NULL;
    policy_free(thread, atomic_exchange(&thread->orders.policy, NULL));
}
