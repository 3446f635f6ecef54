#include <string.h>

#include "platform/config/config.h"

enum status config_index(struct config *config)
{
    size_t domains = 0;

    for (unsigned i = 0; i < config->customer_count; i++)
        domains += config->customers[i].domain_count;
    if (names_create(&config->by_domain, domains) != STATUS_OK ||
        names_create(&config->by_name, config->customer_count) != STATUS_OK) {
        config_unindex(config);
        return STATUS_NO_MEMORY;
    }
    for (unsigned i = 0; i < config->customer_count; i++) {
        names_add(&config->by_name, config->customers[i].name, 0, i);
        for (unsigned j = 0; j < config->customers[i].domain_count; j++)
            names_add(&config->by_domain, config->customers[i].domains[j], 0, i);
    }
    return STATUS_OK;
}

void config_unindex(struct config *config)
{
    names_destroy(&config->by_domain);
    names_destroy(&config->by_name);
}

static const struct config_customer *find(const struct config *config, const struct names *names,
                                          const char *text, size_t length)
{
    struct names_key key = {text, length, NULL, 0};
    uint32_t number = 0;

    return names_find(names, &key, 0, &number) ? &config->customers[number] : NULL;
}

const struct config_customer *config_customer_of(const struct config *config, const char *domain,
                                                 size_t length)
{
    return find(config, &config->by_domain, domain, length);
}

const struct config_customer *config_customer_named(const struct config *config, const char *name)
{
    return find(config, &config->by_name, name, strlen(name));
}
