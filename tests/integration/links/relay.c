/* relay: a bad wire between two interfaces. What comes in on one goes out on the other, some of it
 * late, twice, with a bit turned over, cut short, or not at all, as a seeded generator draws.
 *
 *   relay [NAME=VALUE ...] INTERFACE INTERFACE
 *
 *   seed=N          the draws of each direction follow from it and from the order of its packets
 *   drop=N duplicate=N corrupt=N truncate=N reorder=N delay=N    packets in a thousand
 *   reorder_us=N    a reordered packet waits up to so long (default 2000)
 *   delay_us=N      a delayed packet waits up to so long (default 30000)
 *
 * Corrupt and truncate touch IPv4 and IPv6 packets only, behind the Ethernet header: on a real wire
 * that header has a checksum of its own. Says "ready" once both interfaces are open, and on SIGTERM
 * one line of JSON with what it did. A packet that finds the waiting room full is dropped and
 * counted.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define RELAY_FRAME_BYTES  9216u
#define RELAY_WAITING_MAX  4096u
#define RELAY_ETHERNET     14u
#define RELAY_SOCKET_BYTES (4 << 20)
#define RELAY_BURST        64

enum fault { DROP, DUPLICATE, CORRUPT, TRUNCATE, REORDER, DELAY, FAULT_COUNT };

static const char *const fault_names[FAULT_COUNT] = {"drop",     "duplicate", "corrupt",
                                                     "truncate", "reorder",   "delay"};

struct frame {
    uint64_t due_ns;
    uint64_t order; /* ties leave in the order they came */
    unsigned to;
    uint32_t length;
    uint8_t bytes[RELAY_FRAME_BYTES];
};

struct relay {
    unsigned per_mille[FAULT_COUNT];
    uint64_t reorder_us;
    uint64_t delay_us;
    uint64_t random[2];
    int sockets[2];
    struct frame *heap[RELAY_WAITING_MAX];
    struct frame *spare[RELAY_WAITING_MAX];
    unsigned waiting;
    unsigned spare_count;
    uint64_t order;
    uint64_t counts[FAULT_COUNT];
    uint64_t forwarded;
    uint64_t overflow;
    uint64_t refused; /* by the interface */
};

static volatile sig_atomic_t relay_stop;

static void relay_signal(int number)
{
    (void)number;
    relay_stop = 1;
}

static uint64_t relay_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* xorshift64* (Vigna): small, and good enough to choose packets. */
static uint64_t relay_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static uint64_t relay_below(uint64_t *state, uint64_t limit)
{
    return limit == 0 ? 0 : (relay_random(state) >> 16) % limit;
}

static bool relay_draw(struct relay *relay, unsigned from, enum fault fault)
{
    bool hit = relay_below(&relay->random[from], 1000) < relay->per_mille[fault];

    relay->counts[fault] += hit;
    return hit;
}

