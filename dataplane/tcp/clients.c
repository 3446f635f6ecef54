#include "dataplane/tcp/clients.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/net/bytes.h"
#include "platform/check.h"
#include "platform/clock.h"

#define CLIENT_NONE     UINT32_MAX
#define CLIENT_BURST_NS CLOCK_NS_PER_SECOND /* a bucket holds what a second allows */
#define CLIENT_HOUR_NS  (3600 * CLOCK_NS_PER_SECOND)

bool tcp_clients_create(struct tcp_clients *clients, uint32_t connections,
                        const struct tcp_client_limits *limits, const struct siphash_key *secret)
{
    uint32_t count = TCP_CLIENT_LEVELS * connections + TCP_CLIENTS_REMEMBERED;
    uint32_t buckets = 64;

    while (buckets < count)
        buckets *= 2;
    *clients = (struct tcp_clients){
        .limits = *limits,
        .secret = *secret,
        .entries = calloc(count, sizeof(*clients->entries)),
        .faults_ns = calloc(count, sizeof(*clients->faults_ns)),
        .table = malloc(buckets * sizeof(*clients->table)),
        .mask = buckets - 1,
        .free = 0,
        .idle_oldest = CLIENT_NONE,
        .idle_newest = CLIENT_NONE,
    };
    if (clients->entries == NULL || clients->faults_ns == NULL || clients->table == NULL)
        return false;
    memset(clients->table, 0xff, buckets * sizeof(*clients->table));
    for (uint32_t i = 0; i < count; i++)
        clients->entries[i].next = i + 1 < count ? i + 1 : CLIENT_NONE;
    return true;
}

void tcp_clients_destroy(struct tcp_clients *clients)
{
    free(clients->entries);
    free(clients->faults_ns);
    free(clients->table);
    clients->entries = NULL;
    clients->faults_ns = NULL;
    clients->table = NULL;
}

/* IPv4's 32 bits, or the first 64 of IPv6: what is one client. */
static uint64_t client_address(const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(address, mapped, sizeof(mapped)) == 0)
        return bytes_get32(address + 12);
    return (uint64_t)bytes_get32(address) << 32 | bytes_get32(address + 4);
}

/* The /24 or /48 around it. Also a function of the address alone, as the eviction needs. */
static uint64_t client_neighbourhood(uint64_t address)
{
    return address & ~(address > UINT32_MAX ? UINT64_C(0xffff) : UINT64_C(0xff));
}

static uint64_t client_prefix(uint64_t address, uint32_t level)
{
    return level == TCP_CLIENT_ADDRESS ? address : client_neighbourhood(address);
}

/* One hash for an address and what is around it: a SYN of a flood pays for each. */
static uint64_t client_hash(const struct tcp_clients *clients, uint64_t address)
{
    uint64_t neighbourhood = client_neighbourhood(address);

    return siphash13(&clients->secret, &neighbourhood, sizeof(neighbourhood));
}

/* The addresses of a neighbourhood lie side by side behind it: whatever a peer chooses among those
 * that are its own, no chain gets longer than the table's load. */
static uint32_t *client_bucket(struct tcp_clients *clients, uint64_t hash, uint64_t prefix,
                               uint32_t level)
{
    uint64_t beside = level == TCP_CLIENT_ADDRESS ? 1 + (prefix & 0xffff) : 0;

    return &clients->table[(hash + beside) & clients->mask];
}

/* In the chain of `bucket`. */
static uint32_t client_find(const struct tcp_clients *clients, const uint32_t *bucket,
                            uint64_t prefix, uint32_t level)
{
    uint32_t index = *bucket;

    while (index != CLIENT_NONE &&
           (clients->entries[index].level != level || clients->entries[index].prefix != prefix))
        index = clients->entries[index].next;
    return index;
}

static void client_idle_add(struct tcp_clients *clients, uint32_t index)
{
    struct tcp_client *entry = &clients->entries[index];

    entry->idle_next = CLIENT_NONE;
    entry->idle_previous = clients->idle_newest;
    if (clients->idle_newest != CLIENT_NONE)
        clients->entries[clients->idle_newest].idle_next = index;
    else
        clients->idle_oldest = index;
    clients->idle_newest = index;
}

