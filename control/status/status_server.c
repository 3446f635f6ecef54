#include "control/status/status_server.h"

#include <errno.h>
#include <event2/listener.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

/* -- the object -------------------------------------------------------------------------------- */

static json_t *status_worker(const struct region *region, uint32_t worker)
{
    json_t *object = json_object();

    (void)json_object_set_new(object, "worker", json_integer(worker));
    for (unsigned c = 0; c < COUNTER_COUNT; c++)
        (void)json_object_set_new(object, counter_name(c),
                                  json_integer((json_int_t)region_counter(region, worker, c)));
    return object;
}

/* Of all workers together. */
static json_t *status_histogram(const struct region *region, uint32_t worker_count,
                                enum histogram histogram)
{
    json_t *object = json_object();
    json_t *bounds = json_array();
    json_t *counts = json_array();
    double seconds = 0;
    uint64_t all = 0;

    for (uint32_t w = 0; w < worker_count; w++)
        seconds += (double)region_cell(&region_counters(region, w)->times[histogram].sum_ns) /
                   (double)CLOCK_NS_PER_SECOND;
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        uint64_t count = 0;

        for (uint32_t w = 0; w < worker_count; w++)
            count += region_cell(&region_counters(region, w)->times[histogram].count[b]);
        (void)json_array_append_new(counts, json_integer((json_int_t)count));
        if (b < HISTOGRAM_BUCKETS - 1)
            (void)json_array_append_new(
                bounds, json_real((double)histogram_bounds_ns[b] / (double)CLOCK_NS_PER_SECOND));
        all += count;
    }
    (void)json_object_set_new(object, "unit", json_string("seconds"));
    (void)json_object_set_new(object, "count", json_integer((json_int_t)all));
    (void)json_object_set_new(object, "sum", json_real(seconds));
    (void)json_object_set_new(object, "bounds", bounds);
    (void)json_object_set_new(object, "counts", counts);
    return object;
}

static json_t *status_histograms(const struct region *region, uint32_t worker_count)
{
    json_t *object = json_object();

    for (unsigned h = 0; h < HISTOGRAM_COUNT; h++)
        (void)json_object_set_new(object, histogram_about(h)->name,
                                  status_histogram(region, worker_count, h));
    return object;
}

static void status_add_counters(json_t *to, const struct region *region, uint32_t worker_count)
{
    json_t *counters = json_object();
    json_t *gauges = json_object();
    json_t *workers = json_array();
    json_t *sums = json_object();

    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        uint64_t all = 0;

        for (uint32_t w = 0; w < worker_count; w++) {
            uint64_t value = region_counter(region, w, c);

            all = w == 0 ? value : counter_over(c, all, value);
        }
        (void)json_object_set_new(counters, counter_name(c), json_integer((json_int_t)all));
        if (counter_about(c)->kind == COUNTER_KIND_GAUGE)
            (void)json_object_set_new(gauges, counter_name(c), json_integer((json_int_t)all));
    }
    for (uint32_t w = 0; w < worker_count; w++)
        (void)json_array_append_new(workers, status_worker(region, w));
    for (const struct counter_sum *sum = counter_sums; sum->what != NULL; sum++)
        (void)json_object_set_new(sums, sum->what, json_pack("[s, s]", sum->left, sum->right));
    (void)json_object_set_new(to, "counters", counters);
    (void)json_object_set_new(to, "gauges", gauges);
    (void)json_object_set_new(to, "histograms", status_histograms(region, worker_count));
    (void)json_object_set_new(to, "workers", workers);
    (void)json_object_set_new(to, "sums", sums);
}

static json_t *status_dataplane(const struct dataplane *dataplane)
{
    bool linked = dataplane->state == DATAPLANE_LINKED;
    json_t *object = json_object();

    (void)json_object_set_new(object, "linked", json_boolean(linked));
    if (linked) {
        const struct region_header *header = &dataplane->hold->region.header;

        (void)json_object_set_new(
            object, "started",
            json_integer((json_int_t)(header->started_wall_ns / CLOCK_NS_PER_SECOND)));
        (void)json_object_set_new(object, "hugepages", json_boolean(header->hugepages == 1));
        (void)json_object_set_new(object, "jobs_refused",
                                  json_integer((json_int_t)dataplane->refused));
        (void)json_object_set_new(object, "workers", json_integer(header->worker_count));
    }
    return object;
}

static json_t *status_servers(const struct route *route)
{
    json_t *servers = json_array();

    for (unsigned i = 0; i < route->server_count; i++) {
        const struct server *server = &route->servers[i];

        (void)json_array_append_new(servers,
                                    json_pack("{s:s, s:i, s:b, s:i}", "host", server->host, "port",
                                              (int)server->port, "down", (int)server->down,
                                              "failures", (int)server->failures));
    }
    return servers;
}

static json_t *status_route(const struct route *route)
{
    const struct server *first = &route->servers[0];
    const struct route_counts *counts = &route->counts;
    json_t *object = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:b, s:s}", "customer",
                               route->customer, "host", first->host, "port", (int)first->port,
                               "connections_open", (int)route->connection_count, "in_flight",
                               (int)route_in_flight(route), "waiting", (int)route->waiting.count,
                               "down", (int)route_down(route), "last_error", route->last_error);
    const struct {
        const char *name;
        uint64_t value;
    } values[] = {
        {"delivered", counts->delivered}, {"temporary", counts->temporary},
        {"permanent", counts->permanent}, {"unreachable", counts->unreachable},
        {"refused", counts->refused},     {"in_doubt", counts->in_doubt},
        {"about_us", counts->about_us},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        (void)json_object_set_new(object, values[i].name,
                                  json_integer((json_int_t)values[i].value));
    (void)json_object_set_new(object, "servers", status_servers(route));
    return object;
}

static void status_add_configuration(json_t *to, const struct feed_view *view)
{
    json_t *programs = json_array();
    char digest[20];

    (void)snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)view->digest);
    for (uint32_t i = 0; i < view->count; i++) {
        const struct feed_line *line = &view->lines[i];

        (void)json_array_append_new(
            programs, json_pack("{s:s, s:I, s:I, s:I, s:s}", "program", line->name, "configuration",
                                (json_int_t)line->answer.number, "oldest_in_use",
                                (json_int_t)line->answer.oldest, "refused",
                                (json_int_t)line->answer.refused, "why", line->answer.why));
    }
    (void)json_object_set_new(
        to, "configuration",
        json_pack("{s:I, s:s}", "number", (json_int_t)view->number, "digest", digest));
    (void)json_object_set_new(to, "programs", programs);
}

/* The object as text, to be freed. Null when out of memory. */
static char *status_text_of(const struct dataplane *dataplane, const struct relay *relay,
                            const struct feed_view *view, double uptime_seconds)
{
    json_t *object = json_object();
    json_t *routes = json_array();
    char *text;

    (void)json_object_set_new(object, "version", json_string(POSTERN_VERSION));
    (void)json_object_set_new(object, "uptime", json_real(uptime_seconds));
    (void)json_object_set_new(object, "dataplane", status_dataplane(dataplane));
    if (dataplane->state == DATAPLANE_LINKED)
        status_add_counters(object, &dataplane->hold->region, dataplane->worker_count);
    for (const struct route *r = relay->routes; r != NULL; r = r->next)
        (void)json_array_append_new(routes, status_route(r));
    (void)json_object_set_new(object, "routes", routes);
    if (view->number != 0)
        status_add_configuration(object, view);
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

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
    text = status_text_of(server->dataplane, server->relay, &server->view,
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
