/* feed.h: how a program hears of its configuration, and what it says about it.
 *
 * One socket for each program, made by `postern run` and inherited as `--config-fd N`. Down it come
 * sealed configurations (sealed.h), the first before the program starts; up it go answers: which
 * number is in force, that one was refused, and what still waits. To control go views as well: what
 * all programs have answered, for `postern status`.
 *
 *   postern run    feed_pair()  feed_offer()  feed_hear()  feed_show()
 *   a program      feed_wait()  feed_take()   feed_answer()
 *
 * A program started by hand (`-c FILE`) has no feed; struct config_source (source.h) hides which.
 *
 * Messages are fixed-size records on a SOCK_SEQPACKET pair; one that is not as it should be is
 * STATUS_BROKEN_PEER and nothing is taken from it. Nothing here blocks but feed_wait().
 * Threads: one for each end. Memory: none.
 */
#ifndef PLATFORM_CONFIG_FEED_H
#define PLATFORM_CONFIG_FEED_H

#include "platform/config/config.h"

#define FEED_PROGRAMS_MAX 4u
#define FEED_NAME_BYTES   32u
#define FEED_WHY_BYTES    160u

/* What a program says of its configuration. */
struct feed_answer {
    uint32_t number;  /* in force; 0: none yet */
    uint32_t refused; /* the one that could not be used, or 0 */
    uint32_t oldest;  /* the oldest that something still goes by; `number` when nothing waits */
    uint32_t live;    /* configurations in memory */
    char why[FEED_WHY_BYTES]; /* of the refusal, or in words what waits; may be empty */
};

/* What all programs have said. */
struct feed_view {
    uint32_t number; /* the newest there is */
    uint32_t count;
    uint64_t digest;
    struct feed_line {
        char name[FEED_NAME_BYTES];
        struct feed_answer answer;
    } lines[FEED_PROGRAMS_MAX];
};

/* What came down a feed. */
enum feed_kind { FEED_OFFER = 1, FEED_VIEW };

/* Both ends, close-on-exec and non-blocking. STATUS_SYSTEM. */
enum status feed_pair(int *supervisor, int *program) STATUS_CHECKED;

/* Sends the sealed configuration `config_fd`, which stays the caller's. STATUS_AGAIN: the program
 * has not taken earlier ones; STATUS_CLOSED. */
enum status feed_offer(int feed, int config_fd) STATUS_CHECKED;
enum status feed_show(int feed, const struct feed_view *view) STATUS_CHECKED;

/* STATUS_AGAIN: nothing new; STATUS_CLOSED: the program has ended; STATUS_BROKEN_PEER. */
enum status feed_hear(int feed, struct feed_answer *answer) STATUS_CHECKED;

/* What has come: an offer's descriptor in *config_fd, the caller's; or a view. `view` may be null:
 * then views are passed over. STATUS_AGAIN, STATUS_CLOSED, STATUS_BROKEN_PEER. */
enum status feed_take(int feed, enum feed_kind *kind, int *config_fd,
                      struct feed_view *view) STATUS_CHECKED;

/* Waits until something has come. STATUS_TIMED_OUT. */
enum status feed_wait(int feed, int64_t limit_ns) STATUS_CHECKED;

/* An answer that finds no room is lost; the next one says more. */
void feed_answer(int feed, const struct feed_answer *answer);

#endif
