/* machine.h: what memory there is for us.
 *
 * The machine's own, and how much of it our control group and those around it may have (version 2,
 * where it is always mounted; what version 1 limits is not looked at). Pages that are set aside as
 * hugepages are nobody else's, so they are no part of either number.
 *
 * Start-up and check-config only; no state.
 */
#ifndef PLATFORM_MACHINE_H
#define PLATFORM_MACHINE_H

#include <stdint.h>

#include "platform/status.h"

#define MACHINE_HUGEPAGE_BYTES (UINT64_C(2) << 20)
#define MACHINE_NO_LIMIT       UINT64_MAX

struct machine_memory {
    uint64_t bytes;          /* MemTotal, without what is set aside as hugepages */
    uint64_t limit_bytes;    /* the least memory.max; MACHINE_NO_LIMIT: there is none */
    uint64_t hugepages_free; /* of 2 MiB, over all nodes */
};

/* Reads the files below `root`: "" for this machine. STATUS_NOT_FOUND when it does not say what it
 * has; then *memory is as much as can be. */
enum status machine_memory_read(struct machine_memory *memory, const char *root) STATUS_CHECKED;

#endif
