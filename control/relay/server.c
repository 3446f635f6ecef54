#include "control/relay/server.h"

#include <stdio.h>
#include <string.h>

#include "platform/check.h"

void server_init(struct server *server, const char *host, uint16_t port)
{
    *server = (struct server){.port = port};
    (void)snprintf(server->host, sizeof(server->host), "%s", host);
}

unsigned server_take_all(struct server *servers, const struct config_route *config)
{
    CHECK(config->server_count > 0 && config->server_count <= CONFIG_SERVERS_MAX);
    for (unsigned i = 0; i < config->server_count; i++)
        server_init(&servers[i], config->servers[i].host, config->servers[i].port);
    return config->server_count;
}

bool server_same_all(const struct server *servers, unsigned count,
                     const struct config_route *config)
{
    if (count != config->server_count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(servers[i].host, config->servers[i].host) != 0 ||
            servers[i].port != config->servers[i].port)
            return false;
    }
    return true;
}

bool server_usable(const struct server *server, int64_t now_ns)
{
    return !server->down || (!server->being_tried && now_ns >= server->retry_ns);
}

int server_choose(const struct server *servers, unsigned count, uint32_t tried, int64_t now_ns)
{
    for (unsigned i = 0; i < count; i++) {
        if ((tried & UINT32_C(1) << i) == 0 && server_usable(&servers[i], now_ns))
            return (int)i;
    }
    return -1;
}

int64_t server_next_retry_ns(const struct server *servers, unsigned count)
{
    int64_t due_ns = INT64_MAX;

    for (unsigned i = 0; i < count; i++) {
        if (servers[i].down && !servers[i].being_tried && servers[i].retry_ns < due_ns)
            due_ns = servers[i].retry_ns;
    }
    return due_ns;
}

bool server_try(struct server *server)
{
    CHECK(!server->down || !server->being_tried);
    server->being_tried = server->down;
    return server->being_tried;
}

bool server_found(struct server *server, int64_t now_ns)
{
    if (!server->down)
        return false;
    server->down = false;
    server->being_tried = false;
    server->earlier = server->failures;
    server->failures = 0;
    server->found_ns = now_ns;
    return true;
}

bool server_failed(struct server *server, bool trial, int64_t now_ns)
{
    bool was_up = !server->down;
    int64_t wait_ns = SERVER_RETRY_MIN_NS;

    if (!was_up && !(trial && server->being_tried))
        return false; /* an attempt from before it was found to be down */
    if (was_up) {
        server->down_since_ns = now_ns;
        server->failures = now_ns - server->found_ns < SERVER_RETRY_MAX_NS ? server->earlier : 0;
    }
    for (unsigned i = 0; i < server->failures && wait_ns < SERVER_RETRY_MAX_NS; i++)
        wait_ns *= 2;
    server->failures++;
    server->down = true;
    server->being_tried = false;
    server->retry_ns = now_ns + (wait_ns < SERVER_RETRY_MAX_NS ? wait_ns : SERVER_RETRY_MAX_NS);
    CHECK(server->retry_ns > now_ns);
    return was_up;
}

void server_untried(struct server *server)
{
    CHECK(server->down || !server->being_tried);
    server->being_tried = false;
}
