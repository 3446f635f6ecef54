/* parent.h: the process that keeps the scanner children alive. It never looks at mail.
 *
 * Holds the loaded engine, meets the dataplane on the link socket (platform/link/link.h), forks one
 * child for each channel it is given, reports births and deaths, kills what the dataplane wants
 * killed. When the dataplane goes away it kills and reaps every child, and (unless the socket was
 * inherited) connects again for as long as it takes. SIGTERM and SIGINT: the same, then the end.
 *
 * Children that die within a second of their start are restarted with a delay: 10 ms, doubling to
 * 1 s. Threads: one, or fork() would not be safe. One poll() loop. Memory: the setting is borrowed.
 */
#ifndef SIGNATURES_SCANNER_PARENT_H
#define SIGNATURES_SCANNER_PARENT_H

#include <stdbool.h>

#include "platform/link/link.h"
#include "signatures/scanner/engine.h"

struct config_source;

struct parent_setting {
    struct engine *engine;
    struct config_source
        *source;             /* of the configuration; null: none, the setting is all there is */
    unsigned processes;      /* children: 1..LINK_SLOTS_MAX */
    int link_fd;             /* inherited socket, becomes the parent's; or -1 */
    const char *socket_path; /* where to connect when link_fd is -1 */
    const char *user;        /* for the children when root; null: stay */
    const char *scratch;     /* directory in which to make scratch directories */
    uint64_t scratch_bytes;  /* a child's tmpfs */
    uint64_t memory_bytes;   /* a child's address space on top of what is mapped */
    int64_t time_limit_ns;   /* a message */
    const struct core_map *cores; /* null: any */
    bool candidate; /* another parent serves; wait to be told (platform/link/link.h) */
};

/* Returns the exit status of the program. */
int parent_run(const struct parent_setting *setting);

#endif
