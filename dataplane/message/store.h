/* store.h: a worker's own messages and blocks (the writing side of platform/link/region.h).
 *
 * Each worker owns a disjoint slice of the region's blocks and message slots, so nothing here is
 * shared or locked. Blocks are counted: the TCP receive path holds the blocks it placed bytes in,
 * a message holds the blocks its extents name, and a block returns to the free list when the last
 * holder gives it back. Bytes go from the packet into a block once and stay there.
 *
 * Threads: the owning worker only. Memory: arrays are made by store_init() on the main thread;
 * nothing is allocated afterwards. Hot path: everything but init/fini.
 *
 * Limits: blocks and slots of the slice (config: memory.messages, limits.messages_in_progress).
 * An eighth of the blocks is kept back from message data and cut into parts, one for each of those
 * that are held beside it: unfinished commands, envelopes, short replies, long ones. None has more
 * than its part, so that data always gets what admission.h has granted it, whatever they do, and
 * each of them its own, whatever the others do: envelopes can keep nobody's EHLO from being heard,
 * nor commands an answer from being said.
 *
 * Commands alone may be more than their part: what changes its class while it is held (the rest of
 * a window that turns out to be commands), and what is lent them while half of all is free. For
 * these can be taken back: dataplane/tcp evicts who holds such a block when block_overdrawn(), long
 * before data lacks one. A store of less than STORE_DIVIDED blocks is not
 * cut: there the class of the taker only decides who goes without first.
 */
#ifndef DATAPLANE_MESSAGE_STORE_H
#define DATAPLANE_MESSAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/message/admission.h"
#include "dataplane/message/pace.h"
#include "dataplane/message/senders.h"
#include "platform/link/region.h"
#include "platform/status.h"

enum block_class {
    BLOCK_FOR_DATA,     /* all but what is kept back for those below */
    BLOCK_FOR_TABLE,    /* the same, of a message's own: its grant covers it, so any that is free */
    BLOCK_FOR_COMMAND,  /* 3/16 of what is kept back */
    BLOCK_FOR_ENVELOPE, /* 8/16 */
    BLOCK_FOR_PIECES,   /* 3/16: short replies (piece.h) */
    BLOCK_FOR_REPLY,    /* 2/16 */
    BLOCK_CLASSES,
};

#define STORE_DIVIDED 128u

struct smtp_customer; /* dataplane/smtp/customers.h */

/* Names a connection without pointing at it: stale when the connection has gone. */
struct connection_handle {
    uint32_t index;
    uint32_t generation; /* 0: none */
};

/* Room that every envelope keeps for what is known only after its data: ENVELOPE_VERDICT and
 * ENVELOPE_ENGINE, values of at most MESSAGE_VERDICT_BYTES and MESSAGE_ENGINE_BYTES. */
#define MESSAGE_VERDICT_BYTES 64u
#define MESSAGE_ENGINE_BYTES  128u
#define MESSAGE_ENVELOPE_KEPT \
    (2u * sizeof(struct envelope_field_header) + MESSAGE_VERDICT_BYTES + MESSAGE_ENGINE_BYTES)

enum message_stage { MESSAGE_FREE, MESSAGE_RECEIVING, MESSAGE_SCANNING, MESSAGE_RELAYING };

/* The worker's private half of a message; the shared half is struct message_header. Times are
 * `now_ns` of the worker (monotonic), 0 when not reached. */
