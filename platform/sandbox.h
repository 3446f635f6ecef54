/* sandbox.h: giving up what a process does not need before it sees a byte from outside.
 *
 * Each step that the kernel or the lack of root forbids is reported, not skipped in silence. The
 * full set (seccomp allow-list, torture run) widens this room; the calls stay.
 */
#ifndef PLATFORM_SANDBOX_H
#define PLATFORM_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "platform/why.h"

struct sandbox {
    const char *user;       /* drop to this user and its group when root; null: keep */
    const char *scratch;    /* directory that becomes a private tmpfs; null: none */
    uint64_t scratch_bytes; /* size limit of that tmpfs */
    uint64_t memory_bytes;  /* RLIMIT_AS on top of what is mapped now; 0: none */
    uint64_t file_bytes;    /* RLIMIT_FSIZE; 0: none */
    unsigned files;         /* RLIMIT_NOFILE; 0: none */
    int no_network;         /* new network namespace */
    int no_processes;       /* RLIMIT_NPROC 0 and no new children */
};

/* Applies all of it to this process: namespaces, tmpfs, limits, user, no_new_privs, death with the
 * parent. On failure `why` says which step. On STATUS_OK `why` is empty, or lists the steps that
 * the kernel or the lack of root forbade (namespaces, tmpfs): the caller logs it. The process must
 * have one thread. A parent that died before the call is not noticed: compare getppid() after. */
enum status sandbox_enter(const struct sandbox *sandbox, struct why *why) STATUS_CHECKED;

/* uid and gid of a user by name; STATUS_NOT_FOUND. */
enum status sandbox_user(const char *name, uint32_t *uid, uint32_t *gid) STATUS_CHECKED;

#endif