static void client_idle_remove(struct tcp_clients *clients, uint32_t index)
{
    struct tcp_client *entry = &clients->entries[index];

    if (entry->idle_previous != CLIENT_NONE)
        clients->entries[entry->idle_previous].idle_next = entry->idle_next;
    else
        clients->idle_oldest = entry->idle_next;
    if (entry->idle_next != CLIENT_NONE)
        clients->entries[entry->idle_next].idle_previous = entry->idle_previous;
    else
        clients->idle_newest = entry->idle_previous;
}

/* An entry nobody is counted in: a free one, or the one that has been idle longest. */
static uint32_t client_take(struct tcp_clients *clients)
{
    const struct tcp_client *entry;
    uint32_t index = clients->free;
    uint32_t *link;

    if (index != CLIENT_NONE) {
        clients->free = clients->entries[index].next;
        return index;
    }
    index = clients->idle_oldest;
    CHECK(index != CLIENT_NONE); /* there are more entries than connections hold */
    client_idle_remove(clients, index);
    entry = &clients->entries[index];
    link = client_bucket(clients, client_hash(clients, entry->prefix), entry->prefix, entry->level);
    while (*link != index) {
        CHECK(*link != CLIENT_NONE);
        link = &clients->entries[*link].next;
    }
    *link = entry->next;
    return index;
}

static uint32_t client_make(struct tcp_clients *clients, uint32_t *bucket, uint64_t prefix,
                            uint32_t level)
{
    uint32_t index = client_take(clients);

    clients->entries[index] =
        (struct tcp_client){.prefix = prefix, .level = level & 1, .next = *bucket};
    clients->faults_ns[index] = 0;
    *bucket = index;
    client_idle_add(clients, index);
    return index;
}

/* How much of its bucket a client has used, in time. */
static int64_t client_owes(const struct tcp_client *entry, int64_t now_ns)
{
    return entry->paid_ns > now_ns ? entry->paid_ns - now_ns : 0;
}

enum tcp_client_answer tcp_clients_ask(struct tcp_clients *clients, const uint8_t address[16],
                                       int64_t now_ns)
{
    enum tcp_client_answer answer = TCP_CLIENT_WELCOME;
    uint64_t client = client_address(address);
    uint64_t hash = client_hash(clients, client);

    for (uint32_t level = 0; level < TCP_CLIENT_LEVELS; level++) {
        uint64_t prefix = client_prefix(client, level);
        uint32_t index =
            client_find(clients, client_bucket(clients, hash, prefix, level), prefix, level);

        if (index == CLIENT_NONE)
            continue;
        if (clients->entries[index].connections >= clients->limits.connections[level])
            return TCP_CLIENT_FULL;
        if (level != TCP_CLIENT_ADDRESS || clients->limits.rate == 0)
            continue;
        if (CLIENT_BURST_NS - client_owes(&clients->entries[index], now_ns) <
            CLOCK_NS_PER_SECOND / clients->limits.rate)
            answer = TCP_CLIENT_FAST;
    }
    return answer;
}

static void client_count(struct tcp_clients *clients, uint32_t index, int64_t now_ns)
{
    struct tcp_client *entry = &clients->entries[index];
    int64_t owes;

    if (entry->connections++ == 0) {
        client_idle_remove(clients, index);
        entry->held = 0;
        entry->commands = 0;
    }
    if (entry->level != TCP_CLIENT_ADDRESS || clients->limits.rate == 0)
        return;
    owes = client_owes(entry, now_ns) + CLOCK_NS_PER_SECOND / clients->limits.rate;
    if (owes > 2 * CLIENT_BURST_NS)
        owes = 2 * CLIENT_BURST_NS; /* handshakes that overlapped: not held against it */
    entry->paid_ns = now_ns + owes;
}

