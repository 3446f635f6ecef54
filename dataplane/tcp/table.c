#include <string.h>

#include "dataplane/tcp/connection.h"
#include "platform/check.h"

uint32_t tcp_key_hash(const struct tcp_endpoint *endpoint, const struct ip_flow *key)
{
    uint8_t packed[TCP_KEY_IPV4_BYTES];

    if (!ip_flow_is_ipv4(key))
        return (uint32_t)siphash13(&endpoint->secret, key, sizeof(*key));
    tcp_key_pack_ipv4(key, packed);
    return (uint32_t)siphash13(&endpoint->secret, packed, sizeof(packed));
}

static uint32_t *table_bucket(struct tcp_endpoint *endpoint, uint32_t hash)
{
    return &endpoint->table[hash & endpoint->table_mask];
}

struct tcp_connection *tcp_table_find(struct tcp_endpoint *endpoint, const struct ip_flow *key,
                                      uint32_t hash)
{
    uint32_t index = *table_bucket(endpoint, hash);

    while (index != TCP_NONE) {
        struct tcp_connection *c = tcp_at(endpoint, index);

        if (c->hash == hash && memcmp(&c->key, key, sizeof(*key)) == 0)
            return c;
        index = c->table_next;
    }
    return NULL;
}

void tcp_table_insert(struct tcp_endpoint *endpoint, struct tcp_connection *connection)
{
    uint32_t *bucket = table_bucket(endpoint, connection->hash);

    connection->table_next = *bucket;
    *bucket = connection->index;
}

void tcp_table_remove(struct tcp_endpoint *endpoint, struct tcp_connection *connection)
{
    uint32_t *link = table_bucket(endpoint, connection->hash);

    while (*link != connection->index) {
        CHECK(*link != TCP_NONE);
        link = &tcp_at(endpoint, *link)->table_next;
    }
    *link = connection->table_next;
}
