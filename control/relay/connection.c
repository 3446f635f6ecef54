#include "control/relay/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/clock.h"

static void connection_try_address(struct connection *connection, int64_t now_ns);

void connection_set_timeout(struct connection *connection, int64_t due_ns, int64_t now_ns)
{
    CHECK(connection->state != CONNECTION_CLOSED);
    loop_set(connection->loop, &connection->timer, due_ns, now_ns);
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
    connection->state = CONNECTION_CLOSED;
    connection_drop_stream(connection);
    loop_clear(connection->loop, &connection->timer);
    if (connection->lookup != NULL)
        resolver_cancel(connection->lookup);
    connection->lookup = NULL;
}

void connection_cut(struct connection *connection)
{
    const struct linger at_once = {.l_onoff = 1};

    if (connection->state == CONNECTION_OPEN)
        (void)setsockopt(bufferevent_getfd(connection->stream), SOL_SOCKET, SO_LINGER, &at_once,
                         sizeof(at_once));
    connection_close(connection);
}

void connection_send(struct connection *connection, const char *text)
{
    CHECK(connection->state == CONNECTION_OPEN);
    (void)bufferevent_write(connection->stream, text, strlen(text));
}

bool connection_send_at_once(struct connection *connection, const char *text)
{
    size_t length = strlen(text);
    ssize_t sent;

    CHECK(connection->state == CONNECTION_OPEN);
    CHECK(evbuffer_get_length(connection_output(connection)) == 0);
    sent = send(bufferevent_getfd(connection->stream), text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    if (sent < (ssize_t)length)
        connection_send(connection, text + (sent > 0 ? sent : 0));
    return true;
}

struct evbuffer *connection_output(const struct connection *connection)
{
    CHECK(connection->stream != NULL);
    return bufferevent_get_output(connection->stream);
}

struct evbuffer *connection_input(const struct connection *connection)
{
    CHECK(connection->stream != NULL);
    return bufferevent_get_input(connection->stream);
}

void connection_refill_below(struct connection *connection, size_t bytes)
{
    bufferevent_setwatermark(connection->stream, EV_WRITE, bytes, 0);
}

bool connection_silent(const struct connection *connection)
{
    int waiting = 0;

    return evbuffer_get_length(connection_input(connection)) == 0 &&
           (ioctl(bufferevent_getfd(connection->stream), SIOCINQ, &waiting) != 0 || waiting == 0);
}

bool connection_acknowledged(const struct connection *connection)
{
    int unacknowledged = 0;

    return evbuffer_get_length(connection_output(connection)) == 0 &&
           (ioctl(bufferevent_getfd(connection->stream), SIOCOUTQ, &unacknowledged) != 0 ||
            unacknowledged == 0);
}

/* -- events ------------------------------------------------------------------------------------ */

static void connection_readable(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;

    (void)stream;
    connection->events->input(connection->context, loop_now_ns(connection->loop));
}

static void connection_writable(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;

    (void)stream;
    if (connection->state == CONNECTION_OPEN)
        connection->events->drained(connection->context, loop_now_ns(connection->loop));
}

static void connection_lose(struct connection *connection, enum connection_fault fault,
                            const char *why, int64_t now_ns)
{
    if (connection->state == CONNECTION_CONNECTING && fault == CONNECTION_FAULT_PEER &&
        connection->address + 1 < connection->addresses.count) {
        connection->address++;
        connection_try_address(connection, now_ns);
        return;
    }
    connection->events->lost(connection->context, fault, why, now_ns);
}

static void connection_established(struct connection *connection, int64_t now_ns)
{
    evutil_socket_t socket = bufferevent_getfd(connection->stream);
    int on = 1;

    (void)setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    connection->state = CONNECTION_OPEN;
    connection->connect_us = (uint32_t)((now_ns - connection->opened_ns) / CLOCK_NS_PER_US);
    connection->events->connected(connection->context, now_ns);
}

static void connection_event(struct bufferevent *stream, short events, void *context)
{
    struct connection *connection = context;
    int error = EVUTIL_SOCKET_ERROR();
    int64_t now_ns = loop_now_ns(connection->loop);

    (void)stream;
    if (events & BEV_EVENT_CONNECTED) {
        connection_established(connection, now_ns);
        return;
    }
    if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
        return;
    /* What came before the end still counts: a server that refuses and closes has refused. */
    if (connection->state == CONNECTION_OPEN)
        connection->events->input(connection->context, now_ns);
    if (connection->state != CONNECTION_CLOSED)
        connection_lose(connection, CONNECTION_FAULT_PEER,
                        events & BEV_EVENT_EOF ? "connection closed by the server"
                                               : evutil_socket_error_to_string(error),
                        now_ns);
}

static void connection_expired(void *context, int64_t now_ns)
{
    struct connection *connection = context;

    switch (connection->state) {
    case CONNECTION_RESOLVING:
        connection_lose(connection, CONNECTION_FAULT_PEER, "timed out looking up the server's name",
                        now_ns);
        return;
    case CONNECTION_CONNECTING:
        connection_lose(connection, CONNECTION_FAULT_PEER, "timed out connecting", now_ns);
        return;
    default:
        connection->events->timed_out(connection->context, now_ns);
    }
}

/* -- connecting -------------------------------------------------------------------------------- */

/* "host[address]:port"; a host name too long for it is cut, never the address. */
static void connection_set_name(struct connection *connection,
                                const union resolver_address *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address->any.sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof(text));
    else
        (void)inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
    (void)snprintf(connection->name, sizeof(connection->name), "%.*s[%s]:%u",
                   (int)(sizeof(connection->name) - sizeof(text) - 10), connection->host, text,
                   connection->port);
}

