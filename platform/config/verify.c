#include "platform/config/verify.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/config/values.h"

/* Messages of the largest size that must fit at once: fewer, and two big ones stop the site. */
#define LARGEST_MESSAGES_MIN 4u

static enum status verify_port_keys(struct locate *locate, int node, const struct config_port *port,
                                    unsigned number)
{
    bool pci = port->kind == CONFIG_PORT_PCI;

    if (pci && port->pci_address[0] == '\0')
        return locate_fail(locate, node,
                           "a pci port without pci_address (ports[%u].pci_address); write the "
                           "device's address, such as \"0000:01:00.0\"",
                           number);
    if (!pci && port->interface[0] == '\0')
        return locate_fail(locate, node,
                           "a tap or af_packet port without interface (ports[%u].interface); write "
                           "the name of the interface",
                           number);
    if (pci && port->interface[0] != '\0')
        return locate_fail(locate, locate_child(locate, node, "interface"),
                           "a pci port has no interface (ports[%u].interface); write pci_address "
                           "instead",
                           number);
    if (!pci && port->pci_address[0] != '\0')
        return locate_fail(locate, locate_child(locate, node, "pci_address"),
                           "only a pci port has an address on the bus (ports[%u].pci_address); "
                           "write interface instead, or kind: pci",
                           number);
    if (pci && port->network_namespace[0] != '\0')
        return locate_fail(locate, locate_child(locate, node, "namespace"),
                           "a pci port is in no namespace (ports[%u].namespace); remove the key",
                           number);
    if (port->exception_namespace[0] != '\0' && port->exception_interface[0] == '\0')
        return locate_fail(locate, locate_child(locate, node, "exception_namespace"),
                           "a namespace without an interface (ports[%u].exception_namespace); "
                           "write exception_interface as well",
                           number);
    if (port->exception_interface[0] != '\0' &&
        strcmp(port->exception_interface, port->interface) == 0 &&
        strcmp(port->exception_namespace, port->network_namespace) == 0)
        return locate_fail(locate, locate_child(locate, node, "exception_interface"),
                           "the port's own interface (ports[%u].exception_interface); choose "
                           "another name",
                           number);
    return STATUS_OK;
}

static enum status verify_port(struct locate *locate, int node, const struct config *config,
                               unsigned index)
{
    const struct config_port *port = &config->ports[index];
    enum status status = verify_port_keys(locate, node, port, index + 1);

    if (status != STATUS_OK)
        return status;
    for (unsigned i = 0; i < index; i++) {
        const struct config_port *other = &config->ports[i];

        if (other->address.s_addr == port->address.s_addr)
            return locate_fail(locate, locate_child(locate, node, "address"),
                               "the address of ports[%u] again (ports[%u].address); give each port "
                               "its own",
                               i + 1, index + 1);
        if (port->has_address6 && other->has_address6 &&
            memcmp(&other->address6, &port->address6, sizeof(port->address6)) == 0)
            return locate_fail(locate, locate_child(locate, node, "address6"),
                               "the address of ports[%u] again (ports[%u].address6); give each "
                               "port its own",
                               i + 1, index + 1);
        if (port->exception_interface[0] &&
            strcmp(other->exception_interface, port->exception_interface) == 0 &&
            strcmp(other->exception_namespace, port->exception_namespace) == 0)
            return locate_fail(locate, locate_child(locate, node, "exception_interface"),
                               "the interface of ports[%u] again (ports[%u].exception_interface); "
                               "give each port its own",
                               i + 1, index + 1);
        if (port->interface[0] && strcmp(other->interface, port->interface) == 0 &&
            strcmp(other->network_namespace, port->network_namespace) == 0)
            return locate_fail(locate, locate_child(locate, node, "interface"),
                               "the interface of ports[%u] again (ports[%u].interface); give each "
                               "port its own",
                               i + 1, index + 1);
        if (port->pci_address[0] && strcmp(other->pci_address, port->pci_address) == 0)
            return locate_fail(locate, locate_child(locate, node, "pci_address"),
                               "the device of ports[%u] again (ports[%u].pci_address); give each "
                               "port its own",
                               i + 1, index + 1);
    }
    return STATUS_OK;
}

/* `section`.`key` where it is written, else the section, else `other_section`.`other_key`. */
static int verify_node_of_key(struct locate *locate, const char *section, const char *key)
{
    int node = locate_child(locate, locate_root(locate), section);
    int child = locate_child(locate, node, key);

    return child ? child : node;
}

static enum status verify_sizes(struct locate *locate, struct config *config)
{
    uint64_t needed = config->limits.message_bytes * LARGEST_MESSAGES_MIN;
    const struct config_limits *limits = &config->limits;

