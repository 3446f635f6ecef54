#include <string.h>

#include "dataplane/tcp/connection.h"
#include "platform/check.h"

static uint32_t *table_bucket(struct tcp_endpoint *endpoint, const struct tcp_key *key)
{
    return &endpoint->table[siphash(&endpoint->secret, key, sizeof(*key)) & endpoint->table_mask];
}

struct tcp_connection *tcp_table_find(struct tcp_endpoint *endpoint, const struct tcp_key *key)
{
    uint32_t index = *table_bucket(endpoint, key);

    while (index != TCP_NONE) {
        struct tcp_connection *c = tcp_at(endpoint, index);

        if (memcmp(&c->key, key, sizeof(*key)) == 0)
            return c;
        index = c->table_next;
    }
    return NULL;
}

void tcp_table_insert(struct tcp_endpoint *endpoint, struct tcp_connection *connection)
{
    uint32_t *bucket = table_bucket(endpoint, &connection->key);

    connection->table_next = *bucket;
    *bucket = connection->index;
}

void tcp_table_remove(struct tcp_endpoint *endpoint, struct tcp_connection *connection)
{
    uint32_t *link = table_bucket(endpoint, &connection->key);

    while (*link != connection->index) {
        CHECK(*link != TCP_NONE);
        link = &tcp_at(endpoint, *link)->table_next;
    }
    *link = connection->table_next;
}

static uint32_t *client_bucket(struct tcp_endpoint *endpoint, const uint8_t address[16])
{
    return &endpoint->client_table[siphash(&endpoint->secret, address, 16) & endpoint->table_mask];
}

bool tcp_client_enter(struct tcp_endpoint *endpoint, const uint8_t address[16], uint32_t *client)
{
    uint32_t *bucket = client_bucket(endpoint, address);
    struct tcp_client *entry;

    for (uint32_t index = *bucket; index != TCP_NONE; index = endpoint->clients[index].next) {
        entry = &endpoint->clients[index];
        if (memcmp(entry->address, address, 16) != 0)
            continue;
        if (entry->connections >= endpoint->limits.connections_a_client)
            return false;
        entry->connections++;
        *client = index;
        return true;
    }
    /* There are as many entries as connections, so one is free. */
    CHECK(endpoint->free_client != TCP_NONE);
    *client = endpoint->free_client;
    entry = &endpoint->clients[*client];
    endpoint->free_client = entry->next;
    memcpy(entry->address, address, 16);
    entry->connections = 1;
    entry->next = *bucket;
    *bucket = *client;
    return true;
}

bool tcp_client_full(struct tcp_endpoint *endpoint, const uint8_t address[16])
{
    uint32_t index = *client_bucket(endpoint, address);

    while (index != TCP_NONE && memcmp(endpoint->clients[index].address, address, 16) != 0)
        index = endpoint->clients[index].next;
    return index != TCP_NONE &&
           endpoint->clients[index].connections >= endpoint->limits.connections_a_client;
}

void tcp_client_leave(struct tcp_endpoint *endpoint, uint32_t client)
{
    struct tcp_client *entry = &endpoint->clients[client];
    uint32_t *link;

    CHECK(entry->connections > 0);
    if (--entry->connections > 0)
        return;
    link = client_bucket(endpoint, entry->address);
    while (*link != client) {
        CHECK(*link != TCP_NONE);
        link = &endpoint->clients[*link].next;
    }
    *link = entry->next;
    entry->next = endpoint->free_client;
    endpoint->free_client = client;
}
