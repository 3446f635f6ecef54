/* appliance.h: the dataplane's side of the link, for tests of the real scanner program.
 *
 * Makes a real region, a real store and real channel memories, starts the scanner with an
 * inherited socket, puts mails into blocks and hands them over. One test process, no threads.
 * Waits are bounded; what does not happen in time fails the test.
 */
#ifndef TESTS_UNIT_SCANNER_APPLIANCE_H
#define TESTS_UNIT_SCANNER_APPLIANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "dataplane/message/store.h"
#include "platform/link/channel.h"
#include "platform/link/link.h"

#define APPLIANCE_WORKERS 2u
#define APPLIANCE_SLOTS   4u
#define APPLIANCE_WAIT_MS 60000

struct appliance_slot {
    uint32_t epoch;
    bool ready;
    bool gone;
    char text[LINK_TEXT_BYTES]; /* of the last READY or GONE */
    struct link_identity identity;
    struct channel_memory memory;
    struct channel channels[APPLIANCE_WORKERS];
};

struct appliance {
    struct region region;
    struct store store;
    int link;
    pid_t scanner;
    unsigned slots;
    uint64_t jobs;
    uint32_t flags; /* of the jobs to come */
    struct appliance_slot slot[APPLIANCE_SLOTS];
};

/* The program under test; environment POSTERN_SCANNER. */
const char *scanner_program(void);

/* Starts the scanner on `database` with `slots` children and further arguments (null: none), and
 * waits until all of them are ready. */
void appliance_start(struct appliance *appliance, const char *database, unsigned slots,
                     const char *const *arguments);

/* The same with one child, which ends before it is ready. */
void appliance_start_lost(struct appliance *appliance, const char *database);

/* The next scanners run as that user (root only); 0: as we are. */
void appliance_run_as(uid_t uid);

/* Closes the link, waits for the scanner, returns its exit status (128 + signal when killed). */
int appliance_stop(struct appliance *appliance);

/* Hears what waits on the link for up to `wait_ms`. False when the link is closed. */
bool appliance_hear(struct appliance *appliance, int wait_ms);
void appliance_wait_gone(struct appliance *appliance, unsigned slot);

/* Offers a dead slot its next channel and waits for the new child. */
void appliance_revive(struct appliance *appliance, unsigned slot);

void appliance_send(struct appliance *appliance, enum link_type type, unsigned slot,
                    uint32_t epoch);

struct message *appliance_put(struct appliance *appliance, const void *bytes, size_t length);
struct message *appliance_put_file(struct appliance *appliance, const char *path);

/* Pushes a job for the message (or one of the test's own making). */
void appliance_hand_over(struct appliance *appliance, unsigned slot, unsigned worker,
                         const struct message *message);
void appliance_push(struct appliance *appliance, unsigned slot, unsigned worker,
                    const struct scan_job *job);

/* Waits for the next result of that channel; false when the child died instead. */
bool appliance_result(struct appliance *appliance, unsigned slot, unsigned worker,
                      struct scan_result *result);

/* All at once: puts the file, scans it on slot 0, gives it back. */
void appliance_scan_file(struct appliance *appliance, const char *path, struct scan_result *result);

/* Pid of a child of the scanner (a keeper) by its place among them; 0 when there is none. */
pid_t appliance_child(const struct appliance *appliance, unsigned place);

/* Pid of that keeper's child, which gets the next message or has one; 0 when there is none now. */
pid_t appliance_grandchild(const struct appliance *appliance, unsigned place);

/* Waits until another one than `last`, which has had a message, is there: it is replaced after its
 * answer has been given. */
pid_t appliance_next_grandchild(const struct appliance *appliance, unsigned place, pid_t last);

#endif
