#include "dataplane/tcp/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/tcp/connection.h"
#include "platform/check.h"

static uint32_t endpoint_buckets(uint32_t connections)
{
    uint32_t buckets = 64;

    while (buckets < connections)
        buckets *= 2;
    return buckets;
}

static bool endpoint_allocate(struct tcp_endpoint *endpoint)
{
    uint32_t buckets = endpoint_buckets(endpoint->limits.connections);
    uint32_t sets = 1;

    while (sets * TCP_HALF_OPEN_WAYS < endpoint->limits.half_open)
        sets *= 2;
    endpoint->half_open_mask = sets - 1;
    endpoint->half_open = calloc((size_t)sets * TCP_HALF_OPEN_WAYS, sizeof(*endpoint->half_open));
    endpoint->table_mask = buckets - 1;
    endpoint->connections = calloc(endpoint->limits.connections, endpoint->stride);
    endpoint->table = malloc(buckets * sizeof(*endpoint->table));
    if (endpoint->connections == NULL || endpoint->table == NULL || endpoint->half_open == NULL ||
        !tcp_clients_create(&endpoint->clients, endpoint->limits.connections,
                            &endpoint->limits.clients, &endpoint->secret))
        return false;
    memset(endpoint->table, 0xff, buckets * sizeof(*endpoint->table));
    for (uint32_t i = 0; i < endpoint->limits.connections; i++) {
        uint32_t next = i + 1 < endpoint->limits.connections ? i + 1 : TCP_NONE;

        tcp_at(endpoint, i)->index = i;
        tcp_at(endpoint, i)->table_next = next;
    }
    return true;
}

/* Of the listener that needs most: any connection may become any listener's. */
static size_t endpoint_session_bytes(const struct tcp_listeners *listeners)
{
    size_t most = 0;

    for (uint32_t i = 0; i < listeners->count; i++) {
        if (listeners->at[i].application->session_bytes > most)
            most = listeners->at[i].application->session_bytes;
    }
    return most;
}

enum status tcp_endpoint_create(struct tcp_endpoint *endpoint, struct store *store,
                                struct region_counters *counters, struct packet_output *output,
                                const struct tcp_listeners *listeners,
                                const struct tcp_limits *limits, const struct siphash_key *secret,
                                int64_t now_ns)
{
    CHECK(limits->connections > 0 && limits->connections < TCP_NONE);
    CHECK(limits->window_bytes >= MESSAGE_BLOCK_BYTES && limits->window_bytes <= TCP_WINDOW_MAX);
    *endpoint = (struct tcp_endpoint){
        .store = store,
        .counters = counters,
        .output = output,
        .listeners = *listeners,
        .limits = *limits,
        .secret = *secret,
        .holders = {TCP_NONE, TCP_NONE, 0},
        .time_wait = {TCP_NONE, TCP_NONE, 0},
        .dirty = TCP_NONE,
        .dirty_last = TCP_NONE,
        .cookie_ns = now_ns - 2 * TCP_COOKIE_PERIOD_NS,
        .now_ns = now_ns,
        .tick = (uint64_t)now_ns >> TCP_TICK_SHIFT,
        .stride =
            (sizeof(struct tcp_connection) + endpoint_session_bytes(listeners) + 63) & ~(size_t)63,
    };
    /* Independent of the first: what we show of it (initial sequence numbers) must not help anybody
     * to choose connections that meet in one place of a table. */
    for (uint64_t i = 0; i < 2; i++)
        endpoint->handshake_secret.words[i] = siphash(secret, &i, sizeof(i));
    memset(endpoint->wheel, 0xff, sizeof(endpoint->wheel));
    if (!endpoint_allocate(endpoint)) {
        tcp_endpoint_destroy(endpoint, now_ns);
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

void tcp_endpoint_destroy(struct tcp_endpoint *endpoint, int64_t now_ns)
{
    for (uint32_t i = 0; endpoint->connections != NULL && i < endpoint->limits.connections; i++) {
        struct tcp_connection *c = tcp_at(endpoint, i);

        if (c->state == TCP_STATE_FREE)
            continue;
        tcp_kill(c, TCP_CLOSED_ABORTED);
        tcp_settle(c, now_ns);
    }
    free(endpoint->connections);
    tcp_clients_destroy(&endpoint->clients);
    free(endpoint->table);
    free(endpoint->half_open);
    endpoint->connections = NULL;
    endpoint->table = NULL;
    endpoint->half_open = NULL;
}

/* One whose application sets no deadline is waiting for us (a verdict), not we for it; or we have
 * closed it, and it only has to take our last words. */
static bool endpoint_evictable(const struct tcp_connection *c)
{
    return c->state != TCP_STATE_FREE && !c->dying &&
           (c->deadline_ns[TCP_TIMER_APPLICATION] != 0 || c->fin_queued);
}

static bool endpoint_silent(const struct tcp_endpoint *endpoint, const struct tcp_connection *c)
{
    return endpoint_evictable(c) && c->active_ns <= endpoint->now_ns - TCP_EVICT_IDLE_NS;
}

/* Forgets who is silent no longer. */
static void endpoint_silent_prune(struct tcp_endpoint *endpoint)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < endpoint->silent_count; i++) {
        if (endpoint_silent(endpoint, tcp_at(endpoint, endpoint->silent[i])))
            endpoint->silent[kept++] = endpoint->silent[i];
    }
    endpoint->silent_count = kept;
}

