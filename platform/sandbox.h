/* sandbox.h: giving up what a process does not need before it sees a byte from outside.
 *
 * Walls behind walls: what the one lets through by a mistake of ours or of the kernel, the next
 * one holds. Namespaces and an empty root leave nothing to see, Landlock nothing to open, the list
 * of system calls nothing to ask for. Each step that the kernel or the lack of root forbids is
 * reported, not skipped in silence.
 */
#ifndef PLATFORM_SANDBOX_H
#define PLATFORM_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "platform/why.h"

/* Where the scratch directory is once the root is empty. */
#define SANDBOX_SCRATCH "/scratch"

#define SANDBOX_FILTER_MAX 512u

struct sandbox {
    const char *user;       /* drop to this user and its group when root; null: keep */
    const char *scratch;    /* directory that becomes a private tmpfs; null: none */
    uint64_t scratch_bytes; /* size limit of that tmpfs */
    uint64_t address_bytes; /* RLIMIT_AS; 0: none */
    uint64_t file_bytes;    /* RLIMIT_FSIZE; 0: none */
    unsigned files;         /* RLIMIT_NOFILE; 0: none */
    bool no_network;        /* new network namespace */
    bool no_processes;      /* RLIMIT_NPROC 0 and no new children */
    bool empty_root;        /* nothing of the file system but that tmpfs, as SANDBOX_SCRATCH */
    const int *calls;       /* the system calls it may make from then on; any other kills it */
    unsigned call_count;    /* 0: any call */

    /* sandbox_enclose() makes it of `calls`. */
    struct sock_filter filter[SANDBOX_FILTER_MAX];
    unsigned filter_count;
};

/* Address space in use now, in bytes; 0 when it cannot be read. */
uint64_t sandbox_mapped_bytes(void);

/* The outer half, which children inherit: namespaces, scratch directory, root, no_new_privs,
 * Landlock (no file but in `scratch`). `scratch` of the sandbox becomes where it is then. What the
 * kernel or the lack of root forbade is added to `why`: the caller logs it and goes on. Fails where
 * it must not go on: STATUS_NOT_FOUND when there is no such user. One thread. */
enum status sandbox_enclose(struct sandbox *sandbox, struct why *why) STATUS_CHECKED;

/* The inner half, cheap, for each child: limits, user, no capabilities, death with the parent,
 * system calls (mmap and mprotect never with PROT_EXEC, of fcntl what looks and doubles). Fails
 * (`why` says which step) or has done all of it. One thread. A parent that died before is not
 * noticed: compare getppid() after. `uid` and `gid` are those of `user`: behind an empty root they
 * cannot be looked up. */
enum status sandbox_enter(const struct sandbox *sandbox, uint32_t uid, uint32_t gid,
                          struct why *why) STATUS_CHECKED;

/* Gives up root, for good, for `user` and its group, and new privileges; whoever is not root only
 * the latter. What the kernel was asked to send at the parent's death stays asked for. On failure
 * `why` says what went wrong, and the process must not go on. */
enum status sandbox_give_up_root(const char *user, struct why *why) STATUS_CHECKED;

/* uid and gid of a user by name; STATUS_NOT_FOUND. */
enum status sandbox_user(const char *name, uint32_t *uid, uint32_t *gid) STATUS_CHECKED;

#endif
