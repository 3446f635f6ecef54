/* sandbox.h: giving up what a process does not need before it sees a byte from outside.
 *
 * Walls behind walls: what the one lets through by a mistake of ours or of the kernel, the next
 * one holds. Namespaces and an empty root leave nothing to see, Landlock nothing to open, the list
 * of system calls nothing to ask for. Each step that the kernel or the lack of root forbids is
 * reported, not skipped in silence.
 */
#ifndef PLATFORM_SANDBOX_H
#define PLATFORM_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "platform/why.h"

/* Where the scratch directory is once the root is empty. */
#define SANDBOX_SCRATCH "/scratch"

struct sandbox {
    const char *user;       /* drop to this user and its group when root; null: keep */
    const char *scratch;    /* directory that becomes a private tmpfs; null: none */
    uint64_t scratch_bytes; /* size limit of that tmpfs */
    uint64_t memory_bytes;  /* RLIMIT_AS on top of what is mapped now; 0: none */
    uint64_t file_bytes;    /* RLIMIT_FSIZE; 0: none */
    unsigned files;         /* RLIMIT_NOFILE; 0: none */
    bool no_network;        /* new network namespace */
    bool no_processes;      /* RLIMIT_NPROC 0 and no new children */
    bool empty_root;        /* nothing of the file system but that tmpfs, as SANDBOX_SCRATCH */
    const int *calls;       /* the system calls it may make from then on; any other kills it */
    unsigned call_count;    /* 0: any call */
};

/* Applies all of it to this process: namespaces, root, limits, user, no_new_privs, death with the
 * parent, Landlock, system calls (mmap and mprotect never with PROT_EXEC). On failure `why` says
 * which step. On STATUS_OK `why` is empty, or lists the steps that the kernel or the lack of root
 * forbade (namespaces, tmpfs): the caller logs it; *scratch is where the scratch directory is now.
 * The process must have one thread. A parent that died before the call is not noticed: compare
 * getppid() after. */
enum status sandbox_enter(const struct sandbox *sandbox, const char **scratch,
                          struct why *why) STATUS_CHECKED;

/* Gives up root, for good, for `user` and its group, and new privileges; whoever is not root only
 * the latter. What the kernel was asked to send at the parent's death stays asked for. On failure
 * `why` says what went wrong, and the process must not go on. */
enum status sandbox_give_up_root(const char *user, struct why *why) STATUS_CHECKED;

/* uid and gid of a user by name; STATUS_NOT_FOUND. */
enum status sandbox_user(const char *name, uint32_t *uid, uint32_t *gid) STATUS_CHECKED;

#endif