static void endpoint_silent_keep(struct tcp_endpoint *endpoint, uint32_t index)
{
    for (uint32_t i = 0; i < endpoint->silent_count; i++) {
        if (endpoint->silent[i] == index)
            return;
    }
    endpoint->silent[endpoint->silent_count++] = index;
}

static void endpoint_look(struct tcp_endpoint *endpoint, uint32_t places)
{
    endpoint_silent_prune(endpoint);
    for (uint32_t i = 0; i < places && endpoint->silent_count < TCP_SILENT_KEPT; i++) {
        uint32_t index = endpoint->silent_cursor;

        endpoint->silent_cursor = (index + 1) % endpoint->limits.connections;
        if (endpoint_silent(endpoint, tcp_at(endpoint, index)))
            endpoint_silent_keep(endpoint, index);
    }
}

void tcp_silent_look(struct tcp_endpoint *endpoint)
{
    uint32_t connections = endpoint->limits.connections;
    uint32_t places = connections / TCP_SILENT_ROUND + 1;

    if (connections - endpoint->connection_count < connections / TCP_SILENT_FROM)
        endpoint_look(endpoint, places < TCP_SILENT_LOOK ? places : TCP_SILENT_LOOK);
}

/* Of those known to be silent the one that has been so longest. */
static struct tcp_connection *endpoint_idlest(struct tcp_endpoint *endpoint)
{
    struct tcp_connection *idlest = NULL;

    endpoint_look(endpoint, TCP_SILENT_KEPT);
    for (uint32_t i = 0; i < endpoint->silent_count; i++) {
        struct tcp_connection *c = tcp_at(endpoint, endpoint->silent[i]);

        if (idlest == NULL || c->active_ns < idlest->active_ns)
            idlest = c;
    }
    return idlest;
}

static bool endpoint_evict(struct tcp_endpoint *endpoint, struct tcp_connection *victim)
{
    if (victim == NULL)
        return false;
    if (!victim->dying)
        tcp_send_reset(victim, endpoint->now_ns);
    tcp_kill(victim, TCP_CLOSED_EVICTED);
    tcp_settle(victim, endpoint->now_ns);
    return true;
}

bool tcp_evict_holder(struct tcp_endpoint *endpoint, const struct tcp_connection *spared)
{
    uint32_t now_ms = (uint32_t)(endpoint->now_ns / CLOCK_NS_PER_MS);
    struct tcp_connection *oldest = tcp_holder_oldest(endpoint, spared);

    /* How often it adds a byte to it does not matter. */
    if (oldest != NULL && !oldest->dying && now_ms - oldest->held_ms < TCP_EVICT_HOLDING_MS)
        return false;
    return endpoint_evict(endpoint, oldest);
}

/* The table is full. What costs least to lose makes room: the oldest in TIME-WAIT (RFC 6191 gives
 * the same licence), then a connection that has long been silent; else the newcomer is refused. */
static bool endpoint_make_room(struct tcp_endpoint *endpoint)
{
    struct tcp_connection *oldest;

    if (endpoint->free_connection != TCP_NONE)
        return true;
    if (endpoint->time_wait.oldest == TCP_NONE)
        return endpoint_evict(endpoint, endpoint_idlest(endpoint));
    oldest = tcp_at(endpoint, endpoint->time_wait.oldest);
    tcp_kill(oldest, TCP_CLOSED_NORMAL);
    tcp_settle(oldest, endpoint->now_ns);
    return true;
}

static uint32_t endpoint_initial_window(uint32_t mss)
{
    uint32_t most = 2 * mss > TCP_INITIAL_BYTES ? 2 * mss : TCP_INITIAL_BYTES;

    return TCP_INITIAL_WINDOW * mss < most ? TCP_INITIAL_WINDOW * mss : most;
}

