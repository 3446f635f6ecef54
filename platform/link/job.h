/* job.h: what passes over a channel, both ways.
 *
 * Messages themselves never travel: a job names {message, generation, length} in the region. Each
 * job says its kind, until when an answer is of use, and which signatures are meant; each result
 * repeats what it answers. Results are another process's word: the worker checks every field.
 *
 * Plain data, copied into and out of the rings. No zero but `reserved` means anything by itself.
 */
#ifndef PLATFORM_LINK_JOB_H
#define PLATFORM_LINK_JOB_H

#include <stdint.h>

#include "platform/link/verdict.h"

#define SCAN_NAME_BYTES     160u /* signature name with its zero */
#define SCAN_DOUBT_BYTES    64u  /* why there were readings, with its zero */
#define SCAN_JOBS_PER_RING  8u   /* a worker uses one at a time: its other jobs go elsewhere */
#define RELAY_TEXT_BYTES    448u /* reply text with its zero, lines separated by '\n' */
#define RELAY_NAME_BYTES    96u  /* "host[address]:port" with its zero */
#define RELAY_JOBS_PER_RING 256u

/* What is to be done with a message. A peer does what it is for and refuses every other kind, as
 * the worker refuses an answer of another kind; both count it. (Spool and quarantine are control's
 * to come.) */
enum job_kind {
    JOB_SCAN = 1,
    JOB_RELAY,
    /* Over the ring of relay jobs, for a relay job that came before it (same job, message and
     * generation): nobody waits for the answer any more. What can still be stopped is; the job gets
     * its one answer all the same, this gets none. */
    JOB_WITHDRAW,
    /* Over the ring of relay results, asked for by nobody (job 0): the servers of the customer
     * whose name is `text` have all gone (code 1), or are back (code 0). */
    JOB_ROUTE,
};

/* How deep to look. There is only the full engine: what a prefilter can tell, the worker knows. */
enum scan_tier { SCAN_TIER_FULL = 3 };

/* In a job: every reading of the message is to be scanned besides the message as it came, for mail
 * programs may differ on what it holds. In the result: the verdict is of all of them. */
#define SCAN_READINGS 1u

struct scan_job {
    uint64_t job; /* unique for the worker's lifetime */
    uint32_t message;
    uint32_t generation;
    uint32_t length;     /* bytes */
    uint32_t tier;       /* enum scan_tier */
    uint32_t kind;       /* JOB_SCAN */
    uint32_t flags;      /* SCAN_READINGS */
    int64_t deadline_ns; /* monotonic: no use after it; 0: none */
    uint64_t signatures; /* by which to judge it (link_signatures()); 0: by what is loaded */
};

/* Everything in here is the scanner's word and is checked by the worker before use. */
struct scan_result {
    uint64_t job;
    uint32_t message;
    uint32_t generation;
    uint32_t verdict;  /* enum verdict_kind */
    uint32_t reason;   /* enum unscannable_reason when unscannable */
    uint32_t kind;     /* the job's */
    uint32_t flags;    /* the job's */
    uint32_t readings; /* byte strings that were scanned besides; 0: the message was clear */
    uint32_t reading;  /* of these, the one that the verdict is of; 0: the message as it came */
    uint32_t reserved; /* 0 */
    uint64_t cpu_ns;
    uint64_t signatures;          /* that judged it */
    char name[SCAN_NAME_BYTES];   /* signature name, or the engine's own words when unscannable */
    char doubt[SCAN_DOUBT_BYTES]; /* why there were readings: a gate's words, or empty */
};

struct relay_job {
    uint64_t job;
    uint32_t message;
    uint32_t generation;
    uint32_t length;     /* bytes */
    uint32_t verdict;    /* VERDICT_CLEAN, or VERDICT_UNSCANNABLE where the policy is to deliver */
    uint32_t kind;       /* JOB_RELAY */
    uint32_t reserved;   /* 0 */
    int64_t deadline_ns; /* monotonic: the sender has its answer by then; 0: none */
    uint64_t signatures; /* that judged it; 0: not known */
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
    uint32_t kind;               /* the job's */
    uint32_t reserved;           /* 0 */
    char text[RELAY_TEXT_BYTES]; /* after the code; printable ASCII, lines separated by '\n' */
    char relay[RELAY_NAME_BYTES];
};

#endif
