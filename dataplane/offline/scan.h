/* scan.h: the loop of `postern scan`: files in, reports out, in the same order.
 *
 * Files are read ahead of the scanners and reported in the order of the list; at most
 * SCAN_WINDOW of them are under way. The region is cut to the largest file listed.
 *
 * Threads: one. Memory: all of it is given back before scan_files() returns.
 */
#ifndef DATAPLANE_OFFLINE_SCAN_H
#define DATAPLANE_OFFLINE_SCAN_H

#include "dataplane/offline/files.h"
#include "platform/config/config.h"

#define SCAN_WINDOW        256u
#define SCAN_PROCESSES_MAX 4u
#define SCAN_REGION_BYTES  (UINT64_C(512) << 20) /* more only when one message needs it */

struct scan_options {
    bool json;
    const char *database;
    const char *prefilter; /* compiled file; null: every message goes to a scanner */
    const char *hostname;  /* in the Received field */
    uint64_t message_bytes;
    const struct config_scanner *limits; /* null: the scanner's own defaults */
};

struct scan_totals {
    size_t infected;
    size_t unscannable;
    size_t errors;
};

/* Scans all of `files`; adds to `totals`. STATUS_NO_MEMORY, STATUS_SYSTEM, STATUS_NOT_FOUND (no
 * postern-scanner) after saying so. */
enum status scan_files(const struct scan_options *options, const struct file_list *files,
                       struct scan_totals *totals) STATUS_CHECKED;

#endif
