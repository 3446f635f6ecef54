#include "control/relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct route *relay_find(const struct relay *relay, const char *customer)
{
    for (struct route *r = relay->routes; r != NULL; r = r->next) {
        if (strcmp(r->customer, customer) == 0)
            return r;
    }
    return NULL;
}

static enum status relay_add_routes(struct relay *relay, const struct config *config)
{
    (void)snprintf(relay->hostname, sizeof(relay->hostname), "%s", config->hostname);
    for (unsigned i = 0; i < config->customer_count; i++) {
        const struct config_customer *customer = &config->customers[i];

        if (relay_find(relay, customer->name) != NULL)
            continue;
        if (route_create(&relay->routes, relay->base, relay->dns, customer, config->hostname) ==
            NULL)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

enum status relay_create(struct relay **relay, struct event_base *base, struct evdns_base *dns,
                         const struct config *config)
{
    struct relay *made = calloc(1, sizeof(*made));
    enum status status;

    *relay = NULL;
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->base = base;
    made->dns = dns;
    status = relay_add_routes(made, config);
    if (status != STATUS_OK) {
        relay_free(made);
        return status;
    }
    *relay = made;
    return STATUS_OK;
}

static void relay_refuse(const struct relay_job *job, uint32_t worker, unsigned code,
                         const char *text, transaction_done done, void *context)
{
    struct relay_result result;

    transaction_result(&result, job, RELAY_REFUSED, code, text);
    done(context, worker, &result);
}

void relay_submit(struct relay *relay, const struct relay_job *job, uint32_t worker,
                  struct region_hold *hold, transaction_done done, void *context)
{
    struct transaction *transaction;
    struct route *route;
    enum status status;

    if (relay->draining) {
        relay_refuse(job, worker, 421, "4.3.2 Service shutting down", done, context);
        return;
    }
    status = transaction_open(&transaction, job, worker, hold, relay->hostname);
    if (status != STATUS_OK) {
        /* A stale message's worker ignores this; to any other it is the truth. */
        relay_refuse(job, worker, 451,
                     status == STATUS_NO_MEMORY ? "4.3.0 Out of memory"
                                                : "4.3.0 Message cannot be relayed now",
                     done, context);
        return;
    }
    transaction->done = done;
    transaction->context = context;
    route = relay_find(relay, transaction->customer);
    if (route == NULL) {
        transaction_free(transaction);
        relay_refuse(job, worker, 451, "4.3.5 No route to the recipient's server", done, context);
        return;
    }
    route_submit(route, transaction);
}

void relay_abort(struct relay *relay, const void *context)
{
    for (struct route *r = relay->routes; r != NULL; r = r->next)
        route_abort(r, context);
    for (struct route *r = relay->retired; r != NULL; r = r->next)
        route_abort(r, context);
}

static bool route_same(const struct route *route, const struct config_customer *customer,
                       const char *hostname)
{
    const struct config_route *a = &route->config;
    const struct config_route *b = &customer->route;

    return strcmp(route->hostname, hostname) == 0 && strcmp(a->host, b->host) == 0 &&
           a->port == b->port && a->connections == b->connections &&
           a->connect_timeout_ns == b->connect_timeout_ns &&
           a->command_timeout_ns == b->command_timeout_ns &&
           a->data_timeout_ns == b->data_timeout_ns && a->idle_timeout_ns == b->idle_timeout_ns;
}

static const struct config_customer *relay_customer(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->customer_count; i++) {
        if (strcmp(config->customers[i].name, name) == 0)
            return &config->customers[i];
    }
    return NULL;
}

enum status relay_reload(struct relay *relay, const struct config *config)
{
    struct route **at = &relay->routes;

    while (*at != NULL) {
        struct route *route = *at;
        const struct config_customer *customer = relay_customer(config, route->customer);

        if (customer != NULL && route_same(route, customer, config->hostname)) {
            at = &route->next;
            continue;
        }
        *at = route->next;
        route->next = relay->retired;
        route->owner = &relay->retired;
        relay->retired = route;
        route_retire(route);
    }
    return relay_add_routes(relay, config);
}

void relay_drain(struct relay *relay)
{
    relay->draining = true;
    for (struct route *r = relay->routes; r != NULL; r = r->next)
        route_drain(r);
    for (struct route *r = relay->retired; r != NULL; r = r->next)
        route_drain(r);
}

unsigned relay_in_flight(const struct relay *relay)
{
    unsigned count = 0;

    for (const struct route *r = relay->routes; r != NULL; r = r->next)
        count += route_in_flight(r);
    for (const struct route *r = relay->retired; r != NULL; r = r->next)
        count += route_in_flight(r);
    return count;
}

void relay_free(struct relay *relay)
{
    if (relay == NULL)
        return;
    while (relay->routes != NULL)
        route_free(relay->routes);
    while (relay->retired != NULL)
        route_free(relay->retired);
    free(relay);
}
