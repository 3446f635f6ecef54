/* channel.h: what passes between a worker and a peer (a scanner child, or control).
 *
 * A *channel* is two rings, one each way, between one worker and one peer. A peer's channels, one
 * for each worker, lie in one memfd of its own (struct channel_memory), so that no scanner can
 * touch another's. Messages themselves never travel: only {message, generation, length}.
 *
 * A new incarnation of a peer gets a new memfd; nothing of the old one is ever reused.
 *
 * Threads: each ring has one producer and one consumer. Memory: channel_memory_close() unmaps.
 */
#ifndef PLATFORM_LINK_CHANNEL_H
#define PLATFORM_LINK_CHANNEL_H

#include "platform/link/region.h"
#include "platform/link/ring.h"

#define SCAN_NAME_BYTES   160u /* signature name with its zero */
#define SCAN_JOBS_A_RING  8u   /* a worker uses one at a time: its other jobs go elsewhere */
#define RELAY_TEXT_BYTES  448u /* reply text with its zero, lines separated by '\n' */
#define RELAY_NAME_BYTES  96u  /* "host[address]:port" with its zero */
#define RELAY_JOBS_A_RING 256u

/* Never anything else. */
enum verdict_kind { VERDICT_CLEAN = 1, VERDICT_INFECTED, VERDICT_UNSCANNABLE };

/* Why a message is unscannable. X(NAME, "as in logs and X-Virus-Status") */
#define UNSCANNABLE_LIST(X)                  \
    X(NONE, "none")                          \
    X(NO_ENGINE, "no engine")                \
    X(ENCRYPTED, "encrypted")                \
    X(LIMIT, "limit exceeded")               \
    X(TIME, "time limit")                    \
    X(ENGINE_ERROR, "engine error")          \
    X(SCANNER_DIED, "scanner died")          \
    X(BAD_ANSWER, "bad answer from scanner") \
    X(BUSY, "scanners busy")                 \
    X(MALFORMED, "malformed")

enum unscannable_reason {
#define X(name, text) UNSCANNABLE_##name,
    UNSCANNABLE_LIST(X)
#undef X
        UNSCANNABLE_COUNT
};

/* Fixed text, never null. */
const char *unscannable_text(enum unscannable_reason reason);

/* How deep to look. Only the full engine exists today; parse-only tiers come with the prefilter. */
enum scan_tier { SCAN_TIER_FULL = 3 };

struct scan_job {
    uint64_t job; /* unique for the worker's lifetime */
    uint32_t message;
    uint32_t generation;
    uint32_t length; /* bytes */
    uint32_t tier;   /* enum scan_tier */
};

/* Everything in here is the scanner's word and is checked by the worker before use. */
struct scan_result {
    uint64_t job;
    uint32_t message;
    uint32_t generation;
    uint32_t verdict; /* enum verdict_kind */
    uint32_t reason;  /* enum unscannable_reason when unscannable */
    uint64_t cpu_ns;
    char name[SCAN_NAME_BYTES]; /* signature name, or the engine's own words when unscannable */
};

struct relay_job {
    uint64_t job;
    uint32_t message;
    uint32_t generation;
    uint32_t length;  /* bytes */
    uint32_t verdict; /* VERDICT_CLEAN, or VERDICT_UNSCANNABLE where the policy is to deliver */
};

/* How control came to its answer: decides the counter and the log's status. */
enum relay_outcome {
    RELAY_ANSWERED = 1, /* the customer's server answered: `code` and `text` are its own */
    RELAY_UNREACHABLE,  /* no connection, no greeting: nothing was sent */
    RELAY_BROKEN,       /* the connection ended or timed out before an answer */
    RELAY_REFUSED,      /* control itself declined (no such customer, shutting down, ...) */
};

struct relay_result {
    uint64_t job;
    uint32_t message;
    uint32_t generation;
    uint32_t outcome;            /* enum relay_outcome */
    uint32_t code;               /* 200..599: reply code for the sender */
    uint32_t connect_us;         /* microseconds spent connecting (0 when re-used) */
    uint32_t transfer_us;        /* microseconds from MAIL to the answer */
    char text[RELAY_TEXT_BYTES]; /* after the code; printable ASCII, lines separated by '\n' */
    char relay[RELAY_NAME_BYTES];
};

enum channel_kind { CHANNEL_SCANNER, CHANNEL_CONTROL };

/* One worker's pair as seen from one side. */
struct channel {
    struct ring jobs;       /* worker -> peer */
    struct ring results;    /* peer -> worker */
    _Atomic uint32_t *busy; /* peer publishes 1 while it works on a job (a hint, never trusted) */
};

/* A peer's channels, mapped. */
struct channel_memory {
    int fd;
    size_t bytes;
    uint8_t *base;
    uint32_t worker_count;
    enum channel_kind kind;
};

/* Dataplane: makes and maps zeroed memory for `worker_count` channels. */
enum status channel_memory_create(struct channel_memory *memory, enum channel_kind kind,
                                  uint32_t worker_count) STATUS_CHECKED;

/* Peer: maps a received descriptor (writable) and checks its size. Takes ownership of `fd`. */
enum status channel_memory_open(struct channel_memory *memory, enum channel_kind kind,
                                uint32_t worker_count, int fd) STATUS_CHECKED;

void channel_memory_close(struct channel_memory *memory);

/* Attaches this side to the channel of `worker`. Each side does so once for each channel, before
 * the first item. The result borrows the mapping. */
void channel_attach(struct channel *channel, const struct channel_memory *memory, uint32_t worker);

#endif