/* A stream on a socket of its own; null (and errno) when there is none to be had. */
static struct bufferevent *connection_stream(struct connection *connection, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct bufferevent *stream;

    if (fd < 0)
        return NULL;
    stream = bufferevent_socket_new(connection->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (stream == NULL) {
        close(fd);
        errno = ENOMEM;
    }
    return stream;
}

static void connection_try_address(struct connection *connection, int64_t now_ns)
{
    unsigned at = connection->address;
    const union resolver_address *address = &connection->addresses.addresses[at];
    int64_t left_ns = connection->connect_end_ns - now_ns;

    CHECK(at < connection->addresses.count);
    connection->state = CONNECTION_CONNECTING;
    connection_set_name(connection, address);
    connection_drop_stream(connection);
    connection->stream = connection_stream(connection, address->any.sa_family);
    if (connection->stream == NULL) {
        connection_lose(connection,
                        errno == EAFNOSUPPORT ? CONNECTION_FAULT_PEER : CONNECTION_FAULT_OURS,
                        strerror(errno), now_ns);
        return;
    }
    bufferevent_setcb(connection->stream, connection_readable, connection_writable,
                      connection_event, connection);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, CONNECTION_INPUT_BYTES);
    (void)bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
    /* An address that swallows packets must leave time for the next one. */
    connection_set_timeout(connection, now_ns + left_ns / (connection->addresses.count - at),
                           now_ns);
    if (bufferevent_socket_connect(connection->stream, &address->any,
                                   (int)resolver_address_length(address)) != 0 &&
        connection->state == CONNECTION_CONNECTING && connection->address == at)
        connection_lose(connection, CONNECTION_FAULT_PEER,
                        evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()), now_ns);
}

static void connection_resolved(void *context, const struct resolver_answer *answer)
{
    struct connection *connection = context;
    int64_t now_ns = loop_now_ns(connection->loop);

    CHECK(connection->state == CONNECTION_RESOLVING);
    connection->lookup = NULL;
    if (answer->count == 0) {
        connection_lose(connection, CONNECTION_FAULT_PEER, answer->why, now_ns);
        return;
    }
    connection->addresses = *answer;
    connection_try_address(connection, now_ns);
}

void connection_open(struct connection *connection, struct loop *loop, struct resolver *resolver,
                     const char *host, uint16_t port, int64_t connect_timeout_ns,
                     const struct connection_events *events, void *context, int64_t now_ns)
{
    struct resolver_lookup *lookup;

    *connection = (struct connection){.loop = loop,
                                      .resolver = resolver,
                                      .events = events,
                                      .context = context,
                                      .state = CONNECTION_RESOLVING,
                                      .host = host,
                                      .port = port,
                                      .opened_ns = now_ns,
                                      .connect_end_ns = now_ns + connect_timeout_ns};
    timer_init(&connection->timer, connection_expired, connection);
    (void)snprintf(connection->name, sizeof(connection->name), "%.*s:%u",
                   (int)(sizeof(connection->name) - 8), host, port);
    if (resolver_numeric(host, port, &connection->addresses)) {
        connection_try_address(connection, now_ns);
        return;
    }
    connection_set_timeout(connection, connection->connect_end_ns, now_ns);
    lookup = resolver_start(resolver, host, port, connection_resolved, connection);
    /* Null: connection_resolved() has run, and who knows what became of the connection. */
    if (lookup != NULL)
        connection->lookup = lookup;
}