static bool frame_before(const struct frame *a, const struct frame *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void heap_put(struct relay *relay, struct frame *frame)
{
    unsigned at = relay->waiting++;

    while (at > 0 && frame_before(frame, relay->heap[(at - 1) / 2])) {
        relay->heap[at] = relay->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    relay->heap[at] = frame;
}

static struct frame *heap_take(struct relay *relay)
{
    struct frame *first = relay->heap[0];
    struct frame *last = relay->heap[--relay->waiting];
    unsigned at = 0;

    for (;;) {
        unsigned child = 2 * at + 1;

        if (child >= relay->waiting)
            break;
        if (child + 1 < relay->waiting && frame_before(relay->heap[child + 1], relay->heap[child]))
            child++;
        if (!frame_before(relay->heap[child], last))
            break;
        relay->heap[at] = relay->heap[child];
        at = child;
    }
    relay->heap[at] = last;
    return first;
}

static void relay_enqueue(struct relay *relay, unsigned to, const uint8_t *bytes, uint32_t length,
                          uint64_t due_ns)
{
    struct frame *frame;

    if (relay->spare_count == 0) {
        relay->overflow++;
        return;
    }
    frame = relay->spare[--relay->spare_count];
    frame->due_ns = due_ns;
    frame->order = relay->order++;
    frame->to = to;
    frame->length = length;
    memcpy(frame->bytes, bytes, length);
    heap_put(relay, frame);
}

static void relay_frame(struct relay *relay, unsigned from, uint8_t *bytes, uint32_t length)
{
    uint64_t *random = &relay->random[from];
    uint64_t due_ns = relay_now();
    uint16_t type = length > RELAY_ETHERNET ? (uint16_t)(bytes[12] << 8 | bytes[13]) : 0;
    bool duplicate;

    if (relay_draw(relay, from, DROP))
        return;
    if (type == ETH_P_IP || type == ETH_P_IPV6) {
        if (relay_draw(relay, from, CORRUPT))
            bytes[RELAY_ETHERNET + relay_below(random, length - RELAY_ETHERNET)] ^=
                (uint8_t)(1u << relay_below(random, 8));
        if (relay_draw(relay, from, TRUNCATE))
            length = RELAY_ETHERNET + (uint32_t)relay_below(random, length - RELAY_ETHERNET);
    }
    duplicate = relay_draw(relay, from, DUPLICATE);
    if (relay_draw(relay, from, REORDER))
        due_ns += 1000 * relay_below(random, relay->reorder_us);
    if (relay_draw(relay, from, DELAY))
        due_ns += 1000 * relay_below(random, relay->delay_us);
    relay_enqueue(relay, !from, bytes, length, due_ns);
    if (duplicate)
        relay_enqueue(relay, !from, bytes, length,
                      due_ns + 1000 * relay_below(random, relay->reorder_us));
}

static void relay_receive(struct relay *relay, unsigned from)
{
    uint8_t bytes[RELAY_FRAME_BYTES];

    for (int i = 0; i < RELAY_BURST; i++) {
        ssize_t length = recv(relay->sockets[from], bytes, sizeof(bytes), MSG_DONTWAIT);

        if (length <= 0)
            return;
        relay_frame(relay, from, bytes, (uint32_t)length);
    }
}

static void relay_send_due(struct relay *relay)
{
    uint64_t now_ns = relay_now();

    while (relay->waiting > 0 && relay->heap[0]->due_ns <= now_ns) {
        struct frame *frame = heap_take(relay);

        if (send(relay->sockets[frame->to], frame->bytes, frame->length, MSG_DONTWAIT) < 0)
            relay->refused++;
        else
            relay->forwarded++;
        relay->spare[relay->spare_count++] = frame;
    }
}

static int relay_open(const char *interface)
{
    int one = 1;
    int room = RELAY_SOCKET_BYTES;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex(interface),
    };
    struct packet_mreq everything = {.mr_ifindex = address.sll_ifindex,
                                     .mr_type = PACKET_MR_PROMISC};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0 || address.sll_ifindex == 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof(everything)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fprintf(stderr, "relay: %s: %s\n", interface, strerror(errno));
        exit(1);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    return fd;
}

static void relay_run(struct relay *relay)
{
    while (!relay_stop) {
        struct pollfd ready[2] = {{relay->sockets[0], POLLIN, 0}, {relay->sockets[1], POLLIN, 0}};
        struct timespec wait = {0, 100000000};
        uint64_t now_ns = relay_now();

        if (relay->waiting > 0) {
            uint64_t due_ns = relay->heap[0]->due_ns;

            wait.tv_nsec = due_ns > now_ns ? (long)(due_ns - now_ns) : 0;
            if (wait.tv_nsec > 100000000)
                wait.tv_nsec = 100000000;
        }
        (void)ppoll(ready, 2, &wait, NULL);
        relay_receive(relay, 0);
        relay_receive(relay, 1);
        relay_send_due(relay);
    }
}

static void relay_say(const struct relay *relay)
{
    printf("{\"forwarded\": %llu, \"overflow\": %llu, \"refused\": %llu",
           (unsigned long long)relay->forwarded, (unsigned long long)relay->overflow,
           (unsigned long long)relay->refused);
    for (int i = 0; i < FAULT_COUNT; i++)
        printf(", \"%s\": %llu", fault_names[i], (unsigned long long)relay->counts[i]);
    printf("}\n");
}

static void relay_option(struct relay *relay, const char *option)
{
    const char *value = strchr(option, '=') + 1;
    size_t length = (size_t)(value - option) - 1;
    char *end;
    uint64_t number = strtoull(value, &end, 10);
    bool known = true;

    if (strncmp(option, "seed=", 5) == 0) {
        relay->random[0] = number * 2 + 1;
        relay->random[1] = ~number * 2 + 1;
    } else if (strncmp(option, "reorder_us=", 11) == 0) {
        relay->reorder_us = number;
    } else if (strncmp(option, "delay_us=", 9) == 0) {
        relay->delay_us = number;
    } else {
        known = false;
        for (int i = 0; i < FAULT_COUNT; i++) {
            if (strlen(fault_names[i]) == length && strncmp(option, fault_names[i], length) == 0) {
                relay->per_mille[i] = (unsigned)number;
                known = number <= 1000;
            }
        }
    }
    if (!known || end == value || *end != '\0') {
        fprintf(stderr, "relay: what is \"%s\"?\n", option);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct relay relay = {.reorder_us = 2000, .delay_us = 30000, .random = {1, 3}};
    struct sigaction action = {.sa_handler = relay_signal};
    const char *interfaces[2];
    int count = 0;

    for (int i = 1; i < argc; i++) {
        if (strchr(argv[i], '=') != NULL)
            relay_option(&relay, argv[i]);
        else if (count < 2)
            interfaces[count++] = argv[i];
    }
    if (count != 2) {
        fprintf(stderr, "usage: relay [NAME=VALUE ...] INTERFACE INTERFACE\n");
        return 2;
    }
    for (unsigned i = 0; i < RELAY_WAITING_MAX; i++) {
        relay.spare[i] = malloc(sizeof(struct frame));
        if (relay.spare[i] == NULL)
            return 1;
        relay.spare_count++;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    relay.sockets[0] = relay_open(interfaces[0]);
    relay.sockets[1] = relay_open(interfaces[1]);
    puts("ready");
    fflush(stdout);
    relay_run(&relay);
    relay_say(&relay);
    return 0;
}