static void endpoint_start(struct tcp_connection *c, const struct tcp_half_open *entry)
{
    c->listener = entry->listener;
    c->key = entry->key;
    c->hash = entry->hash;
    c->path = entry->path;
    c->active_ns = c->endpoint->now_ns;
    c->state = TCP_STATE_ESTABLISHED;
    c->scaling = entry->agreed.scaling;
    c->receive_scale = c->scaling ? TCP_RECEIVE_SCALE : 0;
    c->send_scale = entry->agreed.send_scale;
    c->sack = entry->agreed.sack;
    c->timestamps = entry->agreed.timestamps;
    c->timestamp_recent = entry->timestamp_recent;
    c->timestamp_offset = entry->timestamp_offset;
    c->mss = entry->agreed.mss;
    c->receive_next = entry->peer_seq + 1;
    c->last_ack_sent = c->receive_next;
    c->read_seq = c->receive_next;
    c->promised_edge = c->receive_next + TCP_COMMAND_WINDOW;
    c->advertised_edge = c->promised_edge;
    c->expect = TCP_EXPECT_COMMANDS;
    c->quick_acks = TCP_QUICK_ACKS;
    c->send_una = entry->own_seq + 1;
    c->send_next = c->send_una;
    c->send_max = c->send_una;
    c->send_base = c->send_una;
    c->send_place = MESSAGE_BLOCK_NONE;
    c->wheel_slot = TCP_NONE;
    c->slow_start_threshold = UINT32_MAX;
    /* RFC 6298 5.7: a lost SYN-ACK leaves us with 3 s and one segment until we know better. */
    c->congestion_window = entry->retries > 0 ? c->mss : endpoint_initial_window(c->mss);
    c->rto_ns = entry->retries > 0 ? 3 * TCP_RTO_INITIAL_NS : TCP_RTO_INITIAL_NS;
}

struct tcp_connection *tcp_connection_new(struct tcp_endpoint *endpoint,
                                          const struct tcp_half_open *entry)
{
    struct tcp_connection *c;
    uint32_t index;
    uint32_t generation;
    struct tcp_client_place client;

    if (!endpoint_make_room(endpoint))
        return NULL;
    if (tcp_clients_enter(&endpoint->clients, entry->key.remote_address, &client,
                          endpoint->now_ns) != TCP_CLIENT_WELCOME)
        return NULL;
    index = endpoint->free_connection;
    c = tcp_at(endpoint, index);
    endpoint->free_connection = c->table_next;
    generation = c->generation + 1 != 0 ? c->generation + 1 : 1;
    memset(c, 0, endpoint->stride);
    c->endpoint = endpoint;
    c->index = index;
    c->generation = generation;
    c->client = client;
    endpoint_start(c, entry);
    tcp_table_insert(endpoint, c);
    endpoint->connection_count++;
    count(endpoint->counters, COUNTER_CONNECTIONS_OPENED);
    count_set(endpoint->counters, COUNTER_CONNECTIONS_OPEN, endpoint->connection_count);
    return c;
}

void tcp_kill(struct tcp_connection *connection, enum tcp_close_reason reason)
{
    if (connection->dying)
        return;
    connection->dying = true;
    connection->close_reason = (uint8_t)reason;
    tcp_mark_dirty(connection);
}

static void endpoint_count_close(struct tcp_endpoint *endpoint, enum tcp_close_reason reason)
{
    static const enum counter counters[] = {
        [TCP_CLOSED_NORMAL] = COUNTER_CLOSED_NORMAL,
        [TCP_CLOSED_RESET] = COUNTER_CLOSED_RESET,
        [TCP_CLOSED_TIMEOUT] = COUNTER_CLOSED_TIMEOUT,
        [TCP_CLOSED_ABORTED] = COUNTER_CLOSED_ABORTED,
        [TCP_CLOSED_EVICTED] = COUNTER_CLOSED_EVICTED,
    };

    count(endpoint->counters, counters[reason]);
}

void tcp_settle(struct tcp_connection *connection, int64_t now_ns)
{
    struct tcp_endpoint *endpoint = connection->endpoint;

    if (!connection->dying || connection->state == TCP_STATE_FREE)
        return;
    if (connection->opened) {
        const struct tcp_application *application = tcp_above(connection);

        connection->opened = false;
        application->closed(application->context, connection,
                            (enum tcp_close_reason)connection->close_reason, now_ns);
    }
    if (connection->state == TCP_STATE_TIME_WAIT)
        tcp_age_remove(endpoint, &endpoint->time_wait, connection);
    tcp_unmark_dirty(connection);
    tcp_wheel_remove(connection);
    tcp_receive_release(connection);
    if (connection->state != TCP_STATE_TIME_WAIT)
        tcp_clients_leave(&endpoint->clients, &connection->client);
    if (connection->send_place != MESSAGE_BLOCK_NONE)
        tcp_send_release(connection);
    tcp_table_remove(endpoint, connection);
    endpoint_count_close(endpoint, (enum tcp_close_reason)connection->close_reason);
    connection->state = TCP_STATE_FREE;
    connection->generation++; /* handles to it are stale from here on */
    endpoint->connection_count--;
    count_set(endpoint->counters, COUNTER_CONNECTIONS_OPEN, endpoint->connection_count);
    connection->table_next = endpoint->free_connection;
    endpoint->free_connection = connection->index;
}
