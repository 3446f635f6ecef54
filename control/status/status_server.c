#include "control/status/status_server.h"

#include <errno.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/status/status_object.h"
#include "platform/clock.h"
#include "platform/log/notice.h"

struct status_client {
    struct status_server *server;
    struct bufferevent *stream;
    struct timer timer; /* over all: a client that trickles gets no more time */
};

struct status_server {
    struct loop *loop;
    const struct dataplane *dataplane;
    const struct relay *relay;
    struct evconnlistener *listener;
    struct timer rest; /* until it listens again */
    struct notice_seldom no_descriptor;
    struct feed_view view; /* number 0: nobody has said */
    int64_t started_ns;
    struct status_client clients[STATUS_CLIENTS_MAX];
};

/* -- the socket -------------------------------------------------------------------------------- */

/* True when somebody accepts connections at `address`. */
static bool status_answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered;

    if (fd < 0)
        return false;
    answered =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN;
    close(fd);
    return answered;
}

enum status status_server_listen(const char *runtime_directory, uint32_t gid, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", runtime_directory);
    int saved;

    *fd = -1;
    if (length < 0 || (size_t)length >= sizeof(address.sun_path))
        return STATUS_BAD_ARGUMENT;
    if (status_answered(&address))
        return STATUS_IN_USE;
    if (unlink(address.sun_path) != 0 && errno != ENOENT)
        return STATUS_SYSTEM;
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return STATUS_SYSTEM;
    if (bind(*fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        chmod(address.sun_path, 0660) == 0 &&
        (gid == UINT32_MAX || chown(address.sun_path, (uid_t)-1, gid) == 0) &&
        listen(*fd, STATUS_CLIENTS_MAX) == 0)
        return STATUS_OK;
    saved = errno;
    close(*fd);
    *fd = -1;
    errno = saved;
    return STATUS_SYSTEM;
}

static void status_client_close(struct status_client *client)
{
    if (client->stream != NULL)
        bufferevent_free(client->stream);
    loop_clear(client->server->loop, &client->timer);
    *client = (struct status_client){0};
}

static void status_client_event(struct bufferevent *stream, short events, void *context)
{
    (void)stream;
    if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        status_client_close(context);
}

static void status_client_expired(void *context, int64_t now_ns)
{
    (void)now_ns;
    status_client_close(context);
}

/* All is sent: says so, and waits for the client to go. Closing now could turn a request that is
 * still unread into a reset of what the client has yet to read. */
static void status_client_sent(struct bufferevent *stream, void *context)
{
    (void)context;
    (void)shutdown(bufferevent_getfd(stream), SHUT_WR);
}

static void status_client_heard(struct bufferevent *stream, void *context)
{
    struct evbuffer *input = bufferevent_get_input(stream);

    (void)context;
    (void)evbuffer_drain(input, evbuffer_get_length(input));
}

static void status_accepted(struct evconnlistener *listener, evutil_socket_t fd,
                            struct sockaddr *address, int length, void *context)
{
    struct status_server *server = context;
    struct status_client *client = NULL;
    int64_t now_ns = loop_now_ns(server->loop);
    char *text;

    (void)listener;
    (void)address;
    (void)length;
    for (unsigned i = 0; i < STATUS_CLIENTS_MAX && client == NULL; i++) {
        if (server->clients[i].server == NULL)
            client = &server->clients[i];
    }
    if (client == NULL) {
        close(fd);
        return;
    }
    client->server = server;
    client->stream = bufferevent_socket_new(server->loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (client->stream == NULL)
        close(fd);
    timer_init(&client->timer, status_client_expired, client);
    loop_set(server->loop, &client->timer, now_ns + STATUS_CLIENT_SECONDS * CLOCK_NS_PER_SECOND,
             now_ns);
    text = status_object_text(server->dataplane, server->relay, &server->view,
                              (double)(now_ns - server->started_ns) / (double)CLOCK_NS_PER_SECOND);
    if (client->stream == NULL || text == NULL) {
        free(text);
        status_client_close(client);
        return;
    }
    bufferevent_setcb(client->stream, status_client_heard, status_client_sent, status_client_event,
                      client);
    bufferevent_setwatermark(client->stream, EV_READ, 0, STATUS_CLIENT_BYTES);
    (void)bufferevent_write(client->stream, text, strlen(text));
    (void)bufferevent_write(client->stream, "\n", 1);
    (void)bufferevent_enable(client->stream, EV_READ | EV_WRITE);
    free(text);
}

static void status_rested(void *context, int64_t now_ns)
{
    struct status_server *server = context;

    (void)now_ns;
    (void)evconnlistener_enable(server->listener);
}

/* accept() failed: for want of descriptors or memory, as a rule. To ask again at once would be to
 * turn in circles. */
static void status_refused(struct evconnlistener *listener, void *context)
{
    struct status_server *server = context;
    int error = EVUTIL_SOCKET_ERROR();
    int64_t now_ns = loop_now_ns(server->loop);

    notice_seldom(&server->no_descriptor, now_ns, "control.sock cannot take a client: %s",
                  evutil_socket_error_to_string(error));
    (void)evconnlistener_disable(listener);
    loop_set(server->loop, &server->rest, now_ns + STATUS_REST_SECONDS * CLOCK_NS_PER_SECOND,
             now_ns);
}

enum status status_server_create(struct status_server **server, struct loop *loop, int fd,
                                 const struct dataplane *dataplane, const struct relay *relay)
{
    struct status_server *made = calloc(1, sizeof(*made));

    *server = NULL;
    if (made == NULL) {
        close(fd);
        return STATUS_NO_MEMORY;
    }
    made->loop = loop;
    made->dataplane = dataplane;
    made->relay = relay;
    made->started_ns = loop_now_ns(loop);
    timer_init(&made->rest, status_rested, made);
    made->listener = evconnlistener_new(loop->base, status_accepted, made,
                                        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (made->listener == NULL) {
        close(fd);
        free(made);
        return STATUS_NO_MEMORY;
    }
    evconnlistener_set_error_cb(made->listener, status_refused);
    *server = made;
    return STATUS_OK;
}

void status_server_show(struct status_server *server, const struct feed_view *view)
{
    server->view = *view;
}

void status_server_free(struct status_server *server)
{
    if (server == NULL)
        return;
    evconnlistener_free(server->listener);
    loop_clear(server->loop, &server->rest);
    for (unsigned i = 0; i < STATUS_CLIENTS_MAX; i++) {
        if (server->clients[i].server != NULL)
            status_client_close(&server->clients[i]);
    }
    free(server);
}
