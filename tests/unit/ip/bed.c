#include "tests/unit/ip/bed.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

#define BED_START_NS (1000 * CLOCK_NS_PER_SECOND + 123456)

/* Time enough for the longest wait there is: R2 from a time-out backed off already, then FIN-WAIT-2
 * and TIME-WAIT. */
#define BED_FORGET_NS (900 * CLOCK_NS_PER_SECOND)

static uint64_t bed_counted(const struct bed *bed)
{
    uint64_t sum = 0;

    for (int i = COUNTER_FRAME_SHORT; i <= COUNTER_TCP_IN_REFUSED; i++)
        sum += bed_counter(bed, (enum counter)i);
    return sum;
}

uint64_t bed_counter(const struct bed *bed, enum counter counter)
{
    return region_cell(&bed->ip.counters->value[counter]);
}

static uint8_t *bed_begin(void *context, uint16_t port, uint32_t length)
{
    struct bed *bed = context;

    CHECK(bed->building == 0);
    CHECK(port == 0);
    CHECK(length >= FRAME_ETHERNET_BYTES &&
          length <= FRAME_ETHERNET_BYTES + FRAME_VLAN_BYTES + bed->ip.interfaces[0].mtu);
    if (bed->buffers == 0)
        return NULL;
    if (bed->buffers != BED_UNLIMITED)
        bed->buffers--;
    if (bed->queue_count == BED_QUEUE) {
        bed->queue_first = (bed->queue_first + 1) % BED_QUEUE; /* the oldest goes */
        bed->queue_count--;
    }
    bed->building = length;
    return bed->queue[(bed->queue_first + bed->queue_count) % BED_QUEUE].bytes;
}

