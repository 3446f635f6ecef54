#include "control/relay/connection.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/relay/route.h"
#include "platform/check.h"
#include "platform/clock.h"

#define CONNECTION_QUIT_NS (5 * CLOCK_NS_PER_SECOND)

/* What the resolver calls back with: it may do so after the connection is gone. */
struct connection_lookup {
    struct connection *connection; /* null: nobody is waiting any more */
    struct evdns_getaddrinfo_request *request;
};

static void connection_try_address(struct connection *connection);

void connection_set_timeout(struct connection *connection, int64_t timeout_ns)
{
    struct timeval wait = {.tv_sec = timeout_ns / CLOCK_NS_PER_SECOND,
                           .tv_usec = timeout_ns % CLOCK_NS_PER_SECOND / CLOCK_NS_PER_US};

    if (timeout_ns <= 0)
        wait = (struct timeval){.tv_usec = 1};
    (void)event_add(connection->timer, &wait);
}

static void connection_drop_stream(struct connection *connection)
{
    if (connection->stream == NULL)
        return;
    bufferevent_setcb(connection->stream, NULL, NULL, NULL, NULL);
    (void)bufferevent_disable(connection->stream, EV_READ | EV_WRITE);
    bufferevent_free(connection->stream);
    connection->stream = NULL;
}

void connection_close(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    CHECK(connection->transaction == NULL);
    connection->state = CONNECTION_CLOSED;
    connection_drop_stream(connection);
    event_free(connection->timer);
    connection->timer = NULL;
    if (connection->lookup != NULL) {
        /* The callback comes later, with EVUTIL_EAI_CANCEL, and frees the lookup. */
        connection->lookup->connection = NULL;
        evdns_getaddrinfo_cancel(connection->lookup->request);
        connection->lookup = NULL;
    }
    if (connection->addresses != NULL)
        evutil_freeaddrinfo(connection->addresses);
    connection->addresses = NULL;
    route_connection_gone(connection->route, connection);
}

void connection_abort(struct connection *connection)
{
    if (connection->transaction != NULL)
        transaction_free(connection->transaction);
    connection->transaction = NULL;
    connection_close(connection);
}

static bool connection_nothing_said(const struct connection *connection)
{
    return connection->state == CONNECTION_ENVELOPE && connection->envelope.answered == 0 &&
           connection->messages > 1;
}

void connection_fail(struct connection *connection, enum relay_outcome outcome, const char *why)
{
    struct transaction *transaction = connection->transaction;
    struct route *route = connection->route;
    struct relay_result result;
    char text[RELAY_TEXT_BYTES];

    if (transaction == NULL) {
        connection_close(connection);
        return;
    }
    connection->transaction = NULL;
    if (connection_nothing_said(connection) && !transaction->retried) {
        transaction->retried = true;
        connection_close(connection);
        route_submit(route, transaction);
        return;
    }
    (void)snprintf(text, sizeof(text), "%s: %s",
                   outcome == RELAY_UNREACHABLE ? "4.4.1 Recipient's server is unreachable"
                   : outcome == RELAY_BROKEN    ? "4.4.2 Recipient's server gave no valid answer"
                                                : "4.3.0 Message cannot be relayed now",
                   why);
    transaction_result(&result, &transaction->job, outcome, 451, text);
    (void)snprintf(result.relay, sizeof(result.relay), "%s", connection->name);
    result.connect_us = transaction->connect_us;
    if (transaction->started_ns != 0)
        result.transfer_us = (uint32_t)((clock_monotonic_ns() - transaction->started_ns) / 1000);
    /* The connection goes first: by the time the worker may use the memory again, nothing is left
     * that could send from it. */
    connection_close(connection);
    route_count(route, &result, why);
    transaction_answer(transaction, &result);
}

void connection_answer(struct connection *connection, unsigned code, const char *text)
{
    struct transaction *transaction = connection->transaction;
    struct relay_result result;

    connection->transaction = NULL;
    /* 421 speaks of the server's connection to us; the sender's to us stays. */
    transaction_result(&result, &transaction->job, RELAY_ANSWERED, code == 421 ? 451 : code, text);
    memcpy(result.relay, connection->name, sizeof(result.relay));
    result.connect_us = transaction->connect_us;
    result.transfer_us = (uint32_t)((clock_monotonic_ns() - transaction->started_ns) / 1000);
    route_count(connection->route, &result, text);
    transaction_answer(transaction, &result);
}

