/* message_view.h: reading a handed-over message from another process.
 *
 * A view is a checked snapshot of a message's header and extents: counts, blocks and offsets are
 * copied once and range-checked against the region, so that reading through the view cannot leave
 * the region whatever the writer does afterwards. The *bytes* are borrowed: they are stable while
 * the hand-over lasts (the owning worker frees the message only after it has our answer, or has
 * given us up for dead).
 *
 * Threads: one view is used by one thread. Memory: the view allocates its extent table (malloc);
 * message_view_close() frees it. Used by scanners and control, never on a packet core.
 */
#ifndef PLATFORM_LINK_MESSAGE_VIEW_H
#define PLATFORM_LINK_MESSAGE_VIEW_H

#include <sys/uio.h>

#include "platform/link/region.h"

struct message_view {
    const struct region *region; /* borrowed, must outlive the view */
    uint32_t index;
    uint32_t generation;
    uint32_t flags;
    uint32_t size;       /* bytes, our Received field included */
    uint32_t trace_size; /* bytes of our Received field at the start */
    uint32_t extent_count;
    uint32_t envelope_block_count;
    uint32_t envelope_blocks[MESSAGE_ENVELOPE_BLOCKS_MAX];
    struct message_extent *extents;
    uint32_t *starts; /* starts[i]: offset in the message of extent i; ascending */
};

/* Snapshots message `index`. STATUS_STALE when its generation is not `generation` or its size is
 * not `length` (both come from the hand-over), STATUS_BAD_FORMAT when a count or extent is out of
 * range, STATUS_NO_MEMORY. On any error nothing needs closing. */
enum status message_view_open(struct message_view *view, const struct region *region,
                              uint32_t index, uint32_t generation, uint32_t length) STATUS_CHECKED;

void message_view_close(struct message_view *view);

/* True while the message still is the one that was opened. */
bool message_view_current(const struct message_view *view);

/* Copies up to `length` bytes from `offset` of the message; returns how many (0 at the end). */
size_t message_view_read(const struct message_view *view, size_t offset, void *to, size_t length);

/* Fills up to `count` iovecs that point into the region, for at most `length` bytes from `offset`;
 * returns how many were filled. The pointers are borrowed. */
unsigned message_view_iovec(const struct message_view *view, size_t offset, size_t length,
                            struct iovec *vectors, unsigned count);

/* Walks the envelope. Start with *position = 0; each call gives the next field and a borrowed
 * pointer to its value. STATUS_OK, STATUS_NOT_FOUND at the end, STATUS_BAD_FORMAT when garbled. */
enum status message_view_field(const struct message_view *view, size_t *position,
                               enum envelope_field *field, const char **value,
                               size_t *length) STATUS_CHECKED;

/* Copies the first field of that kind as a string, cut to `size`. False when there is none. */
bool message_view_string(const struct message_view *view, enum envelope_field field, char *to,
                         size_t size);

#endif
