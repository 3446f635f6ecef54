#include "control/relay/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

static void route_pumped(void *context, int64_t now_ns);
static void route_probed(void *context, int64_t now_ns);

struct route *route_create(struct route **list, struct loop *loop, struct resolver *resolver,
                           struct route_common *common, const struct route_news *news,
                           const struct config_customer *customer, const char *hostname)
{
    struct route *route = calloc(1, sizeof(*route));
    const struct config_route *config = &customer->route;

    if (route == NULL)
        return NULL;
    route->loop = loop;
    route->resolver = resolver;
    route->common = common;
    route->news = news;
    (void)snprintf(route->customer, sizeof(route->customer), "%s", customer->name);
    (void)snprintf(route->hostname, sizeof(route->hostname), "%s", hostname);
    route->settings = (struct dialogue_settings){.hostname = route->hostname,
                                                 .connect_timeout_ns = config->connect_timeout_ns,
                                                 .command_timeout_ns = config->command_timeout_ns,
                                                 .data_timeout_ns = config->data_timeout_ns,
                                                 .idle_timeout_ns = config->idle_timeout_ns};
    route->connections_max = config->connections > 0 ? config->connections : 1;
    route->server_count = server_take_all(route->servers, config);
    timer_init(&route->pump, route_pumped, route);
    timer_init(&route->probe, route_probed, route);
    route->owner = list;
    route->next = *list;
    *list = route;
    return route;
}

bool route_same(const struct route *route, const struct config_customer *customer,
                const char *hostname)
{
    const struct config_route *config = &customer->route;
    const struct dialogue_settings *settings = &route->settings;

    return strcmp(route->hostname, hostname) == 0 &&
           server_same_all(route->servers, route->server_count, config) &&
           route->connections_max == (config->connections > 0 ? config->connections : 1) &&
           settings->connect_timeout_ns == config->connect_timeout_ns &&
           settings->command_timeout_ns == config->command_timeout_ns &&
           settings->data_timeout_ns == config->data_timeout_ns &&
           settings->idle_timeout_ns == config->idle_timeout_ns;
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

    for (const struct dialogue *d = route->dialogues; d != NULL; d = d->next)
        count += d->transaction != NULL;
    return count;
}

/* Runs the pump from the loop: never from inside a connection's callback, so that a server that
 * refuses at once cannot make us recurse through all who wait. */
static void route_pump_soon(struct route *route, int64_t now_ns)
{
    loop_set(route->loop, &route->pump, now_ns, now_ns);
}

/* -- connections ------------------------------------------------------------------------------- */

static bool route_live(const struct route *route)
{
    for (const struct dialogue *d = route->dialogues; d != NULL; d = d->next) {
        if (dialogue_live(d))
            return true;
    }
    return false;
}

bool route_down(const struct route *route)
{
    for (unsigned i = 0; i < route->server_count; i++) {
        if (!route->servers[i].down)
            return false;
    }
    return !route_live(route);
}

/* A route that is replaced says nothing more: the new one begins as if all were well. */
static void route_tell_news(struct route *route)
{
    bool down = route_down(route) && !route->retired;

    if (down == route->told_down)
        return;
    route->told_down = down;
    if (route->news->tell != NULL)
        route->news->tell(route->news->context, route->customer, down);
}

static struct dialogue *route_find(const struct route *route, enum dialogue_state state)
{
    struct dialogue *found = NULL;

    for (struct dialogue *d = route->dialogues; d != NULL; d = d->next) {
        if (d->state == state && (found == NULL || d->idle_order > found->idle_order))
            found = d;
    }
    return found;
}

/* Room for one more connection, if need be at the cost of one that is of no more use. */
static bool route_make_room(struct route *route, bool idle_too, int64_t now_ns)
{
    struct dialogue *spare;

    CHECK(route->connection_count <= route->connections_max);
    CHECK(route->common->open <= route->common->max);
    if (route->connection_count < route->connections_max &&
        route->common->open < route->common->max)
        return true;
    spare = route_find(route, DIALOGUE_QUITTING);
    if (spare == NULL && idle_too)
        spare = route_find(route, DIALOGUE_IDLE);
    if (spare == NULL)
        return false;
    dialogue_close(spare, now_ns);
    return true;
}

