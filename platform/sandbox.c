#include "platform/sandbox.h"
#include "platform/why.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SANDBOX_PASSWD_BYTES     16384u
#define SANDBOX_CAPABILITIES_MAX 64 /* the kernel refuses the first number it does not know */

/* What is known while the steps are taken. */
struct steps {
    const struct sandbox *sandbox;
    struct why *why;
    bool root;
    bool own_mounts;     /* this process has a mount namespace of its own */
    const char *scratch; /* where it is by now */
    uint32_t uid;        /* to become */
    uint32_t gid;
};

/* A step without which the process must not go on. */
static enum status sandbox_steps_fail(struct steps *steps, const char *step, int error)
{
    why_set(steps->why, "%s: %s", step, strerror(error));
    return error == EPERM || error == EACCES ? STATUS_NOT_PERMITTED : STATUS_SYSTEM;
}

enum status sandbox_user(const char *name, uint32_t *uid, uint32_t *gid)
{
    char buffer[SANDBOX_PASSWD_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL)
        return STATUS_NOT_FOUND;
    *uid = entry.pw_uid;
    *gid = entry.pw_gid;
    return STATUS_OK;
}

static bool sandbox_write_whole(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t written;

    if (fd < 0)
        return false;
    written = write(fd, text, strlen(text));
    close(fd);
    return written == (ssize_t)strlen(text);
}

/* Without root, a user namespace of our own is what allows the other ones. The ids stay what they
 * are, so that files keep their owner. */
