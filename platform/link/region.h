/* region.h: the one region of memory that holds every message, and how other processes read it.
 *
 * The dataplane creates the region (memfd, on hugepages where it can), maps it writable, then
 * seals it against future writable mappings: scanners and control get the descriptor and can only
 * ever map it read-only. The seal is the kernel's, so a compromised peer cannot lift it.
 *
 * Layout, all offsets fixed at creation and repeated in struct region_header:
 *
 *   region_header | counters, one row a worker | peers, one row a slot | message_header[] | blocks
 *
 * A *block* is MESSAGE_BLOCK_BYTES. A message is a list of *extents* (pieces of blocks, in order)
 * kept in extent blocks, and an envelope kept in envelope blocks. See message_view.h for reading
 * and dataplane/message/store.h for writing.
 *
 * Threads: create/open/close on the main thread of a process. Memory: region_close() unmaps; the
 * descriptor belongs to struct region. Not for the hot path.
 */
#ifndef PLATFORM_LINK_REGION_H
#define PLATFORM_LINK_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/link/row.h"
#include "platform/status.h"

#define MESSAGE_BLOCK_BYTES          16384u
#define MESSAGE_BLOCK_NONE           UINT32_MAX
#define MESSAGE_EXTENT_BLOCKS_MAX    4u
#define MESSAGE_EXTENTS_PER_BLOCK    (MESSAGE_BLOCK_BYTES / sizeof(struct message_extent))
#define MESSAGE_EXTENTS_MAX          (MESSAGE_EXTENT_BLOCKS_MAX * MESSAGE_EXTENTS_PER_BLOCK)
#define MESSAGE_ENVELOPE_BLOCKS_MAX  17u   /* CONFIG_RECIPIENTS_MAX of the longest fit */
#define MESSAGE_ENVELOPE_FIELD_BYTES 1024u /* longest value of one field */
#define REGION_WORKERS_MAX           64u
#define REGION_MAGIC                 UINT64_C(0x316e726574736f50) /* "Postern1" */

/* A piece of a block: `length` bytes from `offset`. offset + length <= MESSAGE_BLOCK_BYTES. */
struct message_extent {
    uint32_t block;
    uint16_t offset;
    uint16_t length;
};
_Static_assert(sizeof(struct message_extent) == 8, "extents are shared between processes");
_Static_assert(MESSAGE_BLOCK_BYTES <= UINT16_MAX, "extent lengths are 16 bits");

/* What the envelope blocks hold: a run of these, each followed by `length` bytes (no terminating
 * zero). A field never crosses a block; a block ends with ENVELOPE_END or at its end. */
enum envelope_field {
    ENVELOPE_END = 0,
    ENVELOPE_ID,        /* the message's id, as in logs and replies */
    ENVELOPE_CLIENT,    /* "192.0.2.1" or "2001:db8::1" */
    ENVELOPE_HELO,      /* what the sender called itself; printable */
    ENVELOPE_SENDER,    /* reverse-path without the angle brackets; empty for <> */
    ENVELOPE_RECIPIENT, /* forward-path without the angle brackets; once for each recipient */
    ENVELOPE_CUSTOMER,  /* name of the customer all recipients belong to */
    ENVELOPE_ENGINE,    /* "ClamAV 1.4.6/27813": what gave the verdict */
    ENVELOPE_VERDICT,  /* "clean" or "unscannable(reason)"; what control puts into X-Virus-Status */
    ENVELOPE_PROTOCOL, /* "SMTP" or "ESMTP" */
};

struct envelope_field_header {
    uint16_t field; /* enum envelope_field */
    uint16_t length;
};

#define MESSAGE_FLAG_8BITMIME 1u /* MAIL ... BODY=8BITMIME */

/* One slot. Written by the worker that owns it; read by others only between a hand-over and the
 * answer to it, and only while `generation` is the one that was handed over. */
struct message_header {
    _Alignas(64) _Atomic uint32_t generation; /* raised each time the slot is given back */
    uint32_t flags;
    uint32_t size;       /* bytes over all extents */
    uint32_t trace_size; /* of which the first are our own Received field */
    uint32_t extent_count;
    uint32_t envelope_block_count;
    uint32_t extent_blocks[MESSAGE_EXTENT_BLOCKS_MAX];
    uint32_t envelope_blocks[MESSAGE_ENVELOPE_BLOCKS_MAX];
    uint32_t worker; /* which worker owns the slot */
    uint32_t recipient_count;
};