static void route_link(struct route *route, struct dialogue *dialogue)
{
    dialogue->previous = NULL;
    dialogue->next = route->dialogues;
    if (route->dialogues != NULL)
        route->dialogues->previous = dialogue;
    route->dialogues = dialogue;
    route->connection_count++;
    route->common->open++;
    route_tally(route->common, CONTROL_COUNTER_CONNECTIONS_BEGUN);
    row_set(route->common->row, CONTROL_COUNTER_CONNECTIONS, route->common->open);
    CHECK(route->connection_count <= route->connections_max);
}

static void route_closed(void *context, struct dialogue *dialogue, int64_t now_ns)
{
    struct route *route = context;

    if (dialogue->previous != NULL)
        dialogue->previous->next = dialogue->next;
    else
        route->dialogues = dialogue->next;
    if (dialogue->next != NULL)
        dialogue->next->previous = dialogue->previous;
    CHECK(route->connection_count > 0 && route->common->open > 0);
    route->connection_count--;
    route->common->open--;
    row_set(route->common->row, CONTROL_COUNTER_CONNECTIONS, route->common->open);
    route_tally(route->common, dialogue->greeted ? CONTROL_COUNTER_CONNECTIONS_CLOSED
                                                 : CONTROL_COUNTER_CONNECTIONS_FAILED);
    dialogue->next = route->closed;
    route->closed = dialogue;
    route_pump_soon(route, now_ns);
}

static void route_free_closed(struct route *route)
{
    while (route->closed != NULL) {
        struct dialogue *dialogue = route->closed;

        route->closed = dialogue->next;
        free(dialogue);
    }
}

/* -- servers ----------------------------------------------------------------------------------- */

static void route_set_probe(struct route *route, int64_t now_ns)
{
    int64_t due_ns = server_next_retry_ns(route->servers, route->server_count);

    if (due_ns == TIMER_NEVER_NS || route->retired || route->draining)
        loop_clear(route->loop, &route->probe);
    else
        loop_set(route->loop, &route->probe, due_ns, now_ns);
}

/* A server before it is there: connections to this one are for want of that. */
static bool route_stands_in(const struct route *route, const struct dialogue *dialogue)
{
    for (unsigned i = 0; i < dialogue->server; i++) {
        if (!route->servers[i].down)
            return true;
    }
    return false;
}

static void route_welcomed(void *context, struct dialogue *dialogue, int64_t now_ns)
{
    struct route *route = context;
    struct server *server = &route->servers[dialogue->server];

    dialogue->greeted = true;
    route_tally(route->common, CONTROL_COUNTER_CONNECTIONS_OPENED);
    dialogue->trial = false;
    if (server_found(server, now_ns))
        notice("route %s (%s:%u) is up again", route->customer, server->host, server->port);
    for (struct dialogue *d = route->dialogues; d != NULL; d = d->next) {
        if (d->state == DIALOGUE_IDLE && route_stands_in(route, d))
            dialogue_quit(d, now_ns);
    }
    route_tell_news(route);
}

/* The dialogue never got past the greeting: by the server's fault, or for want of ours. */
static void route_unwelcome(void *context, struct dialogue *dialogue, bool by_server,
                            const char *why, int64_t now_ns)
{
    struct route *route = context;
    struct server *server = &route->servers[dialogue->server];

    if (by_server && server_failed(server, dialogue->trial, now_ns))
        notice("route %s (%s:%u) is down: %s", route->customer, server->host, server->port, why);
    else if (!by_server && dialogue->trial)
        server_untried(server);
    if (!by_server && server->down && server->retry_ns < now_ns + SERVER_RETRY_MIN_NS)
        server->retry_ns = now_ns + SERVER_RETRY_MIN_NS;
    dialogue->trial = false;
    route_set_probe(route, now_ns);
}