static bool sandbox_enter_user_namespace(struct steps *steps)
{
    unsigned uid = geteuid();
    unsigned gid = getegid();
    char map[64];

    if (unshare(CLONE_NEWUSER) != 0) {
        why_add(steps->why, "no namespaces (user namespace: %s)", strerror(errno));
        return false;
    }
    (void)sandbox_write_whole("/proc/self/setgroups",
                              "deny"); /* without it the group map is refused */
    (void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    if (!sandbox_write_whole("/proc/self/uid_map", map)) {
        why_add(steps->why, "no namespaces (uid map: %s)", strerror(errno));
        return false;
    }
    (void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    if (!sandbox_write_whole("/proc/self/gid_map", map)) {
        why_add(steps->why, "no namespaces (gid map: %s)", strerror(errno));
        return false;
    }
    return true;
}

static void sandbox_enter_namespace(struct steps *steps, int flag, const char *name, bool *entered)
{
    bool done = unshare(flag) == 0;

    if (!done)
        why_add(steps->why, "no %s namespace (%s)", name, strerror(errno));
    if (entered != NULL)
        *entered = done;
}

static void sandbox_enter_namespaces(struct steps *steps)
{
    if (!steps->root && !sandbox_enter_user_namespace(steps))
        return;
    sandbox_enter_namespace(steps, CLONE_NEWNS, "mount", &steps->own_mounts);
    sandbox_enter_namespace(steps, CLONE_NEWIPC, "ipc", NULL);
    sandbox_enter_namespace(steps, CLONE_NEWUTS, "uts", NULL);
    if (steps->sandbox->no_network)
        sandbox_enter_namespace(steps, CLONE_NEWNET, "network", NULL);
}

/* Makes a directory with nothing in it the root: the tmpfs is moved into a second one, which
 * becomes the root; what was there before is let go. */
static void sandbox_empty_root(struct steps *steps)
{
    const char *scratch = steps->sandbox->scratch;
    int inside = open(scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);
    char own[64];

    (void)snprintf(own, sizeof(own), "/proc/self/fd/%d", inside);
    if (inside < 0 ||
        mount("tmpfs", scratch, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0755") !=
            0 ||
        chdir(scratch) != 0 || mkdir("." SANDBOX_SCRATCH, 0700) != 0 ||
        mount(own, "." SANDBOX_SCRATCH, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
              NULL) != 0 ||
        syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
        why_add(steps->why, "no empty root (%s)", strerror(errno));
    else
        steps->scratch = SANDBOX_SCRATCH;
    if (inside >= 0)
        close(inside);
}

static void sandbox_mount_scratch(struct steps *steps)
{
    const struct sandbox *sandbox = steps->sandbox;
    char options[128];

    if (sandbox->scratch == NULL)
        return;
    if (!steps->own_mounts) {
        why_add(steps->why, "no private tmpfs");
        return;
    }
    (void)snprintf(options, sizeof(options), "size=%llu,nr_inodes=65536,mode=0700,uid=%u,gid=%u",
                   (unsigned long long)sandbox->scratch_bytes, steps->uid, steps->gid);
    /* Private first: or the mount would show in the namespace we came from. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", sandbox->scratch, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) != 0)
        why_add(steps->why, "no private tmpfs (%s)", strerror(errno));
    else if (sandbox->empty_root)
        sandbox_empty_root(steps);
}

static enum status sandbox_set_limit(struct steps *steps, int resource, const char *name,
                                     uint64_t value)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return sandbox_steps_fail(steps, name, errno);
    if (limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return sandbox_steps_fail(steps, name, errno);
    return STATUS_OK;
}

uint64_t sandbox_mapped_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    char line[128];

    if (file == NULL)
        return 0;
    if (fgets(line, sizeof(line), file) == NULL || sscanf(line, "%llu", &pages) != 1)
        pages = 0;
    (void)fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static enum status sandbox_set_limits(struct steps *steps)
{
    const struct sandbox *sandbox = steps->sandbox;
    enum status status = sandbox_set_limit(steps, RLIMIT_CORE, "RLIMIT_CORE", 0);

    if (status == STATUS_OK && sandbox->file_bytes > 0)
        status = sandbox_set_limit(steps, RLIMIT_FSIZE, "RLIMIT_FSIZE", sandbox->file_bytes);
    if (status == STATUS_OK && sandbox->files > 0)
        status = sandbox_set_limit(steps, RLIMIT_NOFILE, "RLIMIT_NOFILE", sandbox->files);
    if (status == STATUS_OK && sandbox->address_bytes > 0)
        status = sandbox_set_limit(steps, RLIMIT_AS, "RLIMIT_AS", sandbox->address_bytes);
    return status;
}

/* Capabilities are gone from the bounding set first, so that nothing can bring one back. */
static enum status sandbox_drop_privileges(struct steps *steps)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};

    for (int capability = 0; capability < SANDBOX_CAPABILITIES_MAX; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            break; /* past the last one, or not ours to drop */
    }
    if (steps->root && steps->sandbox->user != NULL) {
        if (setgroups(0, NULL) != 0)
            return sandbox_steps_fail(steps, "setgroups", errno);
        if (setresgid(steps->gid, steps->gid, steps->gid) != 0)
            return sandbox_steps_fail(steps, "setresgid", errno);
        if (setresuid(steps->uid, steps->uid, steps->uid) != 0)
            return sandbox_steps_fail(steps, "setresuid", errno);
    }
    if (syscall(SYS_capset, &header, none) != 0)
        return sandbox_steps_fail(steps, "capset", errno);
    return STATUS_OK;
}

/* What the running kernel knows of file access, of what we ask for. */
static uint64_t sandbox_landlock_rights(long version)
{
    uint64_t rights = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1; /* all of the first version */

    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= LANDLOCK_ACCESS_FS_REFER * 2; /* truncate: newer than Debian 12's headers */
    return rights;
}

/* No file but those in the scratch directory, whatever else can still be seen. */
static void sandbox_landlock(struct steps *steps)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    uint64_t rights = sandbox_landlock_rights(version);
    struct landlock_ruleset_attr all = {.handled_access_fs = rights};
    struct landlock_path_beneath_attr inside = {.allowed_access = rights};
    int rules = version < 1 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

    if (rules >= 0) {
        inside.parent_fd = open(steps->scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (inside.parent_fd < 0 ||
            syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &inside, 0) != 0 ||
            syscall(SYS_landlock_restrict_self, rules, 0) != 0)
            version = -1;
    }
    if (rules < 0 || version < 0)
        why_add(steps->why, "no Landlock (%s)", strerror(errno));
    if (rules >= 0)
        close(rules);
    if (inside.parent_fd > 0)
        close(inside.parent_fd);
}

/* Memory may be asked for, but not to run what is written to it. Descriptors may be looked at and
 * doubled, but not made to send signals or to change for others who share them. */
static int sandbox_allow(scmp_filter_ctx filter, int call)
{
    static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC};
    int error = 0;

    if (call == SYS_fcntl) {
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && error == 0; i++)
            error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                     SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
        return error;
    }
    if (call == SYS_mmap || call == SYS_mprotect)
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

/* The list as a program for the kernel, once for all children. */
static int sandbox_compile_calls(struct sandbox *sandbox)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int file = memfd_create("postern-calls", MFD_CLOEXEC);
    int error = filter == NULL || file < 0 ? -ENOMEM : 0;
    off_t bytes = 0;

    if (error == 0) /* a tree of comparisons, not a chain */
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (unsigned i = 0; i < sandbox->call_count && error == 0; i++)
        error = sandbox_allow(filter, sandbox->calls[i]);
    if (error == 0)
        error = seccomp_export_bpf(filter, file);
    if (error == 0)
        bytes = lseek(file, 0, SEEK_END);
    if (error == 0 && (bytes <= 0 || bytes > (off_t)sizeof(sandbox->filter) ||
                       pread(file, sandbox->filter, (size_t)bytes, 0) != bytes))
        error = -E2BIG;
    sandbox->filter_count = (unsigned)((size_t)bytes / sizeof(sandbox->filter[0]));
    seccomp_release(filter);
    if (file >= 0)
        close(file);
    return error;
}

