/* Two open-addressed tables made once from the configuration: domains, and customers' recipients.
 * Senders only look things up, so how long a probe can get is known when the table is made. */
#include "dataplane/smtp/customers.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

struct policy_entry {
    const char *key; /* null: free; borrowed from the configuration, lower case */
    const struct smtp_customer *customer;
    uint32_t hash;
};

struct policy_table {
    struct policy_entry *entries;
    uint32_t mask;      /* entries - 1 */
    uint32_t probe_max; /* the longest chain there is */
};

struct smtp_policy {
    const struct config *config;
    struct smtp_customer *customers;
    struct policy_table domains;
    struct policy_table recipients; /* keyed by customer and text */
};

/* What is looked up: `head`, and when `tail` is there '@' and `tail`; any case. */
struct policy_key {
    const char *head;
    size_t head_length;
    const char *tail;
    size_t tail_length;
};

static inline uint8_t policy_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : (uint8_t)c;
}

static uint32_t policy_hash_more(uint32_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ policy_lower(bytes[i])) * 16777619u; /* FNV-1a */
    return hash;
}

static uint32_t policy_hash(const struct policy_key *key, uint32_t customer)
{
    uint32_t hash =
        policy_hash_more(2166136261u ^ customer * 0x9e3779b1u, key->head, key->head_length);

    if (key->tail != NULL) {
        hash = policy_hash_more(hash, "@", 1);
        hash = policy_hash_more(hash, key->tail, key->tail_length);
    }
    return hash ^ hash >> 15;
}

static bool policy_equal_part(const char *stored, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (stored[i] == '\0' || (uint8_t)stored[i] != policy_lower(bytes[i]))
            return false;
    }
    return true;
}

static bool policy_equal(const char *stored, const struct policy_key *key)
{
    if (!policy_equal_part(stored, key->head, key->head_length))
        return false;
    stored += key->head_length;
    if (key->tail != NULL) {
        if (*stored != '@' || !policy_equal_part(stored + 1, key->tail, key->tail_length))
            return false;
        stored += 1 + key->tail_length;
    }
    return *stored == '\0';
}

static enum status policy_table_create(struct policy_table *table, size_t count)
{
    size_t size = 16;

    while (size < 2 * count)
        size *= 2;
    CHECK(size <= UINT32_MAX / 2);
    table->entries = calloc(size, sizeof(*table->entries));
    table->mask = (uint32_t)size - 1;
    table->probe_max = 0;
    return table->entries == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static void policy_table_add(struct policy_table *table, const char *key, uint32_t hash,
                             const struct smtp_customer *customer)
{
    uint32_t probe = 0;

    while (table->entries[(hash + probe) & table->mask].key != NULL)
        probe++; /* ends: at most half of the entries are used */
    table->entries[(hash + probe) & table->mask] =
        (struct policy_entry){.key = key, .customer = customer, .hash = hash};
    if (probe + 1 > table->probe_max)
        table->probe_max = probe + 1;
}

/* `customer` null: anyone's. */
static const struct smtp_customer *policy_table_find(const struct policy_table *table,
                                                     const struct policy_key *key, uint32_t hash,
                                                     const struct smtp_customer *customer)
{
    for (uint32_t probe = 0; probe < table->probe_max; probe++) {
        const struct policy_entry *entry = &table->entries[(hash + probe) & table->mask];

        if (entry->key == NULL)
            return NULL;
        if (entry->hash == hash && (customer == NULL || entry->customer == customer) &&
            policy_equal(entry->key, key))
            return entry->customer;
    }
    return NULL;
}

static enum status policy_fill(struct smtp_policy *policy)
{
    const struct config *config = policy->config;
    size_t domains = 0;
    size_t recipients = 0;

    for (unsigned i = 0; i < config->customer_count; i++) {
        domains += config->customers[i].domain_count;
        recipients += config->customers[i].recipient_count;
    }
    policy->customers = calloc((size_t)config->customer_count + 1, sizeof(*policy->customers));
    if (policy->customers == NULL || policy_table_create(&policy->domains, domains) != STATUS_OK ||
        policy_table_create(&policy->recipients, recipients) != STATUS_OK)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < config->customer_count; i++) {
        const struct config_customer *from = &config->customers[i];
        struct smtp_customer *customer = &policy->customers[i];

        customer->config = from;
        for (unsigned j = 0; j < from->domain_count; j++) {
            struct policy_key key = {from->domains[j], strlen(from->domains[j]), NULL, 0};

            policy_table_add(&policy->domains, from->domains[j], policy_hash(&key, 0), customer);
        }
        for (unsigned j = 0; j < from->recipient_count; j++) {
            struct policy_key key = {from->recipients[j], strlen(from->recipients[j]), NULL, 0};

            policy_table_add(&policy->recipients, from->recipients[j], policy_hash(&key, i + 1),
                             customer);
        }
    }
    return STATUS_OK;
}

enum status smtp_policy_create(const struct config *config, struct smtp_policy **policy)
{
    enum status status;

    *policy = calloc(1, sizeof(**policy));
    if (*policy == NULL)
        return STATUS_NO_MEMORY;
    (*policy)->config = config;
    status = policy_fill(*policy);
    if (status != STATUS_OK) {
        smtp_policy_free(*policy);
        *policy = NULL;
    }
    return status;
}

void smtp_policy_free(struct smtp_policy *policy)
{
    if (policy == NULL)
        return;
    free(policy->customers);
    free(policy->domains.entries);
    free(policy->recipients.entries);
    free(policy);
}

const struct config *smtp_policy_config(const struct smtp_policy *policy)
{
    return policy->config;
}

const struct smtp_customer *smtp_policy_customer(const struct smtp_policy *policy,
                                                 const char *domain, size_t length)
{
    struct policy_key key = {domain, length, NULL, 0};

    if (length == 0)
        return NULL;
    return policy_table_find(&policy->domains, &key, policy_hash(&key, 0), NULL);
}

bool smtp_policy_recipient(const struct smtp_policy *policy, const struct smtp_customer *customer,
                           const char *local, size_t local_length, const char *domain,
                           size_t domain_length)
{
    struct policy_key alone = {local, local_length, NULL, 0};
    struct policy_key whole = {local, local_length, domain, domain_length};
    uint32_t number = (uint32_t)(customer - policy->customers) + 1;

    if (customer->config->any_recipient || policy_equal("postmaster", &alone))
        return true;
    return policy_table_find(&policy->recipients, &whole, policy_hash(&whole, number), customer) !=
               NULL ||
           policy_table_find(&policy->recipients, &alone, policy_hash(&alone, number), customer) !=
               NULL;
}
