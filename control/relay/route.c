#include "control/relay/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/relay/notice.h"
#include "platform/check.h"
#include "platform/clock.h"

static void route_pumped(evutil_socket_t fd, short events, void *context);

struct route *route_create(struct route **list, struct event_base *base, struct evdns_base *dns,
                           const struct config_customer *customer, const char *hostname)
{
    struct route *route = calloc(1, sizeof(*route));

    if (route == NULL)
        return NULL;
    route->pump = evtimer_new(base, route_pumped, route);
    if (route->pump == NULL) {
        free(route);
        return NULL;
    }
    route->base = base;
    route->dns = dns;
    (void)snprintf(route->customer, sizeof(route->customer), "%s", customer->name);
    (void)snprintf(route->hostname, sizeof(route->hostname), "%s", hostname);
    route->config = customer->route;
    if (route->config.connections == 0)
        route->config.connections = 1;
    route->owner = list;
    route->next = *list;
    *list = route;
    return route;
}

static void route_unlink(struct route *route)
{
    struct route **at = route->owner;

    while (*at != route) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = route->next;
}

unsigned route_in_flight(const struct route *route)
{
    unsigned count = route->waiting.count;

    for (const struct connection *c = route->connections; c != NULL; c = c->next)
        count += c->transaction != NULL;
    return count;
}

/* Runs the pump from the loop: never from inside a connection's callback, so that a server that
 * refuses at once cannot make us recurse through all who wait. */
static void route_pump_soon(struct route *route)
{
    struct timeval now = {0};

    (void)event_add(route->pump, &now);
}

static struct connection *route_find(const struct route *route, enum connection_state state)
{
    struct connection *found = NULL;

    for (struct connection *c = route->connections; c != NULL; c = c->next) {
        if (c->state == state && (found == NULL || c->idle_order > found->idle_order))
            found = c;
    }
    return found;
}

/* Room for one more connection, if need be at the cost of one that is of no more use. */
static bool route_make_room(struct route *route, bool idle_too)
{
    struct connection *spare;

    if (route->connection_count < route->config.connections)
        return true;
    spare = route_find(route, CONNECTION_QUITTING);
    if (spare == NULL && idle_too)
        spare = route_find(route, CONNECTION_IDLE);
    if (spare == NULL)
        return false;
    connection_close(spare);
    return true;
}

static void route_refuse(struct route *route, struct transaction *transaction,
                         enum relay_outcome outcome, unsigned code, const char *text)
{
    struct relay_result result;

    transaction_result(&result, &transaction->job, outcome, code, text);
    route_count(route, &result, text);
    transaction_answer(transaction, &result);
}

/* False when it has to wait. */
static bool route_place(struct route *route, struct transaction *transaction)
{
    struct connection *idle = route_find(route, CONNECTION_IDLE);

    if (idle != NULL && !transaction->retried) {
        connection_begin(idle, transaction);
        return true;
    }
    if (!route_make_room(route, transaction->retried))
        return false;
    if (connection_open(route, transaction) == NULL)
        route_refuse(route, transaction, RELAY_REFUSED, 451, "4.3.0 Out of memory");
    return true;
}

static void route_wait(struct route *route, struct transaction *transaction)
{
    transaction->deadline_ns = clock_monotonic_ns() + route->config.connect_timeout_ns;
    transaction_list_add(&route->waiting, transaction);
    route_pump_soon(route);
}

/* Three quarters of the places there are for messages: the rest is for the other routes. */
static unsigned route_waiting_max(const struct transaction *transaction)
{
    unsigned places = transaction->hold->region.header.message_count;

    return places - places / 4;
}

void route_submit(struct route *route, struct transaction *transaction)
{
    if (route->draining)
        route_refuse(route, transaction, RELAY_REFUSED, 421, "4.3.2 Service shutting down");
    else if (route->waiting.count >= route_waiting_max(transaction))
        route_refuse(route, transaction, RELAY_UNREACHABLE, 451,
                     "4.4.1 Recipient's server is unreachable: too many messages wait for it");
    else if (route->waiting.count > 0 || !route_place(route, transaction))
        route_wait(route, transaction);
}

static void route_expire(struct route *route, int64_t now_ns)
{
    struct transaction *next;

    for (struct transaction *t = route->waiting.first; t != NULL; t = next) {
        next = t->next;
        if (t->deadline_ns > now_ns)
            continue;
        transaction_list_remove(&route->waiting, t);
        route_refuse(route, t, RELAY_UNREACHABLE, 451,
                     "4.4.1 Recipient's server is unreachable: no free connection in time");
    }
}

static void route_free_closed(struct route *route)
{
    while (route->closed != NULL) {
        struct connection *connection = route->closed;

        route->closed = connection->next;
        free(connection);
    }
}

static void route_free_if_empty(struct route *route)
{
    if (route->retired && route->connection_count == 0 && route->waiting.count == 0)
        route_free(route);
}