static enum status sandbox_limit_calls(struct steps *steps)
{
    const struct sandbox *sandbox = steps->sandbox;
    struct sock_fprog program = {
        .len = (unsigned short)sandbox->filter_count,
        /* The kernel only reads it. */
        .filter = (struct sock_filter *)(uintptr_t)sandbox->filter,
    };

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0
               ? STATUS_OK
               : sandbox_steps_fail(steps, "seccomp", errno);
}

/* Last, because a change of credentials clears them. */
static enum status sandbox_bind_to_parent(struct steps *steps)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return sandbox_steps_fail(steps, "PR_SET_PDEATHSIG", errno);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return sandbox_steps_fail(steps, "PR_SET_DUMPABLE", errno);
    return STATUS_OK;
}

enum status sandbox_enclose(struct sandbox *sandbox, struct why *why)
{
    struct steps steps = {.sandbox = sandbox,
                          .why = why,
                          .root = geteuid() == 0,
                          .uid = geteuid(),
                          .gid = getegid(),
                          .scratch = sandbox->scratch};

    if (steps.root && sandbox->user != NULL &&
        sandbox_user(sandbox->user, &steps.uid, &steps.gid) != STATUS_OK) {
        why_set(why, "there is no user \"%s\" on this machine", sandbox->user);
        return STATUS_NOT_FOUND;
    }
    if (steps.root && sandbox->user == NULL)
        why_add(why, "still root (no user named)");
    sandbox_enter_namespaces(&steps);
    sandbox_mount_scratch(&steps);
    sandbox->scratch = steps.scratch;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return sandbox_steps_fail(&steps, "no_new_privs", errno);
    if (steps.scratch != NULL)
        sandbox_landlock(&steps);
    if (sandbox->call_count > 0) {
        int error = sandbox_compile_calls(sandbox);

        if (error != 0)
            return sandbox_steps_fail(&steps, "list of system calls", -error);
    }
    return STATUS_OK;
}

enum status sandbox_enter(const struct sandbox *sandbox, uint32_t uid, uint32_t gid,
                          struct why *why)
{
    struct steps steps = {.sandbox = sandbox,
                          .why = why,
                          .root = geteuid() == 0,
                          .uid = uid,
                          .gid = gid,
                          .scratch = sandbox->scratch};
    enum status status = sandbox_set_limits(&steps);

    if (status == STATUS_OK)
        status = sandbox_drop_privileges(&steps);
    if (status == STATUS_OK && sandbox->no_processes)
        status = sandbox_set_limit(&steps, RLIMIT_NPROC, "RLIMIT_NPROC", 0);
    if (status == STATUS_OK)
        status = sandbox_bind_to_parent(&steps);
    if (status == STATUS_OK && sandbox->filter_count > 0)
        status = sandbox_limit_calls(&steps);
    return status;
}

static enum status sandbox_become(uint32_t uid, uint32_t gid, struct why *why)
{
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        why_set(why, "cannot give up root: %s", strerror(errno));
        return STATUS_NOT_PERMITTED;
    }
    if (uid != 0 && setuid(0) == 0) {
        why_set(why, "cannot give up root: it came back");
        return STATUS_NOT_PERMITTED;
    }
    return STATUS_OK;
}

enum status sandbox_give_up_root(const char *user, struct why *why)
{
    pid_t parent = getppid();
    int death_signal = 0;
    uint32_t uid;
    uint32_t gid;
    enum status status = STATUS_OK;

    (void)prctl(PR_GET_PDEATHSIG, &death_signal);
    if (geteuid() == 0) {
        if (user == NULL || sandbox_user(user, &uid, &gid) != STATUS_OK) {
            why_set(why, "there is no user \"%s\" on this machine", user == NULL ? "" : user);
            return STATUS_NOT_FOUND;
        }
        status = sandbox_become(uid, gid, why);
    }
    if (status != STATUS_OK)
        return status;
    /* A change of credentials clears it. */
    if (death_signal != 0 && (prctl(PR_SET_PDEATHSIG, death_signal) != 0 || getppid() != parent)) {
        why_set(why, "whoever started this process has ended");
        return STATUS_CLOSED;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        why_set(why, "no_new_privs: %s", strerror(errno));
        return STATUS_SYSTEM;
    }
    return STATUS_OK;
}
