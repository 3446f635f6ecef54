#include "control/relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

static struct route *relay_find(const struct relay *relay, const char *customer)
{
    struct names_key key = {customer, strlen(customer), NULL, 0};
    uint32_t number = 0;

    return names_find(&relay->by_customer, &key, 0, &number) ? relay->numbered[number] : NULL;
}

/* Of the routes as they are now. */
static enum status relay_index(struct relay *relay)
{
    uint32_t count = 0;
    uint32_t number = 0;

    for (const struct route *r = relay->routes; r != NULL; r = r->next)
        count++;
    names_destroy(&relay->by_customer);
    free(relay->numbered);
    relay->numbered = calloc((size_t)count + 1, sizeof(struct route *));
    if (relay->numbered == NULL || names_create(&relay->by_customer, count) != STATUS_OK)
        return STATUS_NO_MEMORY;
    for (struct route *r = relay->routes; r != NULL; r = r->next) {
        relay->numbered[number] = r;
        names_add(&relay->by_customer, r->customer, 0, number++);
    }
    return STATUS_OK;
}

/* For each customer that has none; the index is of those that are there, then of all. */
static enum status relay_add_routes(struct relay *relay, const struct config *config)
{
    enum status status = relay_index(relay);

    if (status != STATUS_OK)
        return status;
    (void)snprintf(relay->hostname, sizeof(relay->hostname), "%s", config->hostname);
    for (unsigned i = 0; i < config->customer_count; i++) {
        const struct config_customer *customer = &config->customers[i];

        if (relay_find(relay, customer->name) != NULL)
            continue;
        if (route_create(&relay->routes, relay->loop, relay->resolver, &relay->common, &relay->news,
                         customer, config->hostname) == NULL)
            status = STATUS_NO_MEMORY;
        if (status != STATUS_OK)
            break;
    }
    /* Also after a failure: retired routes must not be found. */
    return relay_index(relay) == STATUS_OK ? status : STATUS_NO_MEMORY;
}

enum status relay_create(struct relay **relay, struct loop *loop, struct resolver *resolver,
                         const struct config *config, unsigned connections_max)
{
    struct relay *made = calloc(1, sizeof(*made));
    enum status status;

    *relay = NULL;
    CHECK(connections_max > 0);
    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->loop = loop;
    made->resolver = resolver;
    made->common.max = connections_max;
    made->common.row = &made->unseen;
    status = relay_add_routes(made, config);
    if (status != STATUS_OK) {
        relay_free(made, loop_now_ns(loop));
        return status;
    }
    *relay = made;
    return STATUS_OK;
}

void relay_hear(struct relay *relay, void (*tell)(void *context, const char *customer, bool down),
                void *context)
{
    relay->news = (struct route_news){.tell = tell, .context = context};
    for (const struct route *r = relay->routes; r != NULL && tell != NULL; r = r->next) {
        if (r->told_down)
            tell(context, r->customer, true);
    }
}

void relay_count(struct relay *relay, struct peer_row *row)
{
    unsigned open = relay->common.open;

    relay->common.row = row != NULL ? row : &relay->unseen;
    if (row == NULL)
        return;
    row_add(row, CONTROL_COUNTER_CONNECTIONS_BEGUN, open);
    row_set(row, CONTROL_COUNTER_CONNECTIONS, open);
}

void relay_refuse(const struct transaction_owner *owner, const struct relay_job *job,
                  uint32_t worker, unsigned code, const char *text)
{
    struct relay_result result;

    CHECK(code >= 400 && code < 600);
    transaction_result(&result, job, RELAY_REFUSED, code, text);
    owner->done(owner->context, worker, &result);
}

void relay_submit(struct relay *relay, const struct transaction_owner *owner,
                  const struct relay_job *job, uint32_t worker, struct source *source,
                  struct transaction **place, int64_t now_ns)
{
    struct transaction *transaction;
    struct route *route;
    enum status status;

    if (relay->draining) {
        relay_refuse(owner, job, worker, 421, "4.3.2 Service shutting down");
        return;
    }
    status = transaction_open(&transaction, owner, job, worker, source, relay->hostname, now_ns);
    if (status != STATUS_OK) {
        /* A stale message's worker ignores this; to any other it is the truth. */
        relay_refuse(owner, job, worker, 451,
                     status == STATUS_NO_MEMORY ? "4.3.0 Out of memory"
                                                : "4.3.0 Message cannot be relayed now");
        return;
    }
    route = relay_find(relay, transaction->customer);
    if (route == NULL) {
        transaction_free(transaction);
        relay_refuse(owner, job, worker, 451, "4.3.5 No route to the recipient's server");
        return;
    }
    transaction->place = place;
    if (place != NULL)
        *place = transaction;
    route_submit(route, transaction, now_ns);
}

void relay_withdraw(struct transaction *transaction, int64_t now_ns)
{
    route_withdraw(transaction->route, transaction, now_ns);
}

void relay_abort(struct relay *relay, const struct transaction_owner *owner, int64_t now_ns)
{
    for (struct route *r = relay->routes; r != NULL; r = r->next)
        route_abort(r, owner, now_ns);
    for (struct route *r = relay->retired; r != NULL; r = r->next)
        route_abort(r, owner, now_ns);
}

enum status relay_reload(struct relay *relay, const struct config *config, int64_t now_ns)
{
    struct route **at = &relay->routes;

    while (*at != NULL) {
        struct route *route = *at;
        const struct config_customer *customer = config_customer_named(config, route->customer);

        if (customer != NULL && route_same(route, customer, config->hostname)) {
            at = &route->next;
            continue;
        }
        *at = route->next;
        route->next = relay->retired;
        route->owner = &relay->retired;
        relay->retired = route;
        route_retire(route, now_ns);
    }
    return relay_add_routes(relay, config);
}

void relay_drain(struct relay *relay, int64_t now_ns)
{
    relay->draining = true;
    for (struct route *r = relay->routes; r != NULL; r = r->next)
        route_drain(r, now_ns);
    for (struct route *r = relay->retired; r != NULL; r = r->next)
        route_drain(r, now_ns);
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

void relay_free(struct relay *relay, int64_t now_ns)
{
    if (relay == NULL)
        return;
    while (relay->routes != NULL)
        route_free(relay->routes, now_ns);
    while (relay->retired != NULL)
        route_free(relay->retired, now_ns);
    CHECK(relay->common.open == 0);
    names_destroy(&relay->by_customer);
    free(relay->numbered);
    free(relay);
}