struct message {
    struct message_header *shared;
    uint32_t index;      /* slot in the region */
    uint32_t generation; /* as handed over; changes when the slot is given back */
    enum message_stage stage;
    char id[20];                          /* upper-case hex, zero-terminated */
    struct connection_handle owner;       /* whom to answer */
    uint64_t client_prefix;               /* who sent it: tcp_peer_prefix(), message_from() */
    struct senders_place place;           /* where it is counted, */
    bool counted;                         /* if it is */
    const struct smtp_customer *customer; /* of its recipients; borrowed from the table in force */
    uint32_t share;                       /* the customer's place (share.h); 0: none yet */
    uint32_t share_blocks;                /* what it counts there as held */
    uint32_t envelope_used;               /* bytes used in the last envelope block */
    uint32_t own_block;                   /* where message_append_bytes() writes, or none */
    uint32_t own_used;                    /* bytes used in it */
    struct admission_entry admission;     /* what it may hold while it comes in */
    struct message_pace pace;             /* since MAIL, DATA, or the last wait for room */
    uint32_t granted_bytes;               /* that the grant is known to cover; 0: not known yet */
    uint32_t separator_bytes;             /* of ours between trace and the sender's first byte */
    int64_t started_ns;                   /* MAIL */
    int64_t data_ns;                      /* DATA */
    int64_t received_ns;                  /* end of data */
    int64_t scan_ns;                      /* given to a scanner */
    int64_t verdict_ns;
    int64_t relay_ns; /* given to control */
    /* Kept by dataplane/handover while scanning or relaying. */
    struct message *next; /* waiting list */
    struct message *previous;
    uint64_t job; /* of the hand-over in force; 0: none */
    int64_t deadline_ns;
    uint32_t scan_attempts;
    struct message *turn_next; /* of the same client, waiting (dataplane/handover/turns.h) */
    struct message *turn_previous;
    uint32_t turn;     /* its client there, while it waits or is scanned */
    int64_t handed_ns; /* to the scanner that has it */
    bool waiting;      /* on the list of those without a scanner */
    bool started;      /* the scanner has been seen at work on it */
    bool all_readings; /* mail programs may differ on it: each reading is scanned */
    bool concluded;    /* counted and logged, but a peer still reads it */
    uint32_t scanner_slot;
    uint32_t verdict;       /* enum verdict_kind; 0 until known */
    uint32_t reason;        /* enum unscannable_reason */
    uint64_t signatures;    /* that gave the verdict, or are to give it; 0: not known */
    char verdict_name[160]; /* signature, or the engine's words */
    uint32_t readings;      /* struct scan_result's, ... */
    uint32_t reading;
    char doubt[64];                    /* ... each */
    char engine[MESSAGE_ENGINE_BYTES]; /* what gave the verdict */
    /* For the log line. */
    char client[46];
    char helo[256];
    char sender[256];
    char recipient[256]; /* the first one */
};

#define SHARE_PLACES 2048u

/* What one customer holds: share.h. */
struct share {
    uint32_t slots;
    uint32_t blocks;
};

struct share_pool {
    uint32_t own;    /* what each customer may hold in any case */
    uint32_t common; /* what is for all ... */
    uint32_t used;   /* ... and how much of it is held */
};

/* A block cut into pieces (piece.h). */
struct piece_cut {
    uint32_t next; /* among those with free pieces */
    uint32_t previous;
    uint16_t free; /* bit i: piece i is; all of them, or none, where the block is not cut */
};

struct pieces {
    struct piece_cut *cuts; /* [block - block_first] */
    uint32_t first;         /* block with a free piece */
    uint32_t used;          /* pieces */
    uint32_t blocks;        /* cut */
};

struct store {
    const struct region *region;
    uint32_t worker;
    uint32_t block_first;
    uint32_t block_count;
    uint32_t free_count;
    uint32_t *free_blocks; /* stack */
    uint16_t *holders;     /* [block - block_first] */
    uint8_t *classes;      /* [block - block_first]: of one that is held; 0 (data) of all others */
    uint32_t beside_count; /* held, and not for data or tables */
    uint32_t kept;         /* back from data */
    uint32_t last;         /* of which not even what others hold is subtracted */
    uint32_t held[BLOCK_CLASSES];  /* of those beside data */
    uint32_t parts[BLOCK_CLASSES]; /* that they may hold */
    struct pieces pieces;
    uint32_t slot_first;
    uint32_t slot_count;
    uint32_t free_slot_count;
    uint32_t *free_slots;     /* stack */
    struct message *messages; /* [slot - slot_first] */
    /* All blocks but those kept back from data, shared out before they are taken. */
    struct admission admission;
    struct senders senders;
    struct share *shares; /* [place]; place 0 is nobody's */
    struct share_pool share_slots;
    struct share_pool share_blocks;
};

/* Main thread: takes over blocks [block_first, +block_count) and slots [slot_first, +slot_count).
 */
enum status store_init(struct store *store, const struct region *region, uint32_t worker,
                       uint32_t block_first, uint32_t block_count, uint32_t slot_first,
                       uint32_t slot_count) STATUS_CHECKED;
void store_fini(struct store *store);

/* A block with one holder, or MESSAGE_BLOCK_NONE. Its contents are undefined. */
uint32_t block_take(struct store *store, enum block_class class);
void block_hold(struct store *store, uint32_t block);
void block_give(struct store *store, uint32_t block);

/* Several at once. Takes as many as there are; returns how many. */
uint32_t block_take_some(struct store *store, enum block_class class, uint32_t *blocks,
                         uint32_t count);
void block_give_some(struct store *store, const uint32_t *blocks, uint32_t count);

static inline uint8_t *block_bytes(const struct store *store, uint32_t block)
{
    return region_block(store->region, block);
}
/* Received bytes, contiguous in one block, as TCP and what stands on it show them. Borrowed;
 * writable (whoever reads may edit what it has not consumed, e.g. remove stuffed dots in place). */
