/* One established connection, driven by a program: the input's bytes are commands that send
 * segments, let time pass, read, reply, take blocks and packet buffers away, and close.
 *
 * The byte at any place of either stream follows from the place alone. Oracles: what is delivered
 * is what stands there, in order and without a gap; acknowledgements never go back nor beyond what
 * was sent; the window's edge is never retracted (by more than its scale can say); selective
 * acknowledgements name only bytes that were sent; replies and retransmissions carry what stands at
 * their place and stay within what was queued; at the end every block comes back.
 */
#include <stdint.h>
#include <string.h>

#include "tests/unit/ip/rig.h"

#define FUZZ_BYTES_MAX 4096u
#define FUZZ_BLOCKS    24u
#define FUZZ_HEAD      3u
#define FUZZ_REPLY_KEY 0x5au

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static struct rig rig;
static struct client client;

/* What must hold of the connection under test. */
static struct fuzz_model {
    const uint8_t *program;
    size_t left;
    uint32_t delivered;    /* bytes the application has taken */
    uint32_t checked;      /* bytes seen to be right */
    uint32_t sent_end;     /* highest sequence number the client has sent, FIN included */
    uint32_t acknowledged; /* highest acknowledgement seen */
    uint32_t edge;         /* highest edge seen */
    uint32_t replied;      /* bytes the application has queued */
    uint32_t reply_seen;   /* sequence number after the newest reply byte seen */
    bool closing;          /* by the application */
    uint32_t taken[FUZZ_BLOCKS];
    uint32_t taken_count;
} model;

static uint8_t fuzz_byte(void)
{
    if (model.left == 0)
        return 0;
    model.left--;
    return *model.program++;
}

static bool fuzz_live(void)
{
    return rig.opened == 1 && rig.connection != NULL && !rig.connection->dying;
}

/* A connection after the first one: of no interest. */
static void fuzz_opened(struct rig *where, struct tcp_connection *connection)
{
    if (where->opened > 1)
        tcp_abort(connection);
}

/* The unconsumed bytes [from, to) are what stands there. */
static void fuzz_check_bytes(uint32_t from, uint32_t to)
{
    struct block_span span;

    for (uint32_t skip = from; skip < to; skip += span.length) {
        CHECK(tcp_peek(rig.connection, skip, &span));
        CHECK(span.length > 0 && span.length <= tcp_readable(rig.connection) - skip);
        if (span.length > to - skip)
            span.length = to - skip;
        for (uint32_t i = 0; i < span.length; i++)
            CHECK(span.bytes[i] == client_byte(model.delivered + skip + i));
    }
}

/* What has become readable since the last look. */
static void fuzz_check_stream(void)
{
    uint32_t readable;
    struct block_span span;

    if (!fuzz_live() || model.closing)
        return;
    readable = tcp_readable(rig.connection);
    fuzz_check_bytes(model.checked - model.delivered, readable);
    model.checked = model.delivered + readable;
    CHECK(!tcp_peek(rig.connection, readable, &span));
    CHECK(seq_at_or_before(client.first + model.checked, model.sent_end));
}

static void fuzz_check_frame(const struct rig_frame *frame)
{
    const struct tcp_header *tcp = &frame->tcp;
    uint32_t offset = tcp->seq - client.own;

    for (uint32_t i = 0; i < tcp->payload_length; i++)
        CHECK(tcp->payload[i] == (uint8_t)(client_byte(offset + i) ^ FUZZ_REPLY_KEY));
    CHECK(tcp->payload_length == 0 || offset + tcp->payload_length <= model.replied);
    CHECK(frame->length <= 54u + client.mss);
    if ((tcp->flags & TCP_FLAG_FIN) != 0) {
        CHECK(model.closing && offset + tcp->payload_length == model.replied);
    }
    if ((tcp->flags & TCP_FLAG_RST) != 0)
        return;
    model.reply_seen =
        seq_later(model.reply_seen,
                  tcp->seq + tcp->payload_length + ((tcp->flags & TCP_FLAG_FIN) != 0 ? 1u : 0u));
    CHECK((tcp->flags & TCP_FLAG_ACK) != 0);
    CHECK(seq_at_or_before(model.acknowledged, tcp->ack));
    CHECK(seq_at_or_before(tcp->ack, model.sent_end));
    model.acknowledged = tcp->ack;
    CHECK(seq_after(client_edge(&client, frame), model.edge - TCP_EDGE_SLACK));
    if (client.scale < 0)
        CHECK(seq_at_or_before(model.edge, client_edge(&client, frame)));
    model.edge = seq_later(model.edge, client_edge(&client, frame));
    for (unsigned i = 0; i < frame->sack_count; i++) {
        CHECK(seq_before(frame->sack[i][0], frame->sack[i][1]));
        CHECK(seq_at_or_before(frame->sack[i][1], model.sent_end));
    }
    if (tcp->has_timestamp)
        client.echo = tcp->timestamp;
}

