#include "tests/unit/ip/rig.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

#define RIG_START_NS (1000 * CLOCK_NS_PER_SECOND + 123456)

/* Time enough for the longest wait there is: R2 from a time-out backed off already, then FIN-WAIT-2
 * and TIME-WAIT. */
#define RIG_FORGET_NS (900 * CLOCK_NS_PER_SECOND)

static uint64_t rig_counted(const struct rig *rig)
{
    uint64_t sum = 0;

    for (int i = COUNTER_FRAME_SHORT; i <= COUNTER_TCP_IN_REFUSED; i++)
        sum += rig_counter(rig, (enum counter)i);
    return sum;
}

uint64_t rig_counter(const struct rig *rig, enum counter counter)
{
    return region_cell(&rig->ip.counters->value[counter]);
}

static uint8_t *rig_begin(void *context, uint16_t port, uint32_t length)
{
    struct rig *rig = context;

    CHECK(rig->building == 0);
    CHECK(port == 0);
    CHECK(length >= FRAME_ETHERNET_BYTES &&
          length <= FRAME_ETHERNET_BYTES + FRAME_VLAN_BYTES + rig->ip.interfaces[0].mtu);
    if (rig->buffers == 0)
        return NULL;
    if (rig->buffers != RIG_UNLIMITED)
        rig->buffers--;
    if (rig->queue_count == RIG_QUEUE) {
        rig->queue_first = (rig->queue_first + 1) % RIG_QUEUE; /* the oldest goes */
        rig->queue_count--;
    }
    rig->building = length;
    return rig->queue[(rig->queue_first + rig->queue_count) % RIG_QUEUE].bytes;
}

static void rig_parse_options(struct rig_frame *frame, const uint8_t *tcp)
{
    const uint8_t *at = tcp + TCP_HEADER_BYTES;

    while (at < frame->tcp.payload) {
        if (at[0] == TCP_OPTION_NOP) {
            at++;
            continue;
        }
        CHECK(frame->tcp.payload - at >= 2 && at[1] >= 2 && at[1] <= frame->tcp.payload - at);
        if (at[0] == TCP_OPTION_SACK) {
            frame->sack_count = (at[1] - 2u) / 8;
            CHECK(frame->sack_count > 0 && frame->sack_count <= RIG_SACK_MAX &&
                  at[1] == 2 + 8 * frame->sack_count);
            for (unsigned i = 0; i < frame->sack_count; i++) {
                frame->sack[i][0] = bytes_get32(at + 2 + 8 * (size_t)i);
                frame->sack[i][1] = bytes_get32(at + 6 + 8 * (size_t)i);
            }
        }
        at += at[1];
    }
}

/* `bytes` of a segment; the addresses, of `address_bytes` each, stand at `source`. */
static void rig_parse_tcp(struct rig_frame *frame, const uint8_t *tcp, uint32_t bytes,
                          const uint8_t *source, size_t address_bytes)
{
    uint64_t sum =
        checksum_pseudo(source, source + address_bytes, address_bytes, FRAME_PROTOCOL_TCP, bytes);

    CHECK(checksum_fold(checksum_add(sum, tcp, bytes)) == 0xffff);
    CHECK(tcp_header_read(&frame->tcp, tcp, bytes));
    CHECK((tcp[12] & 0x0f) == 0 && bytes_get16(tcp + 18) == 0);
    frame->segment = true;
    rig_parse_options(frame, tcp);
}

static void rig_parse_ipv4(const struct rig *rig, struct rig_frame *frame, uint32_t l2_bytes,
                           uint32_t l3_bytes)
{
    const uint8_t *ip = frame->network;
    uint32_t total = bytes_get16(ip + 2);

    CHECK(ip[0] == 0x45 && total + l2_bytes == frame->length);
    CHECK(bytes_get16(ip + 4) == 0 && bytes_get16(ip + 6) == 0x4000 && ip[8] == FRAME_TTL);
    CHECK(checksum_fold(checksum_add(0, ip, FRAME_IPV4_BYTES)) == 0xffff);
    CHECK(memcmp(ip + 12, rig->ip.interfaces[0].address, 4) == 0);
    CHECK(l3_bytes == (ip[9] == FRAME_PROTOCOL_TCP ? FRAME_IPV4_BYTES : 0));
    if (ip[9] == FRAME_PROTOCOL_TCP)
        rig_parse_tcp(frame, ip + FRAME_IPV4_BYTES, total - FRAME_IPV4_BYTES, ip + 12, 4);
}