/* -- answers ----------------------------------------------------------------------------------- */

/* Every answer passes here once. */
static void route_count(struct route *route, const struct relay_result *result)
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

static void route_answer(struct route *route, struct transaction *transaction,
                         const struct relay_result *result)
{
    CHECK(transaction->route == route && transaction->dialogue == NULL);
    route_count(route, result);
    transaction_answer(transaction, result);
}

static void route_refuse(struct route *route, struct transaction *transaction,
                         enum relay_outcome outcome, unsigned code, const char *text)
{
    struct relay_result result;

    transaction_result(&result, &transaction->job, outcome, code, text);
    route_answer(route, transaction, &result);
}

static void route_refuse_down(struct route *route, struct transaction *transaction)
{
    char text[RELAY_TEXT_BYTES];

    (void)snprintf(text, sizeof(text), "4.4.1 Recipient's server is unreachable: %s:%u is down",
                   route->servers[0].host, route->servers[0].port);
    route_refuse(route, transaction, RELAY_UNREACHABLE, 451, text);
}

/* -- placing ----------------------------------------------------------------------------------- */

static void route_wait(struct route *route, struct transaction *transaction, int64_t now_ns)
{
    if (transaction->wait_end_ns == 0) {
        transaction->wait_end_ns = now_ns + route->settings.connect_timeout_ns;
        if (transaction->wait_end_ns > transaction->dot_ns)
            transaction->wait_end_ns = transaction->dot_ns;
    }
    transaction_list_add(&route->waiting, transaction);
    route_pump_soon(route, now_ns);
}

static void route_ready(void *context, struct dialogue *dialogue, int64_t now_ns);
static void route_ended(void *context, struct dialogue *dialogue, struct transaction *transaction,
                        const struct dialogue_end *end, int64_t now_ns);

/* A new connection to that server, for `transaction` or to see whether it is there. False when out
 * of memory. */
static bool route_open(struct route *route, unsigned number, struct transaction *transaction,
                       int64_t now_ns)
{
    static const struct dialogue_events events = {.welcomed = route_welcomed,
                                                  .ready = route_ready,
                                                  .closed = route_closed,
                                                  .ended = route_ended,
                                                  .unwelcome = route_unwelcome};
    struct dialogue *dialogue = calloc(1, sizeof(*dialogue));
    struct server *server = &route->servers[number];

    CHECK(number < route->server_count);
    if (dialogue == NULL)
        return false;
    dialogue->events = &events;
    dialogue->context = route;
    dialogue->settings = &route->settings;
    dialogue->server = number;
    dialogue->trial = server_try(server);
    if (transaction != NULL)
        transaction->tried |= UINT32_C(1) << number;
    route_link(route, dialogue);
    dialogue_open(dialogue, route->loop, route->resolver, server->host, server->port, transaction,
                  now_ns);
    return true;
}

/* False when it has to wait: no connection is free, and none may be opened. */
static bool route_place(struct route *route, struct transaction *transaction, int64_t now_ns)
{
    struct dialogue *idle = route_find(route, DIALOGUE_IDLE);
    int server;

    if (idle != NULL && !transaction->retried) {
        route_tally(route->common, CONTROL_COUNTER_CONNECTIONS_REUSED);
        dialogue_begin(idle, transaction, now_ns);
        return true;
    }
    server = server_choose(route->servers, route->server_count, transaction->tried, now_ns);
    if (server < 0) {
        if (route_live(route) && !transaction->retried)
            return false;
        route_refuse_down(route, transaction);
        return true;
    }
    if (!route_make_room(route, transaction->retried, now_ns))
        return false;
    if (!route_open(route, (unsigned)server, transaction, now_ns))
        route_refuse(route, transaction, RELAY_REFUSED, 451, "4.3.0 Out of memory");
    return true;
}

/* Three quarters of the places there are for messages: the rest is for the other routes. */
static unsigned route_waiting_max(const struct transaction *transaction)
{
    unsigned places = transaction->owner->places;

    return places - places / 4;
}