static void fuzz_look(void)
{
    const struct rig_frame *frame;

    while ((frame = rig_next(&rig)) != NULL) {
        if (rig.opened == 1 && frame->segment && (frame->tcp.flags & TCP_FLAG_SYN) == 0)
            fuzz_check_frame(frame);
    }
    fuzz_check_stream();
}

/* Where a segment begins: near what is expected, near the edge, or anywhere. */
static uint32_t fuzz_place(uint8_t choice)
{
    uint32_t near = (uint32_t)fuzz_byte();

    switch (choice % 8) {
    case 0:
    case 1:
        return model.acknowledged;
    case 2:
        return model.acknowledged + near * 64;
    case 3:
        return model.acknowledged - near * 16;
    case 4:
        return model.edge - near;
    case 5:
        return model.edge + near;
    case 6:
        return model.acknowledged + near;
    default:
        return client.first + near * 0x01010101u;
    }
}

static void fuzz_segment(uint8_t choice)
{
    static const uint8_t flags[8] = {TCP_FLAG_ACK,
                                     TCP_FLAG_ACK,
                                     TCP_FLAG_ACK | TCP_FLAG_PSH,
                                     TCP_FLAG_ACK | TCP_FLAG_FIN,
                                     TCP_FLAG_ACK | TCP_FLAG_URG,
                                     TCP_FLAG_RST,
                                     TCP_FLAG_SYN,
                                     0};
    uint8_t shape = fuzz_byte();
    uint32_t length = (uint32_t)fuzz_byte() * (shape % 4 == 0 ? 5 : 1);
    uint32_t seq = fuzz_place(choice);
    uint8_t flag = flags[(shape >> 2) % 8];
    uint8_t payload[255 * 5];
    uint32_t end = seq + length + ((flag & TCP_FLAG_FIN) != 0 ? 1 : 0);

    /* Seldom anything else than data. */
    if ((flag == TCP_FLAG_RST || flag == TCP_FLAG_SYN || flag == 0) && (shape & 0xc0) != 0xc0)
        flag = TCP_FLAG_ACK;
    for (uint32_t i = 0; i < length; i++)
        payload[i] = client_byte(seq - client.first + i);
    if (seq - client.first < 0x40000000u)
        model.sent_end = seq_later(model.sent_end, end);
    else
        model.sent_end = seq_later(model.sent_end, client.first + 0x10000000u);
    (void)client_send(&client, flag, seq, payload, length);
}

/* Which acknowledgement and window the next segments carry. */
static void fuzz_acknowledge(uint8_t choice)
{
    uint8_t value = fuzz_byte();

    switch (choice % 4) {
    case 0:
        client.ack = model.reply_seen;
        break;
    case 1:
        client.ack = model.reply_seen - value;
        break;
    case 2:
        client.ack = model.reply_seen + value;
        break;
    default:
        client.window = (uint16_t)(value * (value > 128 ? 257 : 8));
        return;
    }
    (void)client_send(&client, TCP_FLAG_ACK, model.acknowledged, NULL, 0);
}

