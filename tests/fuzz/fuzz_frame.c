/* Arbitrary frames at arbitrary times into the packet code with a listening endpoint.
 *
 * The input is a run of records: one byte of command and time, two bytes of length, the frame. The
 * high bit of the command asks for the checksums (and the acknowledgement of what we sent last) to
 * be mended, so that mutations reach beyond them; another flushes; the others let time pass.
 * Oracles: no crash; every frame counted once; what is sent is well formed (rig.c looks at each);
 * everything comes to an end and every block comes back.
 */
#include <stdint.h>
#include <string.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/flow.h"
#include "tests/unit/ip/rig.h"

#define FUZZ_BYTES_MAX   16384u
#define FUZZ_BLOCKS      8u
#define FUZZ_MEND        0x80u
#define FUZZ_ACKNOWLEDGE 0x40u
#define FUZZ_FLUSH       0x20u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static struct rig rig;
static const struct siphash_key flow_key = {{1, 2}};

static void fuzz_readable(struct rig *where, struct tcp_connection *connection)
{
    (void)where;
    if (tcp_send_space(connection) > 100)
        CHECK(tcp_send(connection, "250 2.0.0 Ok\r\n", 14) != STATUS_CLOSED);
}

static void fuzz_finished(struct rig *where, struct tcp_connection *connection)
{
    (void)where;
    tcp_close(connection);
}

/* Where layer 3 begins, or 0 when there is not enough of it for a header. */
static uint32_t fuzz_layer_3(const uint8_t *frame, uint32_t length, uint16_t *type)
{
    uint32_t at = FRAME_ETHERNET_BYTES;

    if (length < at + FRAME_VLAN_BYTES + FRAME_IPV4_BYTES)
        return 0;
    *type = bytes_get16(frame + 12);
    if (*type == FRAME_TYPE_VLAN) {
        at += FRAME_VLAN_BYTES;
        *type = bytes_get16(frame + 16);
    }
    return at;
}

static void fuzz_put_checksum(uint8_t *at, uint64_t sum)
{
    uint16_t checksum = (uint16_t)~checksum_fold(sum);

    memcpy(at, &checksum, sizeof(checksum));
}

/* The transport checksum of `bytes` of `protocol`, addresses at `source`. */
static void fuzz_mend_transport(uint8_t *transport, uint32_t bytes, uint8_t protocol,
                                const uint8_t *source, size_t address_bytes, uint32_t ack)
{
    uint32_t place = protocol == FRAME_PROTOCOL_TCP ? 16 : 2;
    uint64_t sum = checksum_pseudo(source, source + address_bytes, address_bytes, protocol, bytes);

    if (bytes < place + 2)
        return;
    if (protocol == FRAME_PROTOCOL_TCP && ack != 0)
        bytes_put32(transport + 8, ack);
    if (protocol == FRAME_PROTOCOL_ICMP)
        sum = 0;
    memset(transport + place, 0, 2);
    fuzz_put_checksum(transport + place, checksum_add(sum, transport, bytes));
}

/* Ours, and right in every sum. `ack`: what to acknowledge in TCP, or 0. */
static void fuzz_mend(uint8_t *frame, uint32_t length, uint32_t ack)
{
    uint16_t type;
    uint32_t at = fuzz_layer_3(frame, length, &type);
    uint8_t *ip = frame + at;

    if (at == 0)
        return;
    memcpy(frame, RIG_MAC, 6);
    if (type == FRAME_TYPE_IPV4) {
        uint32_t header = (uint32_t)(ip[0] & 0x0f) * 4;

        if (header < FRAME_IPV4_BYTES || at + header > length)
            return;
        ip[0] = (uint8_t)(0x40 | (ip[0] & 0x0f));
        bytes_put16(ip + 2, (uint16_t)(length - at));
        memcpy(ip + 16, RIG_ADDRESS, 4);
        memset(ip + 10, 0, 2);
        fuzz_put_checksum(ip + 10, checksum_add(0, ip, header));
        fuzz_mend_transport(ip + header, length - at - header, ip[9], ip + 12, 4, ack);
    } else if (type == FRAME_TYPE_IPV6 && length >= at + FRAME_IPV6_BYTES) {
        ip[0] = (uint8_t)(0x60 | (ip[0] & 0x0f));
        bytes_put16(ip + 4, (uint16_t)(length - at - FRAME_IPV6_BYTES));
        fuzz_mend_transport(ip + FRAME_IPV6_BYTES, length - at - FRAME_IPV6_BYTES, ip[6], ip + 8,
                            16, ack);
    }
}

/* What the newest segment we sent would have acknowledged. */
static uint32_t fuzz_newest(uint32_t before)
{
    const struct rig_frame *frame;

    while ((frame = rig_next(&rig)) != NULL) {
        if (frame->segment)
            before = frame->tcp.seq + frame->tcp.payload_length +
                     ((frame->tcp.flags & (TCP_FLAG_SYN | TCP_FLAG_FIN)) != 0 ? 1u : 0u);
    }
    return before;
}

static void fuzz_pass_time(uint8_t command)
{
    static const int64_t steps[8] = {
        0, 1, RIG_MS, 50 * RIG_MS, RIG_SECOND, 5 * RIG_SECOND, 70 * RIG_SECOND, 200 * RIG_SECOND};
    int64_t ns = steps[command & 7];

    if (ns > RIG_SECOND) {
        rig.now_ns += ns;
        (void)tcp_timers(&rig.endpoint, rig.now_ns, 1000);
        rig_flush(&rig);
    } else if (ns > 0) {
        rig_advance(&rig, ns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static const struct rig_options options = {
        .connections = 6, .half_open = 4, .connections_a_client = 4};
    static bool ready;
    uint8_t frame[1518];
    uint32_t newest = 0;

    if (length > FUZZ_BYTES_MAX)
        return 0;
    if (!ready)
        rig_make(&rig, FUZZ_BLOCKS);
    ready = true;
    rig_start(&rig, &options);
    rig.on_readable = fuzz_readable;
    rig.on_finished = fuzz_finished;
    while (length >= 3) {
        uint8_t command = input[0];
        uint32_t bytes = bytes_get16(input + 1) % sizeof(frame);

        input += 3;
        length -= 3;
        bytes = bytes < length ? bytes : (uint32_t)length;
        memcpy(frame, input, bytes);
        input += bytes;
        length -= bytes;
        if ((command & FUZZ_MEND) != 0)
            fuzz_mend(frame, bytes, (command & FUZZ_ACKNOWLEDGE) != 0 ? newest : 0);
        (void)net_flow_hash(&flow_key, frame, bytes);
        (void)rig_input(&rig, frame, bytes);
        if ((command & FUZZ_FLUSH) != 0)
            rig_flush(&rig);
        fuzz_pass_time(command);
        newest = fuzz_newest(newest);
    }
    rig_stop(&rig);
    return 0;
}