/* A row of counters. A worker counts in one of its own and publishes it to its row in the region
 * (dataplane/counting.h): single writer, relaxed stores of whole cells, any number of readers, who
 * use region_counter() and region_cell(). */
struct region_counters {
    _Alignas(64) uint64_t value[COUNTER_COUNT];
    struct histogram_row times[HISTOGRAM_COUNT];
};

#define REGION_STATE_BYTES  16u
#define REGION_ENGINE_BYTES 128u

/* What there is to know of a peer's slot: the dataplane's main thread writes it, as row_publish()
 * does; a text may be seen half changed. */
struct region_peer {
    _Alignas(64) uint64_t lives; /* processes that were in this slot; 0: none yet */
    uint64_t signatures;         /* link_signatures() of the scanner's; 0: not known */
    char state[REGION_STATE_BYTES];
    char engine[REGION_ENGINE_BYTES]; /* printable ASCII */
    struct peer_row row;
};

struct region_header {
    uint64_t magic; /* written last */
    uint64_t bytes;
    uint32_t worker_count;
    uint32_t message_count;
    uint32_t block_count;
    uint32_t hugepages; /* 1 when the region sits on hugepages */
    uint32_t peer_count;
    uint32_t reserved; /* 0 */
    uint64_t counters_offset;
    uint64_t peers_offset;
    uint64_t messages_offset;
    uint64_t blocks_offset;
    int64_t started_wall_ns; /* when the dataplane made it: tells one incarnation from the next */
};

/* A mapping of the region in this process. */
struct region {
    int fd;
    bool writable;
    size_t bytes;
    uint8_t *base;               /* writable only in the dataplane */
    struct region_header header; /* private copy, checked: never re-read from shared memory */
};

/* How the messages and blocks are to be cut. */
struct region_plan {
    uint32_t worker_count;  /* 1..REGION_WORKERS_MAX */
    uint32_t message_count; /* slots over all workers */
    uint32_t block_count;   /* blocks over all workers */
    uint32_t peer_count;    /* rows for peers: the scanners' slots, then control's; 0: none */
};

/* Bytes the region takes, rounded up to 2 MiB. */
uint64_t region_bytes(const struct region_plan *plan);

enum region_pages { REGION_PAGES_NORMAL, REGION_PAGES_HUGE };

/* Dataplane: makes, maps, pre-faults and seals a region. STATUS_NO_MEMORY when there are not
 * enough (huge) pages, STATUS_SYSTEM otherwise. */
enum status region_create(struct region *region, const struct region_plan *plan,
                          enum region_pages pages) STATUS_CHECKED;

/* Peers: maps a received descriptor read-only and checks its header (STATUS_BAD_FORMAT when any
 * offset or count does not fit). Takes ownership of `fd` in every case. */
enum status region_open(struct region *region, int fd) STATUS_CHECKED;

void region_close(struct region *region);

static inline struct message_header *region_message(const struct region *region, uint32_t index)
{
    return (struct message_header *)(region->base + region->header.messages_offset) + index;
}

static inline uint8_t *region_block(const struct region *region, uint32_t block)
{
    return region->base + region->header.blocks_offset + (size_t)block * MESSAGE_BLOCK_BYTES;
}

static inline struct region_counters *region_counters(const struct region *region, uint32_t worker)
{
    return (struct region_counters *)(region->base + region->header.counters_offset) + worker;
}

/* `peer` below header.peer_count; the last one is control's. */
static inline struct region_peer *region_peer(const struct region *region, uint32_t peer)
{
    return (struct region_peer *)(region->base + region->header.peers_offset) + peer;
}

/* One cell of a row in the region, which its worker may be writing. */
static inline uint64_t region_cell(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

static inline uint64_t region_counter(const struct region *region, uint32_t worker,
                                      enum counter counter)
{
    return region_cell(&region_counters(region, worker)->value[counter]);
}

#endif
