/* link.h: how scanners and control meet the dataplane.
 *
 * A SOCK_SEQPACKET Unix socket (`<runtime_directory>/dataplane.sock`, or an inherited descriptor)
 * carries fixed-size messages and, with two of them, a descriptor. It is used for setting up and
 * for news of life and death only; mail never crosses it.
 *
 *   peer -> dataplane   HELLO {kind, slots, flags}     first message; slots = scanner children
 *   dataplane -> peer   WELCOME {workers} + region fd
 *   dataplane -> peer   CHANNEL {slot, epoch} + channel memory fd     once for each slot
 *   peer -> dataplane   READY {slot, epoch, text, identity}   takes jobs from now on; text = engine
 *   peer -> dataplane   GONE {slot, epoch, text}       that child is dead; text = how
 *   peer -> dataplane   LEAVE                          no jobs any more: end the link when those I
 *                                                      have are answered (scanners)
 *   dataplane -> peer   CHANNEL {slot, epoch + 1}      after the workers let go of the old one
 *   dataplane -> peer   KILL {slot, epoch}             over its time limit or broken: SIGKILL it
 *
 *   dataplane -> candidate   SERVE                     from now on it gets mail
 *   supervisor -> dataplane  SERVE                     let the candidate serve
 *   dataplane -> supervisor  SERVE {slots}             so many of its children do; 0: none is ready
 *
 * Scanner parents are generations: several may be linked at once. One that says it is a candidate
 * gets no mail until it is told to serve: when the supervisor orders it, or when no other parent is
 * left. What a peer says of itself on its own link never makes it serve.
 *
 * Control is a peer with one slot, the supervisor one with none. End of file on the socket means
 * all of that peer's slots are gone (seen by the dataplane) or that the dataplane is gone (seen by
 * the peer, which must stop using the region's contents and connect again).
 *
 * Threads: main thread of each process. Not hot.
 */
#ifndef PLATFORM_LINK_LINK_H
#define PLATFORM_LINK_LINK_H

#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "platform/status.h"

#define LINK_VERSION       5u
#define LINK_TEXT_BYTES    128u
#define LINK_SLOTS_MAX     256u /* of one peer: a welcome and all channels fit into its socket */
#define LINK_SOCKET_BYTES  (1 << 20)
#define LINK_DIGEST_BYTES  32u
#define LINK_LIBRARY_BYTES 32u

enum link_type {
    LINK_HELLO = 1,
    LINK_WELCOME,
    LINK_CHANNEL,
    LINK_READY,
    LINK_GONE,
    LINK_KILL,
    LINK_SERVE,
    LINK_LEAVE,
};

enum link_kind { LINK_KIND_SCANNER = 1, LINK_KIND_CONTROL, LINK_KIND_SUPERVISOR };

#define LINK_FLAG_CANDIDATE 1u

/* What a scanner has loaded, as far as others may rely on it: a prefilter speaks for one database,
 * one library and one way of setting the engine. A scanner that is not sure what it has loaded
 * leaves the digest all zero. */
struct link_identity {
    uint8_t database[LINK_DIGEST_BYTES]; /* signatures/prefilter/digest.h */
    char library[LINK_LIBRARY_BYTES];    /* "1.4.6"; terminated as text is */
    uint32_t profile;                    /* PREFILTER_PROFILE */
    uint32_t recursion_max;              /* the engine's limits */
    uint32_t files_max;
    uint32_t reserved;
    uint64_t scan_bytes;
};

/* A short name for the database, as jobs and results carry it; 0 when it is not known. */
static inline uint64_t link_signatures(const struct link_identity *identity)
{
    uint64_t name;

    memcpy(&name, identity->database, sizeof(name));
    return name;
}

struct link_message {
    uint32_t version; /* LINK_VERSION; set by link_send() */
    uint32_t type;    /* enum link_type */
    uint32_t kind;    /* HELLO: enum link_kind */
    uint32_t slots;   /* HELLO: 1..LINK_SLOTS_MAX, none of the supervisor; SERVE: how many do */
    uint32_t workers; /* WELCOME */
    uint32_t slot;
    uint32_t epoch;
    uint32_t flags;                /* HELLO: LINK_FLAG_* */
    struct link_identity identity; /* READY of a scanner */
    char text[LINK_TEXT_BYTES];    /* zero-terminated by link_receive() whatever was sent */
};

/* Dataplane: binds and listens at `path` (removing a stale socket, STATUS_IN_USE when another
 * process still answers there or it is no socket), mode 0660, group `gid` unless (uint32_t)-1.
 * Returns the listening descriptor in *fd; non-blocking. */
enum status link_listen(const char *path, uint32_t gid, int *fd) STATUS_CHECKED;

/* Dataplane: takes one waiting peer (STATUS_AGAIN when none) and its uid as the kernel knows it.
 * *fd is non-blocking. */
enum status link_accept(int listening, int *fd, uint32_t *uid) STATUS_CHECKED;

/* Dataplane: the process at the other end, as the kernel knows it; 0 when it does not. */
pid_t link_peer(int socket);

/* Peer: connects; STATUS_NOT_FOUND or STATUS_CLOSED when nobody listens, STATUS_AGAIN when too many
 * wait there (try again later). *fd is non-blocking, or -1. */
enum status link_connect(const char *path, int *fd) STATUS_CHECKED;

/* Sends one message, with descriptor `fd` unless it is -1 (the caller keeps it). STATUS_AGAIN when
 * the socket's buffer is full, STATUS_CLOSED when the other side is gone. */
enum status link_send(int socket, const struct link_message *message, int fd) STATUS_CHECKED;

/* Receives one message; *fd is the descriptor that came with it, or -1, and is the caller's.
 * STATUS_AGAIN when there is none, STATUS_CLOSED at the end, STATUS_BROKEN_PEER for a message of
 * another size or version. */
enum status link_receive(int socket, struct link_message *message, int *fd) STATUS_CHECKED;

#endif