enum tcp_client_answer tcp_clients_enter(struct tcp_clients *clients, const uint8_t address[16],
                                         struct tcp_client_place *place, int64_t now_ns)
{
    uint64_t client = client_address(address);
    uint64_t hash = client_hash(clients, client);

    for (uint32_t level = 0; level < TCP_CLIENT_LEVELS; level++) {
        uint64_t prefix = client_prefix(client, level);
        uint32_t *bucket = client_bucket(clients, hash, prefix, level);
        uint32_t index = client_find(clients, bucket, prefix, level);

        if (index == CLIENT_NONE) {
            index = client_make(clients, bucket, prefix, level);
        } else if (clients->entries[index].connections == 0) {
            /* Not to be taken for the next level's. */
            client_idle_remove(clients, index);
            client_idle_add(clients, index);
        }
        if (clients->entries[index].connections >= clients->limits.connections[level])
            return TCP_CLIENT_FULL;
        place->entry[level] = index;
    }
    for (uint32_t level = 0; level < TCP_CLIENT_LEVELS; level++)
        client_count(clients, place->entry[level], now_ns);
    return TCP_CLIENT_WELCOME;
}

void tcp_clients_leave(struct tcp_clients *clients, const struct tcp_client_place *place)
{
    for (uint32_t level = 0; level < TCP_CLIENT_LEVELS; level++) {
        struct tcp_client *entry = &clients->entries[place->entry[level]];

        CHECK(entry->connections > 0);
        if (--entry->connections > 0)
            continue;
        CHECK(entry->held == 0 && entry->commands == 0);
        client_idle_add(clients, place->entry[level]);
    }
}

bool tcp_clients_within(const struct tcp_clients *clients, const struct tcp_client_place *place,
                        uint32_t share)
{
    return clients->entries[place->entry[TCP_CLIENT_ADDRESS]].held < share &&
           clients->entries[place->entry[TCP_CLIENT_PREFIX]].held < 2 * share;
}

bool tcp_clients_commands_within(const struct tcp_clients *clients,
                                 const struct tcp_client_place *place, uint32_t share)
{
    return clients->entries[place->entry[TCP_CLIENT_ADDRESS]].commands < share &&
           clients->entries[place->entry[TCP_CLIENT_PREFIX]].commands < 2 * share;
}

/* What one fault costs of the bucket of an hour. */
static int64_t client_fault_ns(uint32_t an_hour, uint32_t level)
{
    uint64_t most =
        level == TCP_CLIENT_ADDRESS ? an_hour : (uint64_t)an_hour * TCP_CLIENT_FAULTS_PREFIX;

    return CLIENT_HOUR_NS / (int64_t)most;
}

/* True when the bucket has no room for another. */
static bool client_spent(const struct tcp_clients *clients, const struct tcp_client_place *place,
                         uint32_t an_hour, uint32_t level, int64_t now_ns)
{
    int64_t owes = clients->faults_ns[place->entry[level]] - now_ns;

    return owes > 0 && owes > CLIENT_HOUR_NS - client_fault_ns(an_hour, level);
}

bool tcp_clients_fault(struct tcp_clients *clients, const struct tcp_client_place *place,
                       uint32_t an_hour, int64_t now_ns)
{
    for (uint32_t level = 0; an_hour > 0 && level < TCP_CLIENT_LEVELS; level++) {
        if (client_spent(clients, place, an_hour, level, now_ns))
            return false;
    }
    for (uint32_t level = 0; an_hour > 0 && level < TCP_CLIENT_LEVELS; level++) {
        int64_t *paid_ns = &clients->faults_ns[place->entry[level]];

        *paid_ns = (*paid_ns > now_ns ? *paid_ns : now_ns) + client_fault_ns(an_hour, level);
    }
    return true;
}

bool tcp_clients_faulty(const struct tcp_clients *clients, const struct tcp_client_place *place,
                        uint32_t an_hour, int64_t now_ns)
{
    return an_hour > 0 && client_spent(clients, place, an_hour, TCP_CLIENT_ADDRESS, now_ns);
}