static void fuzz_application(uint8_t choice)
{
    uint8_t bytes[2048];
    uint32_t length = (uint32_t)fuzz_byte() * 8;

    if (!fuzz_live())
        return;
    switch (choice % 8) {
    case 0:
    case 1:
    case 2:
        if (length > tcp_readable(rig.connection))
            length = tcp_readable(rig.connection);
        fuzz_check_bytes(0, length); /* once more: nothing may have changed since */
        tcp_consume(rig.connection, length);
        model.delivered += length;
        model.checked = seq_later(model.checked, model.delivered);
        break;
    case 3:
    case 4:
        for (uint32_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)(client_byte(model.replied + i) ^ FUZZ_REPLY_KEY);
        if (tcp_send(rig.connection, bytes, length) == STATUS_OK)
            model.replied += length;
        break;
    case 5:
        (void)tcp_expect(rig.connection, (enum tcp_expect)(length / 8 % 3));
        break;
    case 6:
        tcp_set_deadline(rig.connection,
                         length == 0 ? 0 : rig.now_ns + (int64_t)length * length * RIG_MS);
        break;
    default:
        if (length % 32 != 0)
            break;
        model.closing = true;
        if (length % 128 == 0)
            tcp_abort(rig.connection);
        else
            tcp_close(rig.connection);
        break;
    }
}

static void fuzz_shortage(uint8_t choice)
{
    if (choice % 4 == 0) {
        rig.buffers = fuzz_byte() % 8;
    } else if (choice % 4 == 1) {
        rig.buffers = RIG_UNLIMITED;
    } else if (choice % 4 == 2) {
        for (uint8_t n = fuzz_byte() % FUZZ_BLOCKS; n > 0; n--) {
            uint32_t block = block_take(&rig.store, BLOCK_FOR_TABLE);

            if (block != MESSAGE_BLOCK_NONE)
                model.taken[model.taken_count++] = block;
        }
    } else {
        while (model.taken_count > 0)
            block_give(&rig.store, model.taken[--model.taken_count]);
    }
}

static void fuzz_pass_time(uint8_t choice)
{
    static const int64_t steps[8] = {1,
                                     RIG_MS,
                                     5 * RIG_MS,
                                     50 * RIG_MS,
                                     300 * RIG_MS,
                                     1100 * RIG_MS,
                                     5 * RIG_SECOND,
                                     70 * RIG_SECOND};
    int64_t ns = steps[choice % 8];

    client.clock += (uint32_t)(ns / RIG_MS);
    for (int64_t step = ns / 20 + 1; ns > 0; ns -= step) {
        rig.now_ns += step;
        (void)tcp_timers(&rig.endpoint, rig.now_ns, 64);
        rig_flush(&rig);
        fuzz_look();
    }
}

static void fuzz_run(void)
{
    while (model.left > 0) {
        uint8_t command = fuzz_byte();
        uint8_t choice = command >> 4;

        switch (command % 8) {
        case 0:
        case 1:
        case 2:
            fuzz_segment(choice);
            break;
        case 3:
            fuzz_acknowledge(choice);
            break;
        case 4:
        case 5:
            fuzz_application(choice);
            break;
        case 6:
            fuzz_pass_time(choice);
            break;
        default:
            fuzz_shortage(choice);
            break;
        }
        if ((command & 8) != 0)
            rig_flush(&rig);
        fuzz_look();
    }
}

static void fuzz_connect(const uint8_t head[FUZZ_HEAD])
{
    static const uint16_t sizes[4] = {RIG_MSS, 536, 1000, 64};

    client_init(&client, &rig, 1);
    client.sack = (head[0] & 1) != 0;
    client.timestamps = (head[0] & 2) != 0;
    client.scale = (head[0] & 4) != 0 ? head[0] >> 5 : -1;
    client.mss = sizes[head[0] >> 3 & 3];
    client.initial = (uint32_t)head[1] * 0x01010101u - head[2];
    client_connect(&client);
    model.acknowledged = client.first;
    model.sent_end = client.first;
    model.edge = client.first + TCP_COMMAND_WINDOW;
    model.reply_seen = client.own;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static const struct rig_options options = {.connections = 4, .half_open = 4};
    static bool ready;

    if (length < FUZZ_HEAD || length > FUZZ_BYTES_MAX)
        return 0;
    if (!ready)
        rig_make(&rig, FUZZ_BLOCKS);
    ready = true;
    rig_start(&rig, &options);
    rig.keep = true;
    rig.on_opened = fuzz_opened;
    model = (struct fuzz_model){.program = input + FUZZ_HEAD, .left = length - FUZZ_HEAD};
    fuzz_connect(input);
    fuzz_run();
    fuzz_shortage(3);
    rig_flush(&rig);
    fuzz_look();
    rig_stop(&rig);
    return 0;
}
