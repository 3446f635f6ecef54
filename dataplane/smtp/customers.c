/* Two indexes made once from the configuration: domains and customers by name, and customers'
 * recipients. */
#include "dataplane/smtp/customers.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/message/share.h"
#include "platform/check.h"
#include "platform/names.h"

/* Scopes of the first index; of the second a customer's number is one. */
enum policy_scope { POLICY_DOMAINS, POLICY_NAMES };

struct smtp_policy {
    const struct config *config;
    struct smtp_customer *customers;
    struct smtp_customer departed; /* see smtp_policy_successor() */
    struct names names;
    struct names recipients;
};

/* Nobody: every doubt is deferred, and control knows no customer of that name. */
static const struct config_customer policy_departed = {.name = "departed"};

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
    if (policy->customers == NULL ||
        names_create(&policy->names, domains + config->customer_count) != STATUS_OK ||
        names_create(&policy->recipients, recipients) != STATUS_OK)
        return STATUS_NO_MEMORY;
    policy->departed = (struct smtp_customer){&policy_departed, config->number};
    for (unsigned i = 0; i < config->customer_count; i++) {
        const struct config_customer *from = &config->customers[i];

        policy->customers[i] =
            (struct smtp_customer){from, config->number, share_place(from->name)};
        names_add(&policy->names, from->name, POLICY_NAMES, i);
        for (unsigned j = 0; j < from->domain_count; j++)
            names_add(&policy->names, from->domains[j], POLICY_DOMAINS, i);
        for (unsigned j = 0; j < from->recipient_count; j++)
            names_add(&policy->recipients, from->recipients[j], i, i);
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
    names_destroy(&policy->names);
    names_destroy(&policy->recipients);
    free(policy);
}

const struct config *smtp_policy_config(const struct smtp_policy *policy)
{
    return policy->config;
}

const struct smtp_customer *smtp_policy_customer(const struct smtp_policy *policy,
                                                 const char *domain, size_t length)
{
    struct names_key key = {domain, length, NULL, 0};
    uint32_t number = 0;

    if (length == 0 || !names_find(&policy->names, &key, POLICY_DOMAINS, &number))
        return NULL;
    return &policy->customers[number];
}

const struct smtp_customer *smtp_policy_successor(const struct smtp_policy *policy,
                                                  const struct smtp_customer *customer)
{
    const char *name = customer->config->name;
    struct names_key key = {name, strlen(name), NULL, 0};
    uint32_t number = 0;

    return names_find(&policy->names, &key, POLICY_NAMES, &number) ? &policy->customers[number]
                                                                   : &policy->departed;
}

static bool policy_is_postmaster(const char *local, size_t length)
{
    static const char postmaster[] = "postmaster";

    if (length != sizeof(postmaster) - 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        if ((local[i] | 0x20) != postmaster[i])
            return false;
    }
    return true;
}

bool smtp_policy_recipient(const struct smtp_policy *policy, const struct smtp_customer *customer,
                           const char *local, size_t local_length, const char *domain,
                           size_t domain_length)
{
    struct names_key alone = {local, local_length, NULL, 0};
    struct names_key whole = {local, local_length, domain, domain_length};
    uint32_t scope = (uint32_t)(customer - policy->customers);
    uint32_t number = 0;

    return customer->config->any_recipient || policy_is_postmaster(local, local_length) ||
           names_find(&policy->recipients, &whole, scope, &number) ||
           names_find(&policy->recipients, &alone, scope, &number);
}
