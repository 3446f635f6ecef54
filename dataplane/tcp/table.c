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