static void rig_parse_ipv6(const struct rig *rig, struct rig_frame *frame, uint32_t l2_bytes,
                           uint32_t l3_bytes)
{
    const uint8_t *ip = frame->network;
    const struct ip_interface *interface = &rig->ip.interfaces[0];
    uint32_t bytes = bytes_get16(ip + 4);
    uint64_t sum;

    CHECK(ip[0] >> 4 == 6 && l2_bytes + FRAME_IPV6_BYTES + bytes == frame->length);
    CHECK(memcmp(ip + 8, interface->link_local, 16) == 0 ||
          memcmp(ip + 8, interface->address6, 16) == 0);
    CHECK(l3_bytes == (ip[6] == FRAME_PROTOCOL_TCP ? FRAME_IPV6_BYTES : 0));
    if (ip[6] == FRAME_PROTOCOL_TCP) {
        rig_parse_tcp(frame, ip + FRAME_IPV6_BYTES, bytes, ip + 8, 16);
        return;
    }
    CHECK(ip[6] == FRAME_PROTOCOL_ICMPV6);
    sum = checksum_pseudo(ip + 8, ip + 24, 16, FRAME_PROTOCOL_ICMPV6, bytes);
    CHECK(checksum_fold(checksum_add(sum, ip + FRAME_IPV6_BYTES, bytes)) == 0xffff);
}

static void rig_parse(const struct rig *rig, struct rig_frame *frame, uint32_t l2_bytes,
                      uint32_t l3_bytes)
{
    frame->segment = false;
    frame->vlan = 0;
    frame->sack_count = 0;
    frame->type = bytes_get16(frame->bytes + 12);
    if (frame->type == FRAME_TYPE_VLAN) {
        frame->vlan = bytes_get16(frame->bytes + 14);
        frame->type = bytes_get16(frame->bytes + 16);
    }
    CHECK(l2_bytes == FRAME_ETHERNET_BYTES + (frame->vlan != 0 ? FRAME_VLAN_BYTES : 0));
    CHECK(memcmp(frame->bytes + 6, rig->ip.interfaces[0].mac, 6) == 0);
    frame->network = frame->bytes + l2_bytes;
    if (frame->type == FRAME_TYPE_IPV4)
        rig_parse_ipv4(rig, frame, l2_bytes, l3_bytes);
    else if (frame->type == FRAME_TYPE_IPV6)
        rig_parse_ipv6(rig, frame, l2_bytes, l3_bytes);
    else
        CHECK(frame->type == FRAME_TYPE_ARP && l3_bytes == 0);
}

static void rig_end(void *context, uint32_t l2_bytes, uint32_t l3_bytes)
{
    struct rig *rig = context;
    struct rig_frame *frame = &rig->queue[(rig->queue_first + rig->queue_count) % RIG_QUEUE];

    CHECK(rig->building > 0);
    frame->length = rig->building;
    frame->sent_ns = rig->now_ns;
    rig->building = 0;
    rig_parse(rig, frame, l2_bytes, l3_bytes);
    rig->queue_count++;
    rig->sent++;
}

static void rig_on_opened(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct rig *rig = context;

    CHECK(now_ns == rig->now_ns);
    rig->opened++;
    rig->connection = connection;
    if (rig->on_opened != NULL)
        rig->on_opened(rig, connection);
}

static void rig_on_readable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct rig *rig = context;
    struct block_span span;

    CHECK(now_ns == rig->now_ns);
    CHECK(tcp_readable(connection) > 0);
    rig->readable++;
    if (rig->on_readable != NULL)
        rig->on_readable(rig, connection);
    while (!rig->keep && tcp_peek(connection, 0, &span)) {
        CHECK(rig->received_length + span.length <= RIG_RECEIVED_MAX);
        memcpy(rig->received + rig->received_length, span.bytes, span.length);
        rig->received_length += span.length;
        tcp_consume(connection, span.length);
    }
}

static void rig_on_writable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct rig *rig = context;

    CHECK(now_ns == rig->now_ns);
    rig->writable++;
    if (rig->on_writable != NULL)
        rig->on_writable(rig, connection);
}

static void rig_on_finished(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct rig *rig = context;

    CHECK(now_ns == rig->now_ns);
    rig->finished++;
    if (rig->on_finished != NULL)
        rig->on_finished(rig, connection);
}

