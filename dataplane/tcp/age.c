/* Connections oldest first: those in TIME-WAIT, and those that hold blocks of an unfinished
 * command. None is ever on both lists, so both go by the same links. */
#include "dataplane/tcp/connection.h"
#include "platform/check.h"

void tcp_age_add(struct tcp_endpoint *endpoint, struct tcp_age *age, struct tcp_connection *c)
{
    c->age_next = TCP_NONE;
    c->age_previous = age->newest;
    if (age->newest != TCP_NONE)
        tcp_at(endpoint, age->newest)->age_next = c->index;
    else
        age->oldest = c->index;
    age->newest = c->index;
    age->count++;
}

void tcp_age_remove(struct tcp_endpoint *endpoint, struct tcp_age *age, struct tcp_connection *c)
{
    CHECK(age->count > 0);
    if (c->age_previous != TCP_NONE)
        tcp_at(endpoint, c->age_previous)->age_next = c->age_next;
    else
        age->oldest = c->age_next;
    if (c->age_next != TCP_NONE)
        tcp_at(endpoint, c->age_next)->age_previous = c->age_previous;
    else
        age->newest = c->age_previous;
    age->count--;
}

void tcp_holder_reclass(struct tcp_connection *c, enum block_class class)
{
    for (unsigned i = 0; i < c->slot_count; i++)
        block_reclass(c->endpoint->store, c->slots[i], class);
}

static void holder_count(struct tcp_connection *c, uint32_t slots)
{
    struct tcp_endpoint *endpoint = c->endpoint;
    int32_t more = (int32_t)slots - c->command_slots;

    /* The rest of a window turns out to be commands. */
    if (c->command_slots == 0)
        tcp_holder_reclass(c, BLOCK_FOR_COMMAND);
    endpoint->command_slots += (uint32_t)more;
    tcp_clients_hold_commands(&endpoint->clients, &c->client, more);
    c->command_slots = (uint8_t)slots;
}

/* Without a deadline of the application's it is the peer that waits: for a verdict. */
void tcp_holder_update(struct tcp_connection *c)
{
    struct tcp_endpoint *endpoint = c->endpoint;
    bool holds = c->expect == TCP_EXPECT_COMMANDS && c->slot_count > 0;
    bool awaited = holds && c->deadline_ns[TCP_TIMER_APPLICATION] != 0;
    uint32_t slots = awaited ? c->slot_count : 0;

    if (slots != c->command_slots)
        holder_count(c, slots);
    c->holds_waiting = holds && !awaited;
    if (awaited == c->holds_command)
        return;
    c->holds_command = awaited;
    if (awaited) {
        c->held_ms = (uint32_t)(endpoint->now_ns / CLOCK_NS_PER_MS);
        tcp_age_add(endpoint, &endpoint->holders, c);
    } else {
        tcp_age_remove(endpoint, &endpoint->holders, c);
    }
}

struct tcp_connection *tcp_holder_oldest(const struct tcp_endpoint *endpoint,
                                         const struct tcp_connection *spared)
{
    uint32_t oldest = endpoint->holders.oldest;

    if (oldest != TCP_NONE && tcp_at(endpoint, oldest) == spared)
        oldest = spared->age_next;
    return oldest != TCP_NONE ? tcp_at(endpoint, oldest) : NULL;
}
