/* scanners.h: postern-scanner as seen by one offline run: the dataplane's side of
 * platform/link/link.h.
 *
 * Starts the program with one end of a socket pair, gives its children the region and a channel
 * each, hands them messages and takes their answers, by the rules of dataplane/policy/attempt.h: a
 * child that dies, overruns 1.5 times the time limit (it is killed) or answers nonsense costs its
 * message one retry; the second time the message is unscannable. A child has one message at a time
 * and nobody else's, so a job that is out counts as begun. Everything the scanner says is checked;
 * nothing it says can end this process.
 *
 * Threads: one. Nothing blocks but scanners_wait() (SCANNERS_WAIT_NS) and scanners_stop() (5 s).
 * Memory: fixed tables in struct scanners; channel memory is mapped for each incarnation of a
 * child. Limits: SCANNERS_MAX children, each with one message at a time and as many waiting; with
 * no child ready for SCANNERS_START_NS at the start or SCANNERS_ABSENT_NS later, what waits is
 * unscannable(no engine).
 */
#ifndef DATAPLANE_OFFLINE_SCANNERS_H
#define DATAPLANE_OFFLINE_SCANNERS_H

#include <sys/types.h>

#include "dataplane/message/store.h"
#include "dataplane/policy/attempt.h"
#include "platform/clock.h"
#include "platform/link/channel.h"
#include "platform/link/link.h"
#include "signatures/content/inspect/inspect.h"

#define SCANNERS_MAX       64u
#define SCANNERS_WAIT_NS   (200 * CLOCK_NS_PER_US)
#define SCANNERS_START_NS  (300 * CLOCK_NS_PER_SECOND)
#define SCANNERS_ABSENT_NS (60 * CLOCK_NS_PER_SECOND)
#define SCANNERS_KILL_NS   (10 * CLOCK_NS_PER_SECOND) /* from KILL to GONE */

/* What became of one message. */
struct scanners_answer {
    enum verdict_kind verdict;
    enum unscannable_reason reason;
    char name[SCAN_NAME_BYTES]; /* signature; or the engine's words when unscannable; printable */
    int64_t scan_ns;            /* from the hand-over to the answer, of the last attempt */
    uint64_t cpu_ns;
    uint32_t readings; /* struct scan_result's, ... */
    uint32_t reading;
    char doubt[SCAN_DOUBT_BYTES]; /* ... each */
    const char *engine;           /* borrowed for the call; empty when no child was asked */
};

struct scanners_job {
    struct message *message;
    size_t tag; /* the caller's */
};

enum scanners_slot_state { SLOT_OFFERED, SLOT_READY, SLOT_KILLED };

struct scanners_slot {
    enum scanners_slot_state state;
    uint32_t epoch;
    struct channel_memory memory;
    struct channel channel;
    char engine[LINK_TEXT_BYTES];
    struct link_identity identity; /* what it says it has loaded */
    struct scanners_job job;       /* without a message: it has none */
    int64_t killed_ns;
};

typedef void scanners_done(void *context, size_t tag, struct message *message,
                           const struct scanners_answer *answer);

struct scanners {
    const struct region *region;
    int64_t limit_ns; /* watchdog for one message */
    scanners_done *done;
    void *context;
    pid_t pid;
    int link; /* -1: the scanner is gone */
    bool greeted;
    bool was_ready;
    int64_t absent_since_ns; /* no child ready since then; 0: one is */
    uint32_t slot_count;
    uint64_t number; /* last job number */
    unsigned waiting_count;
    struct scanners_slot slots[SCANNERS_MAX];
    struct scanners_job waiting[SCANNERS_MAX * 2];
};

/* Starts `path` with `arguments` (null-terminated, argv[0] included; "--link-fd N" is put at the
 * end). `done` is called from scanners_poll() for each message. STATUS_SYSTEM with errno. */
enum status scanners_start(struct scanners *scanners, const struct region *region, const char *path,
                           const char *const *arguments, uint32_t slot_count, int64_t time_limit_ns,
                           scanners_done *done, void *context) STATUS_CHECKED;

/* True when another message may be submitted. */
bool scanners_room(const struct scanners *scanners);

/* True when a child is ready: it has said what it has loaded. */
bool scanners_ready(const struct scanners *scanners);

/* Whether the prefilter speaks for every child that is ready, and there is one. */
bool scanners_vouched(const struct scanners *scanners, const struct inspector *inspector);

/* Hands over a message; it stays where it is until `done` is called for it. */
void scanners_submit(struct scanners *scanners, struct message *message, size_t tag);

/* True once the scanner process has gone: every message is then answered unscannable(no engine). */
bool scanners_gone(const struct scanners *scanners);

/* Takes news and answers, keeps the deadlines, starts what waits. Returns how many things it did.
 */
unsigned scanners_poll(struct scanners *scanners, int64_t now_ns);

/* Waits a moment for news. */
void scanners_wait(const struct scanners *scanners);

/* Ends the scanner; returns its wait status. */
int scanners_stop(struct scanners *scanners);

#endif
