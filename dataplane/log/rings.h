/* rings.h: a worker's records on their way to the main thread. Two rings: mail's own, and one for
 * refused commands, which anybody on the network can cause by the thousand. Neither takes the
 * other's room, and mail's is emptied first, so no flood of refusals costs a message its line.
 *
 * A full ring loses its newest records; who pushes counts them (log_lost, log_rejects_lost). Within
 * mail's ring what continues a line (LOG_RECIPIENTS) has half, so that long lists of recipients do
 * not take the room of other messages' lines either.
 *
 * Threads: the worker pushes, the main thread pops, each with a struct log_rings of its own over
 * the same memory. Hot path: log_rings_push().
 */
#ifndef DATAPLANE_LOG_RINGS_H
#define DATAPLANE_LOG_RINGS_H

#include <stddef.h>

#include "dataplane/log/record.h"
#include "platform/link/ring.h"

#define LOG_MAIL_RECORDS   1024u /* a worker */
#define LOG_REJECT_RECORDS 512u

struct log_rings {
    struct ring mail;
    struct ring rejects;
};

/* Bytes of memory, aligned to RING_ALIGNMENT, that a worker's rings lie in. */
size_t log_rings_bytes(void);

/* Binds one side to empty rings: both sides before the first record. */
void log_rings_attach(struct log_rings *rings, void *memory);

/* Worker: STATUS_NO_SPACE when there is none for a record of its kind. */
enum status log_rings_push(struct log_rings *rings, const struct log_record *record) STATUS_CHECKED;

#endif