static void route_pumped(evutil_socket_t fd, short events, void *context)
{
    struct route *route = context;
    int64_t now_ns = clock_monotonic_ns();
    struct timeval wait;
    int64_t left;

    (void)fd;
    (void)events;
    route_free_closed(route);
    route_expire(route, now_ns);
    /* At most one pass over those who wait now: an attempt that fails at once is answered at once,
     * and those it answers do not come back. */
    for (unsigned n = route->waiting.count; n > 0 && route->waiting.first != NULL; n--) {
        struct transaction *first = route->waiting.first;

        transaction_list_remove(&route->waiting, first);
        if (route_place(route, first))
            continue;
        /* Back to the head: it keeps its turn and its deadline. */
        first->next = route->waiting.first;
        first->previous = NULL;
        if (first->next != NULL)
            first->next->previous = first;
        else
            route->waiting.last = first;
        route->waiting.first = first;
        route->waiting.count++;
        break;
    }
    if (route->waiting.first != NULL && !evtimer_pending(route->pump, NULL)) {
        left = route->waiting.first->deadline_ns - now_ns;
        wait = (struct timeval){.tv_sec = left / CLOCK_NS_PER_SECOND,
                                .tv_usec = left % CLOCK_NS_PER_SECOND / CLOCK_NS_PER_US + 1};
        (void)event_add(route->pump, &wait);
    }
    route_free_if_empty(route);
}

void route_connection_new(struct route *route, struct connection *connection)
{
    connection->previous = NULL;
    connection->next = route->connections;
    if (route->connections != NULL)
        route->connections->previous = connection;
    route->connections = connection;
    route->connection_count++;
}

void route_connection_up(struct route *route)
{
    if (route->down)
        notice("route %s (%s:%u) is up again", route->customer, route->config.host,
               route->config.port);
    route->down = false;
}

void route_connection_ready(struct route *route, struct connection *connection)
{
    bool wanted = !route->retired || route->waiting.count > 0;

    connection->idle_order = ++route->idle_order;
    if (route->draining || !wanted || connection->messages >= CONNECTION_MESSAGES_MAX)
        connection_quit(connection);
    else
        connection_rest(connection);
    route_pump_soon(route);
}

void route_connection_gone(struct route *route, struct connection *connection)
{
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        route->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    CHECK(route->connection_count > 0);
    route->connection_count--;
    connection->next = route->closed;
    route->closed = connection;
    route_pump_soon(route);
}

static void route_tell_down(struct route *route, const char *why)
{
    if (!route->down)
        notice("route %s (%s:%u) is down: %s", route->customer, route->config.host,
               route->config.port, why);
    route->down = true;
}

void route_count(struct route *route, const struct relay_result *result, const char *why)
{
    switch ((enum relay_outcome)result->outcome) {
    case RELAY_ANSWERED:
        if (result->code < 300)
            route->counts.delivered++;
        else if (result->code < 500)
            route->counts.temporary++;
        else
            route->counts.permanent++;
        break;
    case RELAY_UNREACHABLE:
        route->counts.unreachable++;
        if (result->relay[0] != '\0')
            route_tell_down(route, why);
        break;
    case RELAY_BROKEN:
        route->counts.temporary++;
        break;
    case RELAY_REFUSED:
        route->counts.refused++;
        break;
    }
    if (result->code >= 400)
        (void)snprintf(route->last_error, sizeof(route->last_error), "%u %s", result->code,
                       result->text);
}

static void route_quit_idle(struct route *route)
{
    struct connection *idle;

    while ((idle = route_find(route, CONNECTION_IDLE)) != NULL)
        connection_quit(idle);
}

void route_retire(struct route *route)
{
    route->retired = true;
    if (route->waiting.count == 0)
        route_quit_idle(route);
    route_pump_soon(route);
}

void route_drain(struct route *route)
{
    route->draining = true;
    while (route->waiting.first != NULL) {
        struct transaction *first = route->waiting.first;

        transaction_list_remove(&route->waiting, first);
        route_refuse(route, first, RELAY_REFUSED, 421, "4.3.2 Service shutting down");
    }
    route_quit_idle(route);
}

void route_abort(struct route *route, const void *context)
{
    struct connection *next_connection;
    struct transaction *next;

    for (struct transaction *t = route->waiting.first; t != NULL; t = next) {
        next = t->next;
        if (context != NULL && t->context != context)
            continue;
        transaction_list_remove(&route->waiting, t);
        transaction_free(t);
    }
    for (struct connection *c = route->connections; c != NULL; c = next_connection) {
        next_connection = c->next;
        if (c->transaction != NULL && (context == NULL || c->transaction->context == context))
            connection_abort(c);
    }
}

void route_free(struct route *route)
{
    route_abort(route, NULL);
    while (route->connections != NULL)
        connection_close(route->connections);
    route_free_closed(route);
    route_unlink(route);
    event_free(route->pump);
    free(route);
}