static void bed_parse_options(struct bed_frame *frame, const uint8_t *tcp)
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
            CHECK(frame->sack_count > 0 && frame->sack_count <= BED_SACK_MAX &&
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
static void bed_parse_tcp(struct bed_frame *frame, const uint8_t *tcp, uint32_t bytes,
                          const uint8_t *source, size_t address_bytes)
{
    uint64_t sum =
        checksum_pseudo(source, source + address_bytes, address_bytes, FRAME_PROTOCOL_TCP, bytes);

    CHECK(checksum_fold(checksum_add(sum, tcp, bytes)) == 0xffff);
    CHECK(tcp_header_read(&frame->tcp, tcp, bytes));
    CHECK((tcp[12] & 0x0f) == 0 && bytes_get16(tcp + 18) == 0);
    frame->segment = true;
    bed_parse_options(frame, tcp);
}

static void bed_parse_ipv4(const struct bed *bed, struct bed_frame *frame, uint32_t l2_bytes,
                           uint32_t l3_bytes)
{
    const uint8_t *ip = frame->network;
    uint32_t total = bytes_get16(ip + 2);

    CHECK(ip[0] == 0x45 && total + l2_bytes == frame->length);
    CHECK(bytes_get16(ip + 4) == 0 && bytes_get16(ip + 6) == 0x4000 && ip[8] == FRAME_TTL);
    CHECK(checksum_fold(checksum_add(0, ip, FRAME_IPV4_BYTES)) == 0xffff);
    CHECK(memcmp(ip + 12, bed->ip.interfaces[0].address, 4) == 0);
    CHECK(l3_bytes == (ip[9] == FRAME_PROTOCOL_TCP ? FRAME_IPV4_BYTES : 0));
    if (ip[9] == FRAME_PROTOCOL_TCP)
        bed_parse_tcp(frame, ip + FRAME_IPV4_BYTES, total - FRAME_IPV4_BYTES, ip + 12, 4);
}

static void bed_parse_ipv6(const struct bed *bed, struct bed_frame *frame, uint32_t l2_bytes,
                           uint32_t l3_bytes)
{
    const uint8_t *ip = frame->network;
    const struct ip_interface *interface = &bed->ip.interfaces[0];
    uint32_t bytes = bytes_get16(ip + 4);
    uint64_t sum;

    CHECK(ip[0] >> 4 == 6 && l2_bytes + FRAME_IPV6_BYTES + bytes == frame->length);
    CHECK(memcmp(ip + 8, interface->link_local, 16) == 0 ||
          memcmp(ip + 8, interface->address6, 16) == 0);
    CHECK(l3_bytes == (ip[6] == FRAME_PROTOCOL_TCP ? FRAME_IPV6_BYTES : 0));
    if (ip[6] == FRAME_PROTOCOL_TCP) {
        bed_parse_tcp(frame, ip + FRAME_IPV6_BYTES, bytes, ip + 8, 16);
        return;
    }
    CHECK(ip[6] == FRAME_PROTOCOL_ICMPV6);
    sum = checksum_pseudo(ip + 8, ip + 24, 16, FRAME_PROTOCOL_ICMPV6, bytes);
    CHECK(checksum_fold(checksum_add(sum, ip + FRAME_IPV6_BYTES, bytes)) == 0xffff);
}

static void bed_parse(const struct bed *bed, struct bed_frame *frame, uint32_t l2_bytes,
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
    CHECK(memcmp(frame->bytes + 6, bed->ip.interfaces[0].mac, 6) == 0);
    frame->network = frame->bytes + l2_bytes;
    if (frame->type == FRAME_TYPE_IPV4)
        bed_parse_ipv4(bed, frame, l2_bytes, l3_bytes);
    else if (frame->type == FRAME_TYPE_IPV6)
        bed_parse_ipv6(bed, frame, l2_bytes, l3_bytes);
    else
        CHECK(frame->type == FRAME_TYPE_ARP && l3_bytes == 0);
}

static void bed_end(void *context, uint32_t l2_bytes, uint32_t l3_bytes)
{
    struct bed *bed = context;
    struct bed_frame *frame = &bed->queue[(bed->queue_first + bed->queue_count) % BED_QUEUE];

    CHECK(bed->building > 0);
    frame->length = bed->building;
    frame->sent_ns = bed->now_ns;
    bed->building = 0;
    bed_parse(bed, frame, l2_bytes, l3_bytes);
    bed->queue_count++;
    bed->sent++;
}

static void bed_on_opened(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct bed *bed = context;

    CHECK(now_ns == bed->now_ns);
    bed->opened++;
    bed->connection = connection;
    if (bed->on_opened != NULL)
        bed->on_opened(bed, connection);
}

static void bed_on_readable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct bed *bed = context;
    struct block_span span;

    CHECK(now_ns == bed->now_ns);
    CHECK(tcp_readable(connection) > 0);
    bed->readable++;
    if (bed->on_readable != NULL)
        bed->on_readable(bed, connection);
    while (!bed->keep && tcp_peek(connection, 0, &span)) {
        CHECK(bed->received_length + span.length <= BED_RECEIVED_MAX);
        memcpy(bed->received + bed->received_length, span.bytes, span.length);
        bed->received_length += span.length;
        tcp_consume(connection, span.length);
    }
}

static void bed_on_writable(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct bed *bed = context;

    CHECK(now_ns == bed->now_ns);
    bed->writable++;
    if (bed->on_writable != NULL)
        bed->on_writable(bed, connection);
}

static void bed_on_finished(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct bed *bed = context;

    CHECK(now_ns == bed->now_ns);
    bed->finished++;
    if (bed->on_finished != NULL)
        bed->on_finished(bed, connection);
}

static void bed_on_expired(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    struct bed *bed = context;

    CHECK(now_ns == bed->now_ns);
    bed->expired++;
    bed->expired_ns = now_ns;
    if (bed->on_expired != NULL)
        bed->on_expired(bed, connection, now_ns);
}

static void bed_on_closed(void *context, struct tcp_connection *connection,
                          enum tcp_close_reason reason, int64_t now_ns)
{
    struct bed *bed = context;

    CHECK(now_ns == bed->now_ns);
    bed->closed++;
    bed->reason = reason;
    if (bed->connection == connection)
        bed->connection = NULL;
}