void route_submit(struct route *route, struct transaction *transaction, int64_t now_ns)
{
    CHECK(transaction->dialogue == NULL);
    transaction->route = route;
    if (route->draining)
        route_refuse(route, transaction, RELAY_REFUSED, 421, "4.3.2 Service shutting down");
    else if (now_ns >= transaction->dot_ns)
        route_refuse(route, transaction, RELAY_REFUSED, 451, "4.3.0 No time is left to relay it");
    else if (route->waiting.count >= route_waiting_max(transaction))
        route_refuse(route, transaction, RELAY_UNREACHABLE, 451,
                     "4.4.1 Recipient's server is unreachable: too many messages wait for it");
    else if (route->waiting.count > 0 || !route_place(route, transaction, now_ns))
        route_wait(route, transaction, now_ns);
}

/* The server has heard nothing of it: another connection, the next server, or a turn among those
 * who wait, if any of these is left. */
static bool route_again(struct route *route, struct transaction *transaction, int64_t now_ns)
{
    if (route->draining || now_ns >= transaction->dot_ns)
        return false;
    if (server_choose(route->servers, route->server_count, transaction->tried, now_ns) < 0 &&
        (transaction->retried || !route_live(route)))
        return false;
    route_tally(route->common, CONTROL_COUNTER_RETRIED);
    route_submit(route, transaction, now_ns);
    return true;
}

static void route_tell(struct route *route, const struct dialogue_end *end, int64_t now_ns)
{
    if (end->in_doubt) {
        route->counts.in_doubt++;
        route_tally(route->common, CONTROL_COUNTER_IN_DOUBT);
    }
    if (!end->about_us)
        return;
    route->counts.about_us++;
    route_tally(route->common, CONTROL_COUNTER_ABOUT_US);
    notice_seldom(
        &route->about_us, now_ns,
        "route %s: MAIL IS DEFERRED until its server is set up to take mail from here: %s",
        route->customer, end->why);
}

static void route_ended(void *context, struct dialogue *dialogue, struct transaction *transaction,
                        const struct dialogue_end *end, int64_t now_ns)
{
    struct route *route = context;
    bool welcomed = dialogue->rested || dialogue->messages > 0;

    if (!welcomed)
        route_unwelcome(route, dialogue, end->unsaid, end->why, now_ns);
    if (end->unsaid && route_again(route, transaction, now_ns))
        return;
    route_tell(route, end, now_ns);
    route_answer(route, transaction, &end->result);
}

static void route_expire(struct route *route, int64_t now_ns)
{
    struct transaction *next;

    for (struct transaction *t = route->waiting.first; t != NULL; t = next) {
        next = t->next;
        if (t->wait_end_ns > now_ns)
            continue;
        transaction_list_remove(&route->waiting, t);
        route_refuse(route, t, RELAY_UNREACHABLE, 451,
                     "4.4.1 Recipient's server is unreachable: no free connection in time");
    }
}

static int64_t route_next_expiry_ns(const struct route *route)
{
    int64_t due_ns = TIMER_NEVER_NS;

    for (const struct transaction *t = route->waiting.first; t != NULL; t = t->next)
        due_ns = t->wait_end_ns < due_ns ? t->wait_end_ns : due_ns;
    return due_ns;
}

static void route_free_if_empty(struct route *route, int64_t now_ns)
{
    if (route->retired && route->connection_count == 0 && route->waiting.count == 0)
        route_free(route, now_ns);
}

static void route_pumped(void *context, int64_t now_ns)
{
    struct route *route = context;

    route_free_closed(route);
    route_tell_news(route);
    route_expire(route, now_ns);
    /* At most one pass over those who wait now: an attempt that fails at once is answered at once,
     * and those it answers do not come back. */
    for (unsigned n = route->waiting.count; n > 0 && route->waiting.first != NULL; n--) {
        struct transaction *first = route->waiting.first;

        transaction_list_remove(&route->waiting, first);
        if (route_place(route, first, now_ns))
            continue;
        transaction_list_put_back(&route->waiting, first);
        break;
    }
    if (route->waiting.first != NULL && !route->pump.set)
        loop_set(route->loop, &route->pump, route_next_expiry_ns(route), now_ns);
    route_free_if_empty(route, now_ns);
}

