/* The configuration as the workers use it: the first one, the next ones, and their end. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/main/main_thread.h"
#include "platform/check.h"

static struct worker_policy *policy_make(struct config *config)
{
    struct worker_policy *policy = calloc(1, sizeof(*policy));

    if (policy == NULL)
        return NULL;
    policy->generation = config->number;
    policy->config = config;
    if (smtp_policy_create(config, &policy->policy) == STATUS_OK)
        return policy;
    free(policy);
    return NULL;
}

static void policy_free(const struct main_thread *thread, struct worker_policy *policy)
{
    smtp_policy_free(policy->policy);
    if (policy->config != thread->start_config)
        config_free(policy->config);
    free(policy);
}

/* Puts `policy` in force. */
static void policy_add(struct main_thread *thread, struct worker_policy *policy)
{
    CHECK(thread->policy_count <= MAIN_POLICIES_MAX);
    CHECK(thread->policy_count == 0 ||
          policy->generation > thread->policies[thread->policy_count - 1]->generation);
    thread->policies[thread->policy_count++] = policy;
    atomic_store_explicit(&thread->orders.policy, policy, memory_order_release);
}

enum status main_first_policy(struct main_thread *thread)
{
    struct worker_policy *policy = policy_make(thread->start_config);

    if (policy == NULL)
        return STATUS_NO_MEMORY;
    policy_add(thread, policy);
    return STATUS_OK;
}

void main_retire(struct main_thread *thread)
{
    uint32_t current = thread->policies[thread->policy_count - 1]->generation;
    uint32_t oldest = current;
    unsigned gone = 0;

    for (unsigned i = 0; i < thread->workers_made; i++) {
        uint32_t used =
            atomic_load_explicit(&thread->workers[i].policy_oldest, memory_order_acquire);

        oldest = used < oldest ? used : oldest;
    }
    while (thread->policies[gone]->generation < oldest)
        policy_free(thread, thread->policies[gone++]);
    thread->policy_count -= gone;
    memmove(thread->policies, thread->policies + gone, thread->policy_count * sizeof(void *));
    source_answer(&thread->source, current, thread->policies[0]->generation, thread->policy_count,
                  thread->policy_count > 1 ? "messages that began under it" : "");
}

/* With too many in memory the messages of the oldest go on by the newest. */
static void reload_bound(struct main_thread *thread)
{
    const struct worker_policy *oldest = thread->policies[0];

    if (thread->policy_count <= MAIN_POLICIES_MAX)
        return;
    notice("more than %u configurations in use: messages that began under number %u go on by "
           "number %u",
           MAIN_POLICIES_MAX, oldest->generation,
           thread->policies[thread->policy_count - 1]->generation);
    atomic_store_explicit(&thread->orders.policy_left, oldest->generation, memory_order_release);
}

static void reload_with(struct main_thread *thread, struct config *config)
{
    struct worker_policy *next = policy_make(config);

    if (next == NULL) {
        config_free(config);
        notice("configuration not reloaded: %s", status_text(STATUS_NO_MEMORY));
        return;
    }
    policy_add(thread, next);
    notice("configuration reloaded from %s: number %u, %u in use", config->file, next->generation,
           thread->policy_count);
    reload_bound(thread);
}

bool main_reload(struct main_thread *thread)
{
    struct config_error error;
    struct config *config;
    enum status status;

    if (thread->policy_count > MAIN_POLICIES_MAX)
        return false; /* the workers are about to leave the oldest */
    status = source_next(&thread->source, &config, &error, NULL, NULL);
    if (status == STATUS_OK)
        reload_with(thread, config);
    else if (status != STATUS_AGAIN)
        notice("configuration not reloaded: %s", error.text);
    if (status == STATUS_CLOSED)
        source_close(&thread->source);
    return true;
}

void main_free_policies(struct main_thread *thread)
{
    for (unsigned i = 0; i < thread->policy_count; i++)
        policy_free(thread, thread->policies[i]);
    thread->policy_count = 0;
    atomic_store(&thread->orders.policy, NULL);
}