static void rig_on_expired(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct rig *rig = context;

    CHECK(now_ns == rig->now_ns);
    rig->expired++;
    rig->expired_ns = now_ns;
    if (rig->on_expired != NULL)
        rig->on_expired(rig, connection, now_ns);
}

static void rig_on_closed(void *context, struct tcp_connection *connection,
                          enum tcp_close_reason reason, int64_t now_ns)
{
    struct rig *rig = context;

    CHECK(now_ns == rig->now_ns);
    rig->closed++;
    rig->reason = reason;
    if (rig->connection == connection)
        rig->connection = NULL;
}

static uint32_t rig_or(uint32_t value, uint32_t standard)
{
    return value != 0 ? value : standard;
}

static void rig_interface(struct ip_interface *interface, uint16_t mtu)
{
    interface->mtu = mtu;
    memcpy(interface->address, RIG_ADDRESS, 4);
    memcpy(interface->mac, RIG_MAC, 6);
    ip_interface_link_local(interface);
    interface->has_address6 = true;
    memcpy(interface->address6, RIG_ADDRESS6, 16);
}

void rig_make(struct rig *rig, uint32_t blocks)
{
    struct region_plan plan = {1, 4, blocks};

    memset(rig, 0, sizeof(*rig));
    rig->blocks = blocks;
    rig->queue = calloc(RIG_QUEUE, sizeof(*rig->queue));
    rig->received = malloc(RIG_RECEIVED_MAX);
    CHECK(rig->queue != NULL && rig->received != NULL);
    CHECK(region_create(&rig->region, &plan, REGION_PAGES_NORMAL) == STATUS_OK);
}

void rig_unmake(struct rig *rig)
{
    region_close(&rig->region);
    free(rig->queue);
    free(rig->received);
}

void rig_start(struct rig *rig, const struct rig_options *options)
{
    static const struct rig_options none;
    static const struct siphash_key secret = {{UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba98)}};
    const struct rig_options *o = options != NULL ? options : &none;
    struct tcp_limits limits = {
        .connections = rig_or(o->connections, 64),
        .half_open = rig_or(o->half_open, 16),
        .clients = {.connections = {rig_or(o->connections_a_client, 64),
                                    rig_or(o->connections_a_prefix, 256)},
                    .rate = o->connection_rate},
        .window_bytes = rig_or(o->window_bytes, 65536),
    };
    struct tcp_listeners listeners = {.count = 0};
    struct rig made = {.region = rig->region,
                       .blocks = rig->blocks,
                       .queue = rig->queue,
                       .received = rig->received,
                       .now_ns = RIG_START_NS,
                       .buffers = RIG_UNLIMITED};

    *rig = made;
    CHECK(store_init(&rig->store, &rig->region, 0, 0, rig->blocks, 0, 4) == STATUS_OK);
    rig->output = (struct packet_output){rig, rig_begin, rig_end, false};
    rig->ip.counters = region_counters(&rig->region, 0);
    for (int i = 0; i < COUNTER_COUNT; i++)
        count_set(rig->ip.counters, (enum counter)i, 0);
    rig->application = (struct tcp_application){rig,
                                                0,
                                                rig_on_opened,
                                                rig_on_readable,
                                                rig_on_writable,
                                                rig_on_finished,
                                                rig_on_expired,
                                                rig_on_closed};
    rig_interface(&rig->ip.interfaces[0], (uint16_t)rig_or(o->mtu, RIG_MTU));
    CHECK(tcp_listeners_add_interface(
              &listeners, &rig->ip.interfaces[0], (uint16_t)rig_or(o->port, RIG_PORT),
              o->application != NULL ? o->application : &rig->application) == STATUS_OK);
    if (o->second != NULL)
        CHECK(tcp_listeners_add_interface(&listeners, &rig->ip.interfaces[0], RIG_SECOND_PORT,
                                          o->second) == STATUS_OK);
    CHECK(tcp_endpoint_create(&rig->endpoint, &rig->store, rig->ip.counters, &rig->output,
                              &listeners, &limits, &secret, rig->now_ns) == STATUS_OK);
    rig->ip.upper = tcp_upper(&rig->endpoint);
    rig->ip.output = &rig->output;
}