    if (needed > config->memory.messages_bytes) {
        char needed_text[32];
        char message_text[32];
        int node = verify_node_of_key(locate, "memory", "messages");

        values_size_text(needed, needed_text, sizeof(needed_text));
        values_size_text(limits->message_bytes, message_text, sizeof(message_text));
        return locate_fail(locate,
                           node ? node : verify_node_of_key(locate, "limits", "message_size"),
                           "too little for %u messages of %s (memory.messages); write at least %s, "
                           "or lower limits.message_size",
                           LARGEST_MESSAGES_MIN, message_text, needed_text);
    }
    if (limits->message_bytes > config->scanner.scan_bytes_max) {
        int node = verify_node_of_key(locate, "scanner", "scan_size");

        return locate_fail(locate,
                           node ? node : verify_node_of_key(locate, "limits", "message_size"),
                           "less than limits.message_size (scanner.scan_size), so the largest mail "
                           "could never be scanned; raise it, or lower limits.message_size");
    }
    if (limits->verdict_timeout_ns < config->scanner.time_limit_ns) {
        int node = verify_node_of_key(locate, "limits", "verdict_timeout");

        return locate_fail(locate,
                           node ? node : verify_node_of_key(locate, "scanner", "time_limit"),
                           "less than scanner.time_limit (limits.verdict_timeout); raise it to at "
                           "least %lld ms, or lower scanner.time_limit",
                           (long long)(config->scanner.time_limit_ns / 1000000));
    }
    return STATUS_OK;
}

/* The reply to the end of data is what a sender waits for 10 minutes (RFC 5321 4.5.3.2.6). Ours has
 * to ring before, or mail is delivered again that was delivered. */
#define SENDERS_PATIENCE_NS (INT64_C(600) * 1000000000)
/* However little verdict_timeout leaves, a customer's server is given this. */
#define DATA_TIMEOUT_LEAST_NS INT64_C(1000000000)

static enum status verify_patience(struct locate *locate, struct config *config)
{
    if (config->limits.verdict_timeout_ns < SENDERS_PATIENCE_NS)
        return STATUS_OK;
    return locate_fail(locate, verify_node_of_key(locate, "limits", "verdict_timeout"),
                       "senders wait 10m for the reply and then send again, so ours must come "
                       "before (limits.verdict_timeout); write less than 10m, 9m is usual");
}

/* Scan and relay share limits.verdict_timeout: what is not for the scan is what the customer's
 * server may take at the end of data. A route that does not say takes no more than there is. */
static void verify_data_timeout(struct locate *locate, int node, unsigned number,
                                struct config *config)
{
    struct config_route *route = &config->customers[number - 1].route;
    int written = locate_child(locate, locate_child(locate, node, "route"), "data_timeout");
    int64_t left_ns = config->limits.verdict_timeout_ns - config->scanner.time_limit_ns;

    if (left_ns >= 0 && left_ns < DATA_TIMEOUT_LEAST_NS)
        left_ns = DATA_TIMEOUT_LEAST_NS;
    if (route->data_timeout_ns <= left_ns || left_ns < 0)
        return; /* the scan alone does not fit: verify_sizes() says so */
    if (written == LOCATE_NONE)
        route->data_timeout_ns = left_ns;
    else
        (void)locate_fail(
            locate, written,
            "limits.verdict_timeout of %lld s less scanner.time_limit of %lld s "
            "leaves %lld s (customers[%u].route.data_timeout), after which the sender "
            "is told to come again; write at most that, or raise "
            "limits.verdict_timeout",
            (long long)(config->limits.verdict_timeout_ns / 1000000000),
            (long long)(config->scanner.time_limit_ns / 1000000000),
            (long long)(left_ns / 1000000000), number);
}

struct owner {
    const char *domain;
    unsigned customer;
    unsigned index;
};

static int verify_compare_owners(const void *a, const void *b)
{
    const struct owner *left = a;
    const struct owner *right = b;
    int order = strcmp(left->domain, right->domain);

    if (order != 0)
        return order;
    if (left->customer != right->customer)
        return left->customer < right->customer ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static enum status verify_domain_twice(struct locate *locate, const struct config *config,
                                       const struct owner *first, const struct owner *second)
{
    int customers = locate_child(locate, locate_root(locate), "customers");
    int customer = locate_item(locate, customers, second->customer);
    int domains = locate_child(locate, customer, "domains");

    return locate_fail(locate, locate_item(locate, domains, second->index),
                       "domain \"%.60s\" belongs to customer \"%s\" already, and \"%s\" names it "
                       "again (customers[%u].domains[%u]); keep it in one place",
                       second->domain, config->customers[first->customer].name,
                       config->customers[second->customer].name, second->customer + 1,
                       second->index + 1);
}

static enum status verify_domains(struct locate *locate, struct config *config)
{
    struct owner *owners = NULL;
    enum status status = STATUS_OK;
    size_t count = 0;

    for (unsigned i = 0; i < config->customer_count; i++)
        count += config->customers[i].domain_count;
    if (count == 0)
        return STATUS_OK;
    owners = calloc(count, sizeof(*owners));
    if (!owners)
        return STATUS_NO_MEMORY;
    count = 0;
    for (unsigned i = 0; i < config->customer_count; i++)
        for (unsigned j = 0; j < config->customers[i].domain_count; j++)
            owners[count++] = (struct owner){config->customers[i].domains[j], i, j};
    qsort(owners, count, sizeof(*owners), verify_compare_owners);
    for (size_t i = 1; i < count && status == STATUS_OK; i++)
        if (strcmp(owners[i - 1].domain, owners[i].domain) == 0)
            status = verify_domain_twice(locate, config, &owners[i - 1], &owners[i]);
    free(owners);
    return status;
}

static int verify_compare_names(const void *a, const void *b)
{
    const struct config_customer *const *left = a;
    const struct config_customer *const *right = b;
    int order = strcmp((*left)->name, (*right)->name);

    /* Both point into one array: the later one is the one to complain about. */
    return order != 0 ? order : *left < *right ? -1 : *left > *right;
}

static enum status verify_names(struct locate *locate, struct config *config)
{
    const struct config_customer **sorted = calloc(config->customer_count, sizeof(const void *));
    enum status status = STATUS_OK;

    if (!sorted)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < config->customer_count; i++)
        sorted[i] = &config->customers[i];
    qsort(sorted, config->customer_count, sizeof(const void *), verify_compare_names);
    for (unsigned i = 1; i < config->customer_count && status == STATUS_OK; i++) {
        unsigned index = (unsigned)(sorted[i] - config->customers);
        int list = locate_child(locate, locate_root(locate), "customers");

        if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0)
            continue;
        status = locate_fail(locate, locate_child(locate, locate_item(locate, list, index), "name"),
                             "customer \"%s\" exists already (customers[%u].name); give each its "
                             "own name",
                             sorted[i]->name, index + 1);
    }
    free(sorted);
    return status;
}