static void route_probed(void *context, int64_t now_ns)
{
    struct route *route = context;

    for (unsigned i = 0; i < route->server_count; i++) {
        struct server *server = &route->servers[i];

        if (!server->down || !server_usable(server, now_ns))
            continue;
        if (!route_make_room(route, false, now_ns) || !route_open(route, i, NULL, now_ns))
            server->retry_ns = now_ns + SERVER_RETRY_MIN_NS;
    }
    route_set_probe(route, now_ns);
}

static void route_ready(void *context, struct dialogue *dialogue, int64_t now_ns)
{
    struct route *route = context;
    bool wanted = !route->retired || route->waiting.count > 0;
    bool scarce = route->common->open > route->common->max - route->common->max / 4;

    dialogue->idle_order = ++route->idle_order;
    if (route->draining || !wanted || scarce || route_stands_in(route, dialogue) ||
        dialogue->messages >= ROUTE_MESSAGES_MAX)
        dialogue_quit(dialogue, now_ns);
    else
        dialogue_rest(dialogue, now_ns);
    route_pump_soon(route, now_ns);
}

/* -- ends -------------------------------------------------------------------------------------- */

void route_withdraw(struct route *route, struct transaction *transaction, int64_t now_ns)
{
    CHECK(transaction->route == route);
    route_tally(route->common, CONTROL_COUNTER_WITHDRAWN);
    if (transaction->dialogue != NULL) {
        dialogue_withdraw(transaction->dialogue, now_ns);
        return;
    }
    transaction_list_remove(&route->waiting, transaction);
    route_refuse(route, transaction, RELAY_REFUSED, 451, "4.3.0 The message was withdrawn");
}

static void route_quit_idle(struct route *route, int64_t now_ns)
{
    struct dialogue *idle;

    while ((idle = route_find(route, DIALOGUE_IDLE)) != NULL)
        dialogue_quit(idle, now_ns);
}

void route_retire(struct route *route, int64_t now_ns)
{
    route->retired = true;
    route_tell_news(route);
    route_set_probe(route, now_ns);
    if (route->waiting.count == 0)
        route_quit_idle(route, now_ns);
    route_pump_soon(route, now_ns);
}

void route_drain(struct route *route, int64_t now_ns)
{
    route->draining = true;
    route_set_probe(route, now_ns);
    while (route->waiting.first != NULL) {
        struct transaction *first = route->waiting.first;

        transaction_list_remove(&route->waiting, first);
        route_refuse(route, first, RELAY_REFUSED, 421, "4.3.2 Service shutting down");
    }
    route_quit_idle(route, now_ns);
}

void route_abort(struct route *route, const struct transaction_owner *owner, int64_t now_ns)
{
    struct dialogue *next_dialogue;
    struct transaction *next;

    for (struct transaction *t = route->waiting.first; t != NULL; t = next) {
        next = t->next;
        if (owner != NULL && t->owner != owner)
            continue;
        transaction_list_remove(&route->waiting, t);
        transaction_free(t);
    }
    for (struct dialogue *d = route->dialogues; d != NULL; d = next_dialogue) {
        next_dialogue = d->next;
        if (d->transaction == NULL || (owner != NULL && d->transaction->owner != owner))
            continue;
        if (d->trial)
            server_untried(&route->servers[d->server]);
        dialogue_abort(d, now_ns);
    }
    route_set_probe(route, now_ns);
}

void route_free(struct route *route, int64_t now_ns)
{
    route_abort(route, NULL, now_ns);
    while (route->dialogues != NULL)
        dialogue_close(route->dialogues, now_ns);
    route_free_closed(route);
    route_unlink(route);
    loop_clear(route->loop, &route->pump);
    loop_clear(route->loop, &route->probe);
    free(route);
}
