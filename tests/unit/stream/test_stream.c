/* The seam between SMTP and what carries it: a second kind of stream with a real SMTP server on it,
 * and several listeners at one endpoint. Everything below is the real TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stream/mail.h"
#include "tests/unit/stream/sealed.h"

static struct rig rig;
static struct mail mail;
static struct sealed_kind sealed;

static uint8_t heard[65536]; /* by the client, as on the wire */
static uint32_t heard_length;
static char plain[65536];
static uint32_t plain_length;

static void send_all(struct client *client, const uint8_t *bytes, uint32_t length, uint32_t piece)
{
    while (length > 0) {
        uint32_t part = piece < length ? piece : length;

        assert_int_equal(client_send(client, TCP_FLAG_ACK, client->seq, bytes, part),
                         COUNTER_TCP_IN_ACCEPTED);
        client->seq += part;
        bytes += part;
        length -= part;
        rig_flush(&rig);
        for (const struct rig_frame *frame; (frame = client_next(client)) != NULL;) {
            memcpy(heard + heard_length, frame->tcp.payload, frame->tcp.payload_length);
            heard_length += frame->tcp.payload_length;
            if (frame->tcp.payload_length > 0)
                (void)client_send_ack(client, client->ack);
        }
    }
}

/* Nothing but an acknowledgement: what waits comes out. */
static void listen_on(struct client *client)
{
    rig_flush(&rig);
    for (const struct rig_frame *frame; (frame = client_next(client)) != NULL;) {
        memcpy(heard + heard_length, frame->tcp.payload, frame->tcp.payload_length);
        heard_length += frame->tcp.payload_length;
        (void)client_send_ack(client, client->ack);
        rig_flush(&rig);
    }
}

/* Takes the records apart that came after the hello. */
static const char *unseal(void)
{
    uint32_t at = SEALED_HELLO_BYTES;
    uint32_t key = 0;

    plain_length = 0;
    assert_memory_equal(heard, SEALED_HELLO, SEALED_HELLO_BYTES);
    while (at < heard_length) {
        uint32_t length = (uint32_t)heard[at] << 8 | heard[at + 1];

        assert_true(at + 2 + length <= heard_length);
        for (uint32_t i = 0; i < length; i++)
            plain[plain_length++] = (char)(heard[at + 2 + i] ^ sealed_key(key++));
        at += 2 + length;
    }
    plain[plain_length] = '\0';
    return plain;
}

/* The same handshake as client_connect(), but what is said at once stays in the queue. */
static void connect_client(struct client *client)
{
    const struct rig_frame *frame;

    assert_int_equal(client_syn(client), COUNTER_TCP_IN_ACCEPTED);
    frame = client_next(client);
    assert_non_null(frame);
    client->own = frame->tcp.seq + 1;
    client->ack = client->own;
    client->seq = client->first;
    assert_int_equal(client_send(client, TCP_FLAG_ACK, client->seq, NULL, 0),
                     COUNTER_TCP_IN_ACCEPTED);
    heard_length = 0;
}

/* Both halves end, whoever was first. */
static void leave(struct client *client)
{
    (void)client_send(client, TCP_FLAG_FIN | TCP_FLAG_ACK, client->seq, NULL, 0);
    client->seq++;
    listen_on(client);
    rig_flush(&rig);
}

static void open_sealed(void)
{
    struct rig_options options = {.blocks = 256, .window_bytes = 65536};

    /* The kind needs the store before there is one: its address does not change. */
    sealed_kind_init(&sealed, &rig.store);
    rig_make(&rig, 256);
    mail_init(&mail, &rig, &sealed.kind, "sealed.example.com");
    options.application = &mail.listener.below;
    rig_start(&rig, &options);
    mail.server.counters = region_counters(&rig.region, 0);
}

static uint32_t say_sealed(uint8_t *wire, uint32_t used, const char *text, uint32_t piece,
                           uint32_t *key)
{
    uint32_t length = (uint32_t)strlen(text);

    while (length > 0) {
        uint32_t part = piece < length ? piece : length;

        used += sealed_record(wire + used, text, part, key);
        text += part;
        length -= part;
    }
    return used;
}

static const char *const dialogue = "EHLO client.example\r\n"
                                    "MAIL FROM:<alice@client.example>\r\n"
                                    "RCPT TO:<bob@example.com>\r\n"
                                    "DATA\r\n";

