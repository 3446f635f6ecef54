/* Two indexes made once from the configuration: domains and customers by name, and customers'
 * recipients. */
#include "dataplane/smtp/customers.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/message/share.h"
#include "platform/check.h"
#include "platform/names.h"

/* Scopes of the first index; of the second a customer's number is one. */
enum customers_scope { CUSTOMERS_BY_DOMAIN, CUSTOMERS_BY_NAME };

struct smtp_customers {
    const struct config *config;
    struct smtp_customer *entries;
    struct smtp_customer departed; /* see smtp_customers_successor() */
    struct names names;
    struct names recipients;
};

/* Nobody: every doubt is deferred, and control knows no customer of that name. */
static const struct config_customer customers_departed = {.name = "departed"};

static enum status customers_fill(struct smtp_customers *customers)
{
    const struct config *config = customers->config;
    size_t domains = 0;
    size_t recipients = 0;

    for (unsigned i = 0; i < config->customer_count; i++) {
        domains += config->customers[i].domain_count;
        recipients += config->customers[i].recipient_count;
    }
    customers->entries = calloc((size_t)config->customer_count + 1, sizeof(*customers->entries));
    if (customers->entries == NULL ||
        names_create(&customers->names, domains + config->customer_count) != STATUS_OK ||
        names_create(&customers->recipients, recipients) != STATUS_OK)
        return STATUS_NO_MEMORY;
    customers->departed = (struct smtp_customer){&customers_departed, config->number};
    for (unsigned i = 0; i < config->customer_count; i++) {
        const struct config_customer *from = &config->customers[i];

        customers->entries[i] =
            (struct smtp_customer){from, config->number, share_place(from->name)};
        names_add(&customers->names, from->name, CUSTOMERS_BY_NAME, i);
        for (unsigned j = 0; j < from->domain_count; j++)
            names_add(&customers->names, from->domains[j], CUSTOMERS_BY_DOMAIN, i);
        for (unsigned j = 0; j < from->recipient_count; j++)
            names_add(&customers->recipients, from->recipients[j], i, i);
    }
    return STATUS_OK;
}

enum status smtp_customers_create(const struct config *config, struct smtp_customers **customers)
{
    enum status status;

    *customers = calloc(1, sizeof(**customers));
    if (*customers == NULL)
        return STATUS_NO_MEMORY;
    (*customers)->config = config;
    status = customers_fill(*customers);
    if (status != STATUS_OK) {
        smtp_customers_free(*customers);
        *customers = NULL;
    }
    return status;
}

void smtp_customers_free(struct smtp_customers *customers)
{
    if (customers == NULL)
        return;
    free(customers->entries);
    names_destroy(&customers->names);
    names_destroy(&customers->recipients);
    free(customers);
}

const struct config *smtp_customers_config(const struct smtp_customers *customers)
{
    return customers->config;
}

const struct smtp_customer *smtp_customers_find(const struct smtp_customers *customers,
                                                const char *domain, size_t length)
{
    struct names_key key = {domain, length, NULL, 0};
    uint32_t number = 0;

    if (length == 0 || !names_find(&customers->names, &key, CUSTOMERS_BY_DOMAIN, &number))
        return NULL;
    return &customers->entries[number];
}

const struct smtp_customer *smtp_customers_successor(const struct smtp_customers *customers,
                                                     const struct smtp_customer *customer)
{
    const char *name = customer->config->name;
    struct names_key key = {name, strlen(name), NULL, 0};
    uint32_t number = 0;

    return names_find(&customers->names, &key, CUSTOMERS_BY_NAME, &number)
               ? &customers->entries[number]
               : &customers->departed;
}

static bool customers_is_postmaster(const char *local, size_t length)
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

bool smtp_customers_recipient(const struct smtp_customers *customers,
                              const struct smtp_customer *customer, const char *local,
                              size_t local_length, const char *domain, size_t domain_length)
{
    struct names_key alone = {local, local_length, NULL, 0};
    struct names_key whole = {local, local_length, domain, domain_length};
    uint32_t scope = (uint32_t)(customer - customers->entries);
    uint32_t number = 0;

    return customer->config->any_recipient || customers_is_postmaster(local, local_length) ||
           names_find(&customers->recipients, &whole, scope, &number) ||
           names_find(&customers->recipients, &alone, scope, &number);
}