static enum status verify_index(struct locate *locate, struct config *config)
{
    (void)locate;
    return config_index(config);
}

static enum status verify_postmaster(struct locate *locate, struct config *config)
{
    const char *at = strchr(config->postmaster, '@');
    int node = locate_child(locate, locate_root(locate), "postmaster");

    if (!at) {
        int length = snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@%s",
                              config->customers[0].domains[0]);

        if (length > 0 && (size_t)length < sizeof(config->postmaster))
            return STATUS_OK;
        return locate_fail(locate, locate_root(locate),
                           "the first domain is too long for a default (postmaster); write one");
    }
    if (config_customer_of(config, at + 1, strlen(at + 1)))
        return STATUS_OK;
    return locate_fail(locate, node,
                       "\"%.60s\" is in no customer's domain (postmaster); write an address in one "
                       "of them",
                       config->postmaster);
}

/* Beside the rest of the state unless it is named. */
static enum status verify_prefilter(struct locate *locate, struct config *config)
{
    int length;

    if (config->prefilter.file[0] != '\0')
        return STATUS_OK;
    length = snprintf(config->prefilter.file, sizeof(config->prefilter.file),
                      "%s/bundles/prefilter", config->state_directory);
    if (length > 0 && (size_t)length < sizeof(config->prefilter.file))
        return STATUS_OK;
    return locate_fail(locate, locate_root(locate),
                       "state_directory is too long for a default (prefilter.file); write one");
}

static enum status verify_ports(struct locate *locate, struct config *config)
{
    int list = locate_child(locate, locate_root(locate), "ports");
    enum status status = STATUS_OK;

    for (unsigned i = 0; status == STATUS_OK && i < config->port_count; i++)
        status = verify_port(locate, locate_item(locate, list, i), config, i);
    return status;
}

static bool verify_has_domain(const struct config_customer *customer, const char *domain)
{
    for (unsigned i = 0; i < customer->domain_count; i++)
        if (strcmp(customer->domains[i], domain) == 0)
            return true;
    return false;
}

static void verify_recipients(struct locate *locate, int node, unsigned number,
                              const struct config_customer *customer)
{
    int list = locate_child(locate, node, "recipients");

    for (unsigned i = 0; i < customer->recipient_count; i++) {
        const char *at = strrchr(customer->recipients[i], '@');

        if (at && !verify_has_domain(customer, at + 1))
            (void)locate_fail(locate, locate_item(locate, list, i),
                              "\"%.60s\" is in none of this customer's domains "
                              "(customers[%u].recipients[%u]); add the domain, or write an address "
                              "in one of them",
                              customer->recipients[i], number, i + 1);
    }
}

static enum status verify_customers(struct locate *locate, struct config *config)
{
    int list = locate_child(locate, locate_root(locate), "customers");

    for (unsigned i = 0; i < config->customer_count; i++) {
        struct config_customer *customer = &config->customers[i];

        customer->any_recipient = customer->recipient_count == 0;
        verify_recipients(locate, locate_item(locate, list, i), i + 1, customer);
        verify_data_timeout(locate, locate_item(locate, list, i), i + 1, config);
    }
    return locate->errors->count > 0 ? STATUS_BAD_CONFIG : STATUS_OK;
}

enum status verify_config(struct locate *locate, struct config *config)
{
    static enum status (*const rules[])(struct locate *, struct config *) = {
        verify_ports,   verify_patience, verify_customers,  verify_sizes,     verify_names,
        verify_domains, verify_index,    verify_postmaster, verify_prefilter,
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i](locate, config) == STATUS_NO_MEMORY)
            return STATUS_NO_MEMORY;
    return locate->errors->count > 0 ? STATUS_BAD_CONFIG : STATUS_OK;
}