/* A whole mail through records and segments of unlike sizes, dots and all. */
/* What the client says first. */
static void begin_sealed(uint8_t *wire)
{
    for (size_t i = 0; i < SEALED_HELLO_BYTES; i++)
        wire[i] = (uint8_t)SEALED_HELLO[i];
}

static void test_sealed_mail(void **state)
{
    static const uint32_t pieces[][2] = {{1000, 1400}, {7, 3}, {1, 1400}, {333, 1}};
    static char body[20100];
    static uint8_t wire[131072];
    uint32_t length = 0;

    (void)state;
    for (unsigned line = 0; line < 400; line++)
        length += (uint32_t)sprintf(body + length, "%sline %u of a mail that is sealed\r\n",
                                    line % 7 == 0 ? ".." : "", line);
    memcpy(body + length, ".\r\n", sizeof(".\r\n"));
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct client client;
        uint32_t key = 0;
        uint32_t used = SEALED_HELLO_BYTES;
        const char *at;

        open_sealed();
        client_init(&client, &rig, 1);
        connect_client(&client);
        listen_on(&client);
        assert_int_equal(heard_length, 0); /* no banner before the handshake of the kind */
        begin_sealed(wire);
        used = say_sealed(wire, used, dialogue, pieces[i][0], &key);
        used = say_sealed(wire, used, body, pieces[i][0], &key);
        send_all(&client, wire, used, pieces[i][1]);
        listen_on(&client);
        assert_non_null(mail.submitted);
        mail_accept(&mail, rig.now_ns);
        used = say_sealed(wire, 0, "QUIT\r\n", pieces[i][0], &key);
        send_all(&client, wire, used, pieces[i][1]);
        listen_on(&client);
        assert_null(memmem(heard, heard_length, "250", 3)); /* sealed, indeed */
        at = unseal();
        assert_memory_equal(at, "220 sealed.example.com ", 23);
        assert_non_null(at = strstr(at, "\r\n354 "));
        assert_non_null(at = strstr(at, "] Ok: kept\r\n"));
        assert_non_null(strstr(at, "\r\n221 "));
        /* What the mail is: every dot that was put before a dot has gone. */
        assert_int_equal(mail.length, length - (400 + 6) / 7);
        assert_memory_equal(mail.bytes, ".line 0 of a mail that is sealed\r\nline 1 ", 41);
        leave(&client);
        rig_close(&rig);
        mail_fini(&mail);
    }
}

/* SMTP hears nothing of a stream whose handshake fails or never ends. */
static void test_sealed_handshake(void **state)
{
    struct client client;

    (void)state;
    open_sealed();
    client_init(&client, &rig, 1);
    connect_client(&client);
    send_all(&client, (const uint8_t *)"EHLO", 4, 4);
    assert_int_equal(rig.endpoint.connection_count, 0);
    client_init(&client, &rig, 2);
    connect_client(&client);
    send_all(&client, (const uint8_t *)"SEA", 3, 3);
    smtp_server_drain(&mail.server, rig.now_ns);
    assert_int_equal(rig.endpoint.connection_count, 1);
    rig_advance(&rig, 11 * RIG_SECOND);
    assert_int_equal(rig.endpoint.connection_count, 0);
    assert_int_equal(rig_counter(&rig, COUNTER_CLOSED_ABORTED), 2);
    rig_close(&rig);
    mail_fini(&mail);
}

/* A sender that goes in the middle of a mail: the kind's blocks come back, too (rig_close()). */
static void test_sealed_broken_off(void **state)
{
    static uint8_t wire[4096];
    struct client client;
    uint32_t key = 0;
    uint32_t used = SEALED_HELLO_BYTES;

    (void)state;
    open_sealed();
    client_init(&client, &rig, 1);
    connect_client(&client);
    begin_sealed(wire);
    used = say_sealed(wire, used, dialogue, 50, &key);
    used = say_sealed(wire, used, "Subject: half\r\n\r\nhalf a li", 50, &key);
    send_all(&client, wire, used, 100);
    assert_true(client_send(&client, TCP_FLAG_RST, client.seq, NULL, 0) == COUNTER_TCP_IN_RESET);
    assert_int_equal(mail.concluded, 1);
    rig_close(&rig);
    mail_fini(&mail);
}

