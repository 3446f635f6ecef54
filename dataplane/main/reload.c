/* The configuration as the workers use it: the first one, the next ones, and their end. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/main/main_thread.h"
#include "platform/check.h"

static struct worker_settings *settings_make(struct config *config)
{
    struct worker_settings *settings = calloc(1, sizeof(*settings));

    if (settings == NULL)
        return NULL;
    settings->generation = config->number;
    settings->config = config;
    if (smtp_customers_create(config, &settings->customers) == STATUS_OK)
        return settings;
    free(settings);
    return NULL;
}

static void settings_free(const struct main_thread *thread, struct worker_settings *settings)
{
    smtp_customers_free(settings->customers);
    if (settings->config != thread->start_config)
        config_free(settings->config);
    free(settings);
}

/* Puts `settings` in force. */
static void settings_add(struct main_thread *thread, struct worker_settings *settings)
{
    CHECK(thread->settings_count <= MAIN_SETTINGS_MAX);
    CHECK(thread->settings_count == 0 ||
          settings->generation > thread->settings[thread->settings_count - 1]->generation);
    thread->settings[thread->settings_count++] = settings;
    atomic_store_explicit(&thread->orders.settings, settings, memory_order_release);
}

enum status main_first_settings(struct main_thread *thread)
{
    struct worker_settings *settings = settings_make(thread->start_config);

    if (settings == NULL)
        return STATUS_NO_MEMORY;
    settings_add(thread, settings);
    return STATUS_OK;
}

void main_retire(struct main_thread *thread)
{
    uint32_t current = thread->settings[thread->settings_count - 1]->generation;
    uint32_t oldest = current;
    unsigned gone = 0;

    for (unsigned i = 0; i < thread->workers_made; i++) {
        uint32_t used =
            atomic_load_explicit(&thread->workers[i].settings_oldest, memory_order_acquire);

        oldest = used < oldest ? used : oldest;
    }
    while (thread->settings[gone]->generation < oldest)
        settings_free(thread, thread->settings[gone++]);
    thread->settings_count -= gone;
    memmove(thread->settings, thread->settings + gone, thread->settings_count * sizeof(void *));
    source_answer(&thread->source, current, thread->settings[0]->generation, thread->settings_count,
                  thread->settings_count > 1 ? "messages that began under it" : "");
}

/* With too many in memory the messages of the oldest go on by the newest. */
static void reload_bound(struct main_thread *thread)
{
    const struct worker_settings *oldest = thread->settings[0];

    if (thread->settings_count <= MAIN_SETTINGS_MAX)
        return;
    notice("more than %u configurations in use: messages that began under number %u go on by "
           "number %u",
           MAIN_SETTINGS_MAX, oldest->generation,
           thread->settings[thread->settings_count - 1]->generation);
    atomic_store_explicit(&thread->orders.settings_left, oldest->generation, memory_order_release);
}

static void reload_with(struct main_thread *thread, struct config *config)
{
    struct worker_settings *next = settings_make(config);

    if (next == NULL) {
        config_free(config);
        notice("configuration not reloaded: %s", status_text(STATUS_NO_MEMORY));
        return;
    }
    settings_add(thread, next);
    notice("configuration reloaded from %s: number %u, %u in use", config->file, next->generation,
           thread->settings_count);
    if (config->limits.message_bytes > thread->workers[0].smtp.message_bytes)
        notice("limits.message_size: a worker's memory holds no message of more than %llu bytes "
               "until a restart; larger ones are refused",
               (unsigned long long)thread->workers[0].smtp.message_bytes);
    reload_bound(thread);
}

bool main_reload(struct main_thread *thread)
{
    struct config_error error;
    struct config *config;
    enum status status;

    if (thread->settings_count > MAIN_SETTINGS_MAX)
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

void main_free_settings(struct main_thread *thread)
{
    for (unsigned i = 0; i < thread->settings_count; i++)
        settings_free(thread, thread->settings[i]);
    thread->settings_count = 0;
    atomic_store(&thread->orders.settings, NULL);
}