void rig_open(struct rig *rig, const struct rig_options *options)
{
    rig_make(rig, options != NULL ? rig_or(options->blocks, RIG_BLOCKS) : RIG_BLOCKS);
    rig_start(rig, options);
}

static void rig_abort(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    tcp_abort(connection);
}

/* The sums that counters.h promises. */
static void rig_check_counters(const struct rig *rig)
{
    CHECK(rig_counted(rig) == rig->given);
    CHECK(rig_counter(rig, COUNTER_CONNECTIONS_OPENED) ==
          rig_counter(rig, COUNTER_CLOSED_NORMAL) + rig_counter(rig, COUNTER_CLOSED_RESET) +
              rig_counter(rig, COUNTER_CLOSED_TIMEOUT) + rig_counter(rig, COUNTER_CLOSED_ABORTED) +
              rig_counter(rig, COUNTER_CLOSED_EVICTED));
    CHECK(rig_counter(rig, COUNTER_SYN_KEPT) == rig_counter(rig, COUNTER_HALF_OPEN_COMPLETED) +
                                                    rig_counter(rig, COUNTER_HALF_OPEN_EXPIRED) +
                                                    rig_counter(rig, COUNTER_HALF_OPEN_RESET));
    CHECK(rig_counter(rig, COUNTER_CONNECTIONS_OPEN) == 0);
    CHECK(rig_counter(rig, COUNTER_HALF_OPEN) == 0);
}

void rig_stop(struct rig *rig)
{
    int64_t until = rig->now_ns + RIG_FORGET_NS;

    rig->buffers = RIG_UNLIMITED;
    tcp_each(&rig->endpoint, rig_abort, rig, rig->now_ns);
    rig_flush(rig);
    while (rig->now_ns < until &&
           (rig->endpoint.connection_count > 0 || rig->endpoint.half_open_count > 0)) {
        rig->now_ns += 100 * RIG_MS;
        (void)tcp_timers(&rig->endpoint, rig->now_ns, 1024);
        rig_flush(rig);
    }
    CHECK(rig->endpoint.connection_count == 0);
    CHECK(rig->endpoint.half_open_count == 0);
    CHECK(rig->endpoint.time_wait.count == 0);
    CHECK(rig->endpoint.dirty == TCP_NONE);
    CHECK(rig->store.free_count == rig->blocks);
    CHECK(rig->opened == rig->closed);
    rig_check_counters(rig);
    tcp_endpoint_destroy(&rig->endpoint, rig->now_ns);
    store_fini(&rig->store);
}

void rig_close(struct rig *rig)
{
    rig_stop(rig);
    rig_unmake(rig);
}

void rig_forget(struct rig *rig)
{
    tcp_endpoint_destroy(&rig->endpoint, rig->now_ns);
    store_fini(&rig->store);
    rig_unmake(rig);
}

enum counter rig_input(struct rig *rig, const uint8_t *bytes, uint32_t length)
{
    /* Exactly as long as the frame, so that a sanitizer sees a read past it. */
    uint8_t *copy = malloc(length > 0 ? length : 1);
    struct packet_view view = {copy, length, false, false};
    enum counter outcome;

    CHECK(copy != NULL);
    memcpy(copy, bytes, length);
    rig->given++;
    outcome = ip_input(&rig->ip, &view, 0, rig->now_ns);
    free(copy);
    CHECK(outcome >= COUNTER_FRAME_SHORT && outcome <= COUNTER_TCP_IN_REFUSED);
    CHECK(rig_counted(rig) == rig->given);
    return outcome;
}

void rig_flush(struct rig *rig)
{
    (void)tcp_flush(&rig->endpoint, rig->now_ns);
    CHECK(rig->endpoint.dirty == TCP_NONE);
}

void rig_advance(struct rig *rig, int64_t ns)
{
    while (ns > 0) {
        int64_t step = ns < RIG_MS ? ns : RIG_MS;

        ns -= step;
        rig->now_ns += step;
        (void)tcp_timers(&rig->endpoint, rig->now_ns, 64);
        rig_flush(rig);
    }
}

const struct rig_frame *rig_next(struct rig *rig)
{
    const struct rig_frame *frame = &rig->queue[rig->queue_first];

    if (rig->queue_count == 0)
        return NULL;
    rig->queue_first = (rig->queue_first + 1) % RIG_QUEUE;
    rig->queue_count--;
    return frame;
}

void rig_drain(struct rig *rig)
{
    rig->queue_count = 0;
}