/* Another application: says every byte again. */
struct echo {
    unsigned opened;
    unsigned closed;
};

static void echo_opened(void *context, struct stream *stream, int64_t now_ns)
{
    struct echo *echo = context;
    const uint8_t *session = stream_session(stream);

    (void)now_ns;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(session[i], 0);
    memset(stream_session(stream), 0xff, 100);
    echo->opened++;
}

static void echo_readable(void *context, struct stream *stream, int64_t now_ns)
{
    struct block_span span;

    (void)context;
    (void)now_ns;
    while (stream_peek(stream, 0, &span)) {
        assert_int_equal(stream_send(stream, span.bytes, span.length), STATUS_OK);
        stream_consume(stream, span.length);
    }
}

static void echo_end(void *context, struct stream *stream, int64_t now_ns)
{
    (void)context;
    (void)now_ns;
    stream_close(stream);
}

static void echo_closed(void *context, struct stream *stream, int64_t now_ns)
{
    struct echo *echo = context;

    (void)stream;
    (void)now_ns;
    echo->closed++;
}

static void test_two_applications(void **state)
{
    struct echo echo = {0};
    struct stream_listener second = {.application = {.context = &echo,
                                                     .session_bytes = 100,
                                                     .opened = echo_opened,
                                                     .readable = echo_readable,
                                                     .writable = echo_readable,
                                                     .finished = echo_end,
                                                     .expired = echo_end,
                                                     .closed = echo_closed}};
    struct rig_options options = {.second = &second.below};
    struct client sender, talker;

    (void)state;
    stream_listener_init(&second);
    rig_make(&rig, RIG_BLOCKS);
    mail_init(&mail, &rig, NULL, "mx.example.com");
    options.application = &mail.listener.below;
    rig_start(&rig, &options);
    client_init(&talker, &rig, 2);
    talker.server_port = RIG_SECOND_PORT;
    connect_client(&talker);
    send_all(&talker, (const uint8_t *)"NOOP\r\n", 6, 2);
    assert_int_equal(echo.opened, 1);
    assert_int_equal(heard_length, 6);
    assert_memory_equal(heard, "NOOP\r\n", 6);
    client_init(&sender, &rig, 1);
    connect_client(&sender);
    listen_on(&sender);
    assert_memory_equal(heard, "220 mx.example.com ", 19);
    /* Draining mail sends its connections away, not the other application's. */
    smtp_server_drain(&mail.server, rig.now_ns);
    listen_on(&sender);
    assert_non_null(memmem(heard, heard_length, "\r\n421 4.3.2 ", 12));
    heard_length = 0;
    send_all(&talker, (const uint8_t *)"still", 5, 5);
    assert_memory_equal(heard, "still", 5);
    leave(&talker);
    assert_int_equal(echo.closed, 1);
    leave(&sender);
    rig_close(&rig);
    mail_fini(&mail);
}

/* The same port at another address is another listener; what nobody listens for is refused. */
static void test_listener_table(void **state)
{
    static const struct tcp_application one, other;
    struct tcp_listeners listeners = {.count = 0};
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff, 198, 18, 0, 1};

    (void)state;
    assert_int_equal(tcp_listeners_add(&listeners, address, 25, &one), STATUS_OK);
    assert_int_equal(tcp_listeners_add(&listeners, address, 25, &one), STATUS_OK);
    assert_int_equal(listeners.count, 1);
    assert_int_equal(tcp_listeners_add(&listeners, address, 25, &other), STATUS_BAD_ARGUMENT);
    for (uint32_t i = 1; i < TCP_LISTENERS_MAX; i++) {
        address[15] = (uint8_t)(1 + i);
        assert_int_equal(tcp_listeners_add(&listeners, address, 25, &other), STATUS_OK);
    }
    assert_int_equal(tcp_listeners_add(&listeners, address, 26, &other), STATUS_NO_SPACE);
    assert_int_equal(listeners.count, TCP_LISTENERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sealed_mail),       cmocka_unit_test(test_sealed_handshake),
        cmocka_unit_test(test_sealed_broken_off), cmocka_unit_test(test_two_applications),
        cmocka_unit_test(test_listener_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