static void connection_readable(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;

    (void)stream;
    dialogue_input(connection);
}

static void connection_writable(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;

    (void)stream;
    dialogue_drained(connection);
}

static void connection_lost(struct connection *connection, const char *why)
{
    if (connection->state == CONNECTION_CONNECTING) {
        connection->address = connection->address->ai_next;
        if (connection->address != NULL)
            connection_try_address(connection);
        else
            connection_fail(connection, RELAY_UNREACHABLE, why);
        return;
    }
    connection_fail(connection,
                    connection->state < CONNECTION_IDLE ? RELAY_UNREACHABLE : RELAY_BROKEN, why);
}

static void connection_event(struct bufferevent *stream, short events, void *context)
{
    struct connection *connection = context;
    int error = EVUTIL_SOCKET_ERROR();
    int on = 1;

    if (events & BEV_EVENT_CONNECTED) {
        (void)setsockopt(bufferevent_getfd(stream), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(bufferevent_getfd(stream), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        evutil_freeaddrinfo(connection->addresses);
        connection->addresses = NULL;
        connection->address = NULL;
        connection->connect_us =
            (uint32_t)((clock_monotonic_ns() - connection->opened_ns) / CLOCK_NS_PER_US);
        connection->transaction->connect_us = connection->connect_us;
        dialogue_connected(connection);
    } else if (events & BEV_EVENT_EOF) {
        /* What came before the end still counts (a refusal, say). */
        dialogue_input(connection);
        if (connection->state != CONNECTION_CLOSED)
            connection_lost(connection, "connection closed by the server");
    } else if (events & BEV_EVENT_ERROR) {
        /* Likewise: a server that refuses and resets has still refused. */
        if (connection->state > CONNECTION_CONNECTING)
            dialogue_input(connection);
        if (connection->state != CONNECTION_CLOSED)
            connection_lost(connection, evutil_socket_error_to_string(error));
    }
}

static const char *connection_waited_for(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_RESOLVING:
        return "timed out looking up the server's name";
    case CONNECTION_CONNECTING:
        return "timed out connecting";
    case CONNECTION_GREETING:
        return "timed out waiting for the greeting";
    case CONNECTION_EHLO:
    case CONNECTION_HELO:
        return "timed out waiting for the answer to EHLO";
    case CONNECTION_ENVELOPE:
        return connection->envelope.answered == 0 ? "timed out waiting for the answer to MAIL"
                                                  : "timed out waiting for the answer to RCPT";
    case CONNECTION_DATA:
        return "timed out waiting for the answer to DATA";
    case CONNECTION_BODY:
        return "timed out sending the message";
    case CONNECTION_ANSWER:
        return "timed out waiting for the answer to the end of data";
    default:
        return "timed out";
    }
}

static void connection_timed_out(evutil_socket_t fd, short events, void *context)
{
    struct connection *connection = context;

    (void)fd;
    (void)events;
    if (connection->state == CONNECTION_IDLE)
        connection_quit(connection);
    else if (connection->state == CONNECTION_RESET || connection->state == CONNECTION_QUITTING)
        connection_close(connection);
    else
        connection_lost(connection, connection_waited_for(connection));
}

/* "host[address]:port"; a host name too long for it is cut, never the address. */
static void connection_set_name(struct connection *connection, const struct sockaddr *address)
{
    const struct config_route *config = &connection->route->config;
    char text[INET6_ADDRSTRLEN] = "";

    if (address->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                        sizeof(text));
    else
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
                        sizeof(text));
    (void)snprintf(connection->name, sizeof(connection->name), "%.*s[%s]:%u",
                   (int)(sizeof(connection->name) - sizeof(text) - 10), config->host, text,
                   config->port);
}

static void connection_try_address(struct connection *connection)
{
    struct route *route = connection->route;
    const struct evutil_addrinfo *address = connection->address;
    int64_t left = connection->connect_deadline_ns - clock_monotonic_ns();
    int64_t addresses = 0;

    CHECK(address != NULL);
    for (const struct evutil_addrinfo *a = address; a != NULL; a = a->ai_next)
        addresses++;
    connection->state = CONNECTION_CONNECTING;
    connection_set_name(connection, address->ai_addr);
    connection_drop_stream(connection);
    connection->stream = bufferevent_socket_new(route->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->stream == NULL) {
        connection_fail(connection, RELAY_UNREACHABLE, "out of memory");
        return;
    }
    bufferevent_setcb(connection->stream, connection_readable, connection_writable,
                      connection_event, connection);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, CONNECTION_INPUT_BYTES);
    (void)bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
    /* An address that swallows packets must leave time for the next one. */
    connection_set_timeout(connection, left / addresses);
    if (bufferevent_socket_connect(connection->stream, address->ai_addr,
                                   (int)address->ai_addrlen) != 0 &&
        connection->state == CONNECTION_CONNECTING && connection->address == address)
        connection_lost(connection, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}