static uint32_t bed_or(uint32_t value, uint32_t standard)
{
    return value != 0 ? value : standard;
}

static void bed_interface(struct ip_interface *interface, uint16_t mtu)
{
    interface->mtu = mtu;
    memcpy(interface->address, BED_ADDRESS, 4);
    memcpy(interface->mac, BED_MAC, 6);
    ip_interface_link_local(interface);
    interface->has_address6 = true;
    memcpy(interface->address6, BED_ADDRESS6, 16);
}

void bed_make(struct bed *bed, uint32_t blocks)
{
    struct region_plan plan = {1, 4, blocks};

    memset(bed, 0, sizeof(*bed));
    bed->blocks = blocks;
    bed->queue = calloc(BED_QUEUE, sizeof(*bed->queue));
    bed->received = malloc(BED_RECEIVED_MAX);
    CHECK(bed->queue != NULL && bed->received != NULL);
    CHECK(region_create(&bed->region, &plan, REGION_PAGES_NORMAL) == STATUS_OK);
}

void bed_unmake(struct bed *bed)
{
    region_close(&bed->region);
    free(bed->queue);
    free(bed->received);
}

void bed_start(struct bed *bed, const struct bed_options *options)
{
    static const struct bed_options none;
    static const struct siphash_key secret = {{UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba98)}};
    const struct bed_options *o = options != NULL ? options : &none;
    struct tcp_limits limits = {
        .connections = bed_or(o->connections, 64),
        .half_open = bed_or(o->half_open, 16),
        .clients = {.connections = {bed_or(o->connections_a_client, 64),
                                    bed_or(o->connections_a_prefix, 256)},
                    .rate = o->connection_rate},
        .window_bytes = bed_or(o->window_bytes, 65536),
    };
    struct tcp_listeners listeners = {.count = 0};
    struct bed made = {.region = bed->region,
                       .blocks = bed->blocks,
                       .queue = bed->queue,
                       .received = bed->received,
                       .now_ns = BED_START_NS,
                       .buffers = BED_UNLIMITED};

    *bed = made;
    CHECK(store_init(&bed->store, &bed->region, 0, 0, bed->blocks, 0, 4) == STATUS_OK);
    bed->output = (struct packet_output){bed, bed_begin, bed_end, false};
    bed->ip.counters = region_counters(&bed->region, 0);
    for (int i = 0; i < COUNTER_COUNT; i++)
        count_set(bed->ip.counters, (enum counter)i, 0);
    bed->application = (struct tcp_application){bed,
                                                0,
                                                bed_on_opened,
                                                bed_on_readable,
                                                bed_on_writable,
                                                bed_on_finished,
                                                bed_on_expired,
                                                bed_on_closed};
    bed_interface(&bed->ip.interfaces[0], (uint16_t)bed_or(o->mtu, BED_MTU));
    CHECK(tcp_listeners_add_interface(
              &listeners, &bed->ip.interfaces[0], (uint16_t)bed_or(o->port, BED_PORT),
              o->application != NULL ? o->application : &bed->application) == STATUS_OK);
    if (o->second != NULL)
        CHECK(tcp_listeners_add_interface(&listeners, &bed->ip.interfaces[0], BED_SECOND_PORT,
                                          o->second) == STATUS_OK);
    CHECK(tcp_endpoint_create(&bed->endpoint, &bed->store, bed->ip.counters, &bed->output,
                              &listeners, &limits, &secret, bed->now_ns) == STATUS_OK);
    bed->ip.upper = tcp_upper(&bed->endpoint);
    bed->ip.output = &bed->output;
}

void bed_open(struct bed *bed, const struct bed_options *options)
{
    bed_make(bed, options != NULL ? bed_or(options->blocks, BED_BLOCKS) : BED_BLOCKS);
    bed_start(bed, options);
}

static void bed_abort(void *context, struct tcp_connection *connection, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    tcp_abort(connection);
}