struct block_span {
    uint8_t *bytes;
    uint32_t length; /* bytes; > 0 */
    uint32_t block;
    uint32_t offset; /* of bytes in block */
};

/* Blocks a taker of `class` could still have. */
uint32_t block_available(const struct store *store, enum block_class class);

/* Is less than half of its part held by `class`, one of those beside data? */
static inline bool block_plenty(const struct store *store, enum block_class class)
{
    return store->held[class] < store->parts[class] / 2;
}

/* A block that is held is now held for another reason. */
void block_reclass(struct store *store, uint32_t block, enum block_class class);

/* Do others hold more than what is kept back from data, and less than half of all is free? */
static inline bool block_overdrawn(const struct store *store)
{
    return store->beside_count > store->kept && store->free_count < store->block_count / 2;
}

/* A new empty message in stage MESSAGE_RECEIVING, or null when no slot (or no block) is left. */
struct message *message_take(struct store *store);

/* May `prefix` (tcp_peer_prefix()) have another message, or another block for an envelope? Slots
 * and these blocks are shared out alike: senders.h. */
bool message_admits(const struct store *store, uint64_t prefix);

/* It counts as `prefix`'s until message_give(). Once a message, before its envelope. */
void message_from(struct store *store, struct message *message, uint64_t prefix);

/* All of it is here, and of its grant only what it holds is kept: also `behind` blocks of what came
 * behind it, which were granted for data, and its envelope, as far as the grant covers it. That is
 * no longer of the blocks for envelopes then, however long the message stays. */
void message_complete(struct store *store, struct message *message, uint32_t behind);

/* Gives slot and blocks back; every later hand-over answer to it is stale. */
void message_give(struct store *store, struct message *message);

/* Appends [offset, offset + length) of `block`, holding it. Joins the last extent where it touches
 * it. STATUS_NO_SPACE when the extent tables are full or no block is left for another. */
enum status message_append(struct store *store, struct message *message, uint32_t block,
                           uint32_t offset, uint32_t length) STATUS_CHECKED;

/* Copies `length` bytes of our own (the Received field) to the end of the message. */
enum status message_append_bytes(struct store *store, struct message *message, const void *bytes,
                                 size_t length) STATUS_CHECKED;

/* Marks everything appended so far as our own trace. */
void message_mark_trace(struct message *message);

/* Bytes that the sender sent. */
static inline uint32_t message_size(const struct message *message)
{
    return message->shared->size - message->shared->trace_size - message->separator_bytes;
}

/* The place of extent `index` < extent_count in the tables. */
static inline struct message_extent *
message_extent_slot(const struct store *store, const struct message *message, uint32_t index)
{
    uint32_t table = message->shared->extent_blocks[index / MESSAGE_EXTENTS_PER_BLOCK];

    return (struct message_extent *)region_block(store->region, table) +
           index % MESSAGE_EXTENTS_PER_BLOCK;
}

/* Where the last extent ends: false when the message is empty. Whoever owns the bytes behind it may
 * move the next ones up to there, so that the extents join. */
bool message_tail(const struct store *store, const struct message *message, uint32_t *block,
                  uint32_t *offset);

/* Adds one envelope field (ENVELOPE_RECIPIENT counts in recipient_count); length <=
 * MESSAGE_ENVELOPE_FIELD_BYTES (else STATUS_BAD_ARGUMENT). STATUS_NO_SPACE when the envelope blocks
 * are full, none is to be had, or its sender holds its share of them; never for the first verdict
 * and engine of a message that has another field. */
enum status message_envelope_put(struct store *store, struct message *message,
                                 enum envelope_field field, const void *value,
                                 size_t length) STATUS_CHECKED;

/* Walks the fields of an envelope in their order, from a zeroed cursor on; false behind the last.
 * `value` is borrowed, and not zero-ended. */
struct envelope_cursor {
    enum envelope_field field;
    uint16_t length;
    const char *value;
    uint32_t block; /* where the next one is */
    uint32_t offset;
};
bool message_envelope_next(const struct store *store, const struct message *message,
                           struct envelope_cursor *cursor);

/* The message a peer's answer names, or null when it is stale or not ours. */
struct message *message_find(struct store *store, uint32_t index, uint32_t generation);

/* The costly invariants, for CHECK_SLOW() and tests: each block and each slot is free (and on its
 * free list once) or held exactly as often as it is named; each message's sizes are the sum of its
 * extents; a slot's generation is that of its present or next use. Stops at a CHECK where one does
 * not hold, else true. `others` (may be null): holds that are not messages' own nor those of blocks
 * cut into pieces, which whoever knows them (the TCP receive path) can compare. Walks everything;
 * changes and restores. */
bool store_sound(struct store *store, uint32_t *others);

#endif