static void connection_use_addresses(struct connection *connection,
                                     struct evutil_addrinfo *addresses)
{
    unsigned count = 0;

    for (struct evutil_addrinfo *a = addresses; a != NULL; a = a->ai_next) {
        if (++count == CONNECTION_ADDRESSES_MAX && a->ai_next != NULL) {
            evutil_freeaddrinfo(a->ai_next);
            a->ai_next = NULL;
        }
    }
    connection->addresses = addresses;
    connection->address = addresses;
    connection_try_address(connection);
}

static void connection_resolved(int error, struct evutil_addrinfo *addresses, void *context)
{
    struct connection_lookup *lookup = context;
    struct connection *connection = lookup->connection;

    free(lookup);
    if (connection == NULL || error == EVUTIL_EAI_CANCEL) {
        if (addresses != NULL)
            evutil_freeaddrinfo(addresses);
        return;
    }
    connection->lookup = NULL;
    if (error != 0 || addresses == NULL)
        connection_fail(connection, RELAY_UNREACHABLE,
                        error != 0 ? evutil_gai_strerror(error) : "the name has no address");
    else
        connection_use_addresses(connection, addresses);
}

static void connection_resolve(struct connection *connection)
{
    const struct route *route = connection->route;
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_protocol = IPPROTO_TCP,
                                    .ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV};
    struct evutil_addrinfo *addresses = NULL;
    struct connection_lookup *lookup;
    struct evdns_getaddrinfo_request *request;
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", route->config.port);
    if (evutil_getaddrinfo(route->config.host, port, &hints, &addresses) == 0) {
        connection_use_addresses(connection, addresses);
        return;
    }
    hints.ai_flags = EVUTIL_AI_NUMERICSERV;
    lookup = calloc(1, sizeof(*lookup));
    if (lookup == NULL || route->dns == NULL) {
        free(lookup);
        connection_fail(connection, RELAY_UNREACHABLE, "no resolver");
        return;
    }
    lookup->connection = connection;
    connection->lookup = lookup;
    connection_set_timeout(connection, route->config.connect_timeout_ns);
    request = evdns_getaddrinfo(route->dns, route->config.host, port, &hints, connection_resolved,
                                lookup);
    /* Null: the answer was at hand and connection_resolved() has run. */
    if (request != NULL)
        lookup->request = request;
}

struct connection *connection_open(struct route *route, struct transaction *transaction)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return NULL;
    connection->route = route;
    connection->timer = evtimer_new(route->base, connection_timed_out, connection);
    if (connection->timer == NULL) {
        free(connection);
        return NULL;
    }
    connection->state = CONNECTION_RESOLVING;
    connection->transaction = transaction;
    connection->opened_ns = clock_monotonic_ns();
    connection->connect_deadline_ns = connection->opened_ns + route->config.connect_timeout_ns;
    (void)snprintf(connection->name, sizeof(connection->name), "%.*s:%u",
                   (int)(sizeof(connection->name) - 8), route->config.host, route->config.port);
    route_connection_new(route, connection);
    connection_resolve(connection);
    return connection;
}

void connection_begin(struct connection *connection, struct transaction *transaction)
{
    CHECK(connection->state == CONNECTION_IDLE && connection->transaction == NULL);
    connection->transaction = transaction;
    transaction->connect_us = 0;
    dialogue_begin(connection);
}

void connection_rest(struct connection *connection)
{
    connection_set_timeout(connection, connection->route->config.idle_timeout_ns);
}

void connection_quit(struct connection *connection)
{
    CHECK(connection->state == CONNECTION_IDLE);
    connection->state = CONNECTION_QUITTING;
    reply_start(&connection->reply);
    (void)bufferevent_write(connection->stream, "QUIT\r\n", 6);
    connection_set_timeout(connection, CONNECTION_QUIT_NS);
}
