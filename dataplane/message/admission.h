/* admission.h: who may hold how many blocks, so that every message that was let in can be
 * completed.
 *
 * Blocks go out as bytes come. Without a rule a few large messages take them all, each lacks its
 * last ones, and none ends. This is the rule, as arithmetic over counts; it takes no block itself.
 *
 * Each message that is received holds a *grant*: so many blocks it may use in all. Its size may be
 * known (announced): then the whole is granted before its first byte, or it waits; whoever was let
 * in so needs nobody any more. Or it is not known: then it begins with a first share and asks for
 * more as it goes. Of those that asked, the *oldest* may have all there is, up to its claim; others
 * grow only while
 *
 *     what all others of unknown size hold + the largest claim <= the large part
 *
 * so that the oldest can end, then the next, and so on: the state is *safe* (the banker's rule, in
 * the order of age). Everything else that holds blocks ends by itself.
 *
 * A part of the capacity, the *small part*, is for small mail and first shares alone, while they
 * come in. They borrow from the large part where that is safe. Complete ones end by themselves, but
 * it may take the time of a server that hangs: so they move to the large part, as far as that has
 * room for the largest message beside them. What has not moved does so, the first of them first,
 * when less than half of the small part is left and the large one has any room.
 *
 * While more than half of the small part is granted even so, a client waits that holds something
 * and would hold more than an eighth of it (of either part, and not yet complete), and so does one
 * around which more than a quarter would be held; so none keeps the others out. Who grows is not
 * bounded so, or the oldest might not end. Known large mail waits in the order it came, and what
 * the first of it waits for is not lent to anybody but the oldest that grows.
 *
 * Threads: the owning worker's, no lock. Memory: entries lie in messages and are linked here from
 * admission_enter() to admission_leave(), clients are their owner's. Hot path; every call is of
 * constant cost: a message moves from part to part once. Time is passed in. Limits: `capacity` at
 * init; a claim over the large part is cut to it, and a message that turns out to need more is
 * refused its growth until its owner gives up (limits.admission_wait).
 */
#ifndef DATAPLANE_MESSAGE_ADMISSION_H
#define DATAPLANE_MESSAGE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum admission_stage {
    ADMISSION_NONE,     /* not linked, holds nothing */
    ADMISSION_WAITING,  /* large and announced, for its whole grant; holds nothing */
    ADMISSION_SURE,     /* holds all it will need */
    ADMISSION_COMPLETE, /* its bytes are here; listed while it holds some of the small part */
    ADMISSION_UNSURE,   /* of unknown size, within its first share */
    ADMISSION_GROWING,  /* of unknown size, has asked for more */
};

/* What is granted to what comes in from one client, or from a neighbourhood. */
struct admission_client {
    uint32_t granted;
};

struct admission_entry {
    struct admission_entry *next; /* WAITING, GROWING: oldest first */
    struct admission_entry *previous;
    int64_t since_ns; /* waits for what it asked for since then; 0: does not */
    uint32_t granted; /* blocks, all */
    uint32_t small;   /* of which in the small part */
    uint32_t claim;   /* blocks it may come to need */
    enum admission_stage stage;
    struct admission_client *client[2]; /* whose it is while it comes in; null: nobody's */
};

struct admission_list {
    struct admission_entry *first;
    struct admission_entry *last;
};

struct admission {
    uint32_t capacity;       /* blocks */
    uint32_t small_capacity; /* of which the small part */
    uint32_t granted;        /* over all entries */
    uint32_t small_granted;
    uint32_t unsure;  /* of the large part, granted to UNSURE and GROWING */
    uint32_t lot;     /* the largest claim so far */
    uint32_t largest; /* what the largest message may come to need */
    struct admission_list growing;
    struct admission_list waiting;
    struct admission_list complete; /* that hold some of the small part */
};

/* What a message asks for as it begins. */
struct admission_request {
    uint32_t blocks; /* now */
    uint32_t claim;  /* >= blocks: at most; equal for one of announced size */
    bool sure;       /* the size is announced: it will ask for no more */
    bool small;      /* may use the small part: `blocks` is no more than a first share */
    struct admission_client *client[2]; /* who sends it, and all around it; null: not bounded */
};

/* Has it to wait because of what its own client holds? Of one that is small and was not let in. */
bool admission_crowds(const struct admission *admission, const struct admission_request *request);

/* A quarter is the small part. */
void admission_init(struct admission *admission, uint32_t capacity);

/* Before anything is granted: `lot` blocks are what the largest message may come to need. Where it
 * would not fit the large part, the small part gives way, down to a sixteenth of all. */
void admission_fit(struct admission *admission, uint32_t lot);

/* Can `blocks` ever be granted to a message that is not small? */
static inline bool admission_possible(const struct admission *admission, uint32_t blocks)
{
    return blocks <= admission->capacity - admission->small_capacity;
}

/* Lets a message in: true, or false when it has to wait; then the same is asked again later, until
 * the owner gives up (admission_leave()). `entry` is NONE or waits from an earlier call. */
bool admission_enter(struct admission *admission, struct admission_entry *entry,
                     const struct admission_request *request, int64_t now_ns);

/* A message that was let in is to have at least `blocks` in all. True at once when it has; false
 * when it has to wait, as above, or can never have so many. */
bool admission_grow(struct admission *admission, struct admission_entry *entry, uint32_t blocks,
                    int64_t now_ns);

/* A SURE message turns out to be larger than announced: it becomes one of unknown size that may
 * claim `claim` blocks, if that is safe. False: it must end, for it holds what others may need. */
bool admission_exceed(struct admission *admission, struct admission_entry *entry, uint32_t claim);

/* All bytes are here, in `used` blocks: the rest of its grant is free. NONE stays so. */
void admission_complete(struct admission *admission, struct admission_entry *entry, uint32_t used);

/* The message is gone, with all its blocks. Any stage. */
void admission_leave(struct admission *admission, struct admission_entry *entry);

/* Has it waited for longer than `wait_ns`? */
static inline bool admission_overdue(const struct admission_entry *entry, int64_t wait_ns,
                                     int64_t now_ns)
{
    return entry->since_ns != 0 && now_ns - entry->since_ns >= wait_ns;
}

/* Does an order exist in which every message of unknown size gets its claim? Costs a walk. */
bool admission_safe(const struct admission *admission);

#endif