/* The sums that counters.h promises. */
static void bed_check_counters(const struct bed *bed)
{
    CHECK(bed_counted(bed) == bed->given);
    CHECK(bed_counter(bed, COUNTER_CONNECTIONS_OPENED) ==
          bed_counter(bed, COUNTER_CLOSED_NORMAL) + bed_counter(bed, COUNTER_CLOSED_RESET) +
              bed_counter(bed, COUNTER_CLOSED_TIMEOUT) + bed_counter(bed, COUNTER_CLOSED_ABORTED) +
              bed_counter(bed, COUNTER_CLOSED_EVICTED));
    CHECK(bed_counter(bed, COUNTER_SYN_KEPT) == bed_counter(bed, COUNTER_HALF_OPEN_COMPLETED) +
                                                    bed_counter(bed, COUNTER_HALF_OPEN_EXPIRED) +
                                                    bed_counter(bed, COUNTER_HALF_OPEN_RESET));
    CHECK(bed_counter(bed, COUNTER_CONNECTIONS_OPEN) == 0);
    CHECK(bed_counter(bed, COUNTER_HALF_OPEN) == 0);
}

void bed_stop(struct bed *bed)
{
    int64_t until = bed->now_ns + BED_FORGET_NS;

    bed->buffers = BED_UNLIMITED;
    tcp_each(&bed->endpoint, bed_abort, bed, bed->now_ns);
    bed_flush(bed);
    while (bed->now_ns < until &&
           (bed->endpoint.connection_count > 0 || bed->endpoint.half_open_count > 0)) {
        bed->now_ns += 100 * BED_MS;
        (void)tcp_timers(&bed->endpoint, bed->now_ns, 1024);
        bed_flush(bed);
    }
    CHECK(bed->endpoint.connection_count == 0);
    CHECK(bed->endpoint.half_open_count == 0);
    CHECK(bed->endpoint.time_wait.count == 0);
    CHECK(bed->endpoint.dirty == TCP_NONE);
    CHECK(bed->store.free_count == bed->blocks);
    CHECK(bed->opened == bed->closed);
    bed_check_counters(bed);
    tcp_endpoint_destroy(&bed->endpoint, bed->now_ns);
    store_fini(&bed->store);
}

void bed_close(struct bed *bed)
{
    bed_stop(bed);
    bed_unmake(bed);
}

void bed_forget(struct bed *bed)
{
    tcp_endpoint_destroy(&bed->endpoint, bed->now_ns);
    store_fini(&bed->store);
    bed_unmake(bed);
}

enum counter bed_input(struct bed *bed, const uint8_t *bytes, uint32_t length)
{
    /* Exactly as long as the frame, so that a sanitizer sees a read past it. */
    uint8_t *copy = malloc(length > 0 ? length : 1);
    struct packet_view view = {copy, length, false, false};
    enum counter outcome;

    CHECK(copy != NULL);
    memcpy(copy, bytes, length);
    bed->given++;
    outcome = ip_input(&bed->ip, &view, 0, bed->now_ns);
    free(copy);
    CHECK(outcome >= COUNTER_FRAME_SHORT && outcome <= COUNTER_TCP_IN_REFUSED);
    CHECK(bed_counted(bed) == bed->given);
    return outcome;
}

void bed_flush(struct bed *bed)
{
    (void)tcp_flush(&bed->endpoint, bed->now_ns);
    CHECK(bed->endpoint.dirty == TCP_NONE);
}

void bed_advance(struct bed *bed, int64_t ns)
{
    while (ns > 0) {
        int64_t step = ns < BED_MS ? ns : BED_MS;

        ns -= step;
        bed->now_ns += step;
        (void)tcp_timers(&bed->endpoint, bed->now_ns, 64);
        bed_flush(bed);
    }
}

const struct bed_frame *bed_next(struct bed *bed)
{
    const struct bed_frame *frame = &bed->queue[bed->queue_first];

    if (bed->queue_count == 0)
        return NULL;
    bed->queue_first = (bed->queue_first + 1) % BED_QUEUE;
    bed->queue_count--;
    return frame;
}

void bed_drain(struct bed *bed)
{
    bed->queue_count = 0;
}
