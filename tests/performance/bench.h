/* bench.h: the packet code between two arrays of frames: no NIC, no DPDK, no kernel.
 *
 * The real dataplane/net, ip, tcp, stream, message and smtp, driven as the worker's loop drives
 * them: a burst of at most BENCH_BURST frames, then answers to submitted messages, timers, flush.
 * Only that is timed (bench_serve(); callgrind collects in bench_serve_counted() alone): the
 * clients that make the frames and read the answers do so outside, and their own cost is kept
 * beside it.
 *
 * Frames lie in pools larger than the second-level cache, as in a port's packet buffers; payload is
 * written into them once and only headers are patched for each packet. Time is virtual.
 *
 * A measurement that does not go as it should (a packet counted as anything but accepted, a reply
 * of another code) ends the program by CHECK(): a speed of something else is worth nothing.
 *
 * Threads: one. Memory: bench_open() takes all of it, bench_close() gives it back.
 */
#ifndef TESTS_PERFORMANCE_BENCH_H
#define TESTS_PERFORMANCE_BENCH_H

#include "dataplane/counting.h"
#include "dataplane/ip/interface.h"
#include "dataplane/net/frame.h"
#include "dataplane/smtp/session.h"
#include "dataplane/tcp/connection.h"
#include "dataplane/tcp/wire.h"
#include "platform/check.h"

#define BENCH_BURST         32u
#define BENCH_FRAME_BYTES   2048u
#define BENCH_FRAMES        4096u /* of a pool: 8 MiB */
#define BENCH_SMALL_FRAMES  256u
#define BENCH_HEADER_BYTES  66u /* Ethernet, IPv4, TCP with timestamps */
#define BENCH_SEGMENT_BYTES 1448u
#define BENCH_LINE_BYTES    78u /* of message text, CRLF included: what base64 has */
#define BENCH_MESSAGES      4096u
#define BENCH_PORT          25u
#define BENCH_ROUNDS        5u /* the least disturbed of them is printed, and the middle one */

enum bench_application {
    BENCH_SMTP,
    BENCH_READER, /* reserves a window of blocks, reads and forgets */
};

struct bench_options {
    enum bench_application application;
    uint32_t connections;
    uint32_t half_open;
    uint32_t blocks;
    uint32_t messages;
    bool verify; /* checksums in software, both ways */
};

/* One client's connection, as a well-behaved peer keeps it. */
struct peer {
    uint32_t seq;  /* next to send */
    uint32_t ack;  /* next expected */
    uint32_t edge; /* right edge of the server's window */
    uint32_t echo; /* newest timestamp of the server */
    uint16_t port;
    uint16_t code; /* of the last reply line */
    bool finished; /* the server's FIN has come */
};

struct bench {
    struct counting counting; /* first: it is aligned to a cache line */
    struct region region;
    struct store store;
    struct tcp_endpoint endpoint;
    struct packet_output output;
    struct ip_host ip;
    struct smtp_server smtp;
    struct stream_listener mail;
    struct tcp_application reader;
    struct smtp_customers *table;
    struct config config;
    struct config_customer customer;
    struct region_counters *counters; /* its row */
    enum bench_application application;
    bool verify;
    bool counted; /* by callgrind */
    int64_t now_ns;
    uint64_t expired; /* deadlines that came */

    uint8_t *frames;       /* of the clients, filled with message text */
    uint8_t *small_frames; /* for everything else */
    uint32_t frame_next;
    uint32_t small_next;
    struct packet_view burst[BENCH_BURST];
    unsigned burst_count;
    unsigned submitted_count;
    uint64_t text_sum; /* checksum of a full segment's text */

    uint8_t *sent; /* by the server */
    uint32_t sent_first;
    uint32_t sent_count;
    uint32_t sent_length[BENCH_FRAMES];

    struct connection_handle submitted_owner[BENCH_MESSAGES];
    struct message *submitted[BENCH_MESSAGES];

    struct peer *peers; /* [connections] */
    uint32_t peer_count;

    /* What was measured since bench_reset(). */
    uint64_t cycles; /* of the server */
    uint64_t client_cycles;
    uint64_t client_since;
    uint64_t packets_in, packets_out;
    uint64_t bytes_in;
};

/* Cycles of the time-stamp counter, or nanoseconds where there is none. */
static inline uint64_t bench_cycles(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)clock_monotonic_ns();
#endif
}

/* How many of them a second has. */
double bench_frequency(void);

void bench_open(struct bench *bench, const struct bench_options *options);
void bench_close(struct bench *bench);
void bench_reset(struct bench *bench);

/* Processes the burst as a worker would. The second form is the first in a function of its own,
 * so that callgrind can be told to collect there and nowhere else. */
void bench_serve(struct bench *bench);
void bench_serve_counted(struct bench *bench);

/* Serves what is waiting, reads every answer. */
void bench_turn(struct bench *bench);

/* Lets time pass without packets; timers run as they come due. */
void bench_pass(struct bench *bench, int64_t ns);

uint64_t bench_counter(const struct bench *bench, enum counter counter);

/* Resident memory of this process, in bytes. */
uint64_t bench_resident(void);

/* client.c: the clients. Each call adds one frame to the burst, and takes a turn when it is full.
 */
void client_syn(struct bench *bench, uint32_t peer);
/* `length` bytes of `text` (at most BENCH_SEGMENT_BYTES), or, where it is null, of message lines.
 */
void client_send(struct bench *bench, uint32_t peer, uint8_t flags, const char *text,
                 uint32_t length);
/* A SYN of somebody who will never answer. */
void client_flood(struct bench *bench, uint32_t number);
/* Reads what the server has sent. */
void client_read(struct bench *bench);
/* Writes header and text into every frame of the pool. */
void client_prepare(struct bench *bench);

/* wave.c: one step of many clients, peers [first, first + count): all do it before any goes on. */
struct wave {
    struct bench *bench;
    uint32_t first;
    uint32_t count;
};
/* SYN; ACK; acknowledgement of the banner. */
void wave_syn(const struct wave *wave);
void wave_ack(const struct wave *wave);
void wave_connect(const struct wave *wave);
/* Says `text` and expects a reply with `code`. */
void wave_say(const struct wave *wave, const char *text, uint16_t code);
/* EHLO, MAIL, RCPT, DATA and the header of a message. */
void wave_envelope(const struct wave *wave);
/* `segments` full segments of message from each, `run` of them in turn. */
void wave_data(const struct wave *wave, uint32_t segments, uint32_t run);
/* QUIT, and the clients' end after the server's. */
void wave_quit(const struct wave *wave);
/* The clients' end, and the server's after it. */
void wave_close(const struct wave *wave);

/* The measurements. */
struct scale {
    bool smoke; /* as little as shows that it works */
    double frequency;
};
void measure_accept(const struct scale *scale);
void measure_data(const struct scale *scale);
void measure_mail(const struct scale *scale);
void measure_flood(const struct scale *scale);
void measure_idle(const struct scale *scale);

/* Fixed work for callgrind: does it and returns how many units it was. */
uint64_t work_accept(uint32_t count);
uint64_t work_data(enum bench_application application, bool verify, uint32_t bytes);
uint64_t work_mail(uint32_t count);
uint64_t work_flood(uint32_t count);

/* Sorts `values`; the one at `permille` of them. */
uint64_t bench_percentile(uint64_t *values, size_t count, unsigned permille);

#endif
