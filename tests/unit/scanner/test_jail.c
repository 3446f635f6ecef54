/* The jail from inside: a process that has entered it as a scanner child does tries what code that
 * has taken a child over would try. Each trial is a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/sandbox.h"
#include "signatures/scanner/jail.h"

#define MEMORY_BYTES (64u << 20)

enum { HELD = 0, ESCAPED = 10, NOT_ENTERED = 11, INCOMPLETE = 12 };

static char scratch_base[] = "/tmp/postern-jail-XXXXXX";
static unsigned call_count;

/* What a trial does inside; ESCAPED or HELD, if it lives to say so. */
typedef int trial_function(const char *scratch);

static int enter(const char **scratch)
{
    struct sandbox sandbox = {
        .user = "nobody",
        .scratch = scratch_base,
        .scratch_bytes = 1u << 20,
        .address_bytes = sandbox_mapped_bytes() + MEMORY_BYTES,
        .file_bytes = 1u << 20,
        .files = 64,
        .no_network = true,
        .no_processes = true,
        .empty_root = true,
    };
    struct why why = {""};
    uint32_t uid;
    uint32_t gid;

    sandbox.calls = jail_calls(&sandbox.call_count);
    if (sandbox_user(sandbox.user, &uid, &gid) != STATUS_OK ||
        sandbox_enclose(&sandbox, &why) != STATUS_OK ||
        sandbox_enter(&sandbox, uid, gid, &why) != STATUS_OK) {
        print_error("%s\n", why.text);
        return NOT_ENTERED;
    }
    if (!why_empty(&why)) {
        print_error("not complete: %s\n", why.text);
        return INCOMPLETE;
    }
    *scratch = sandbox.scratch;
    return HELD;
}

/* How a process that enters and tries ends, as waitpid() says. */
static int outcome_of(trial_function *trial)
{
    pid_t pid = fork();
    int how = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        const char *scratch = NULL;
        int result = enter(&scratch);

        _exit(result != HELD ? result : trial(scratch));
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return how;
}

/* Killed by the filter. */
static void assert_killed(trial_function *trial)
{
    int how = outcome_of(trial);

    assert_true(WIFSIGNALED(how));
    assert_int_equal(WTERMSIG(how), SIGSYS);
}

static void assert_held(trial_function *trial)
{
    int how = outcome_of(trial);

    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), HELD);
}

static int try_socket(const char *scratch)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)scratch;
    return fd >= 0 ? ESCAPED : HELD;
}

static int try_unix_socket(const char *scratch)
{
    (void)scratch;
    return socket(AF_UNIX, SOCK_SEQPACKET, 0) >= 0 ? ESCAPED : HELD;
}

static int try_fork(const char *scratch)
{
    (void)scratch;
    return fork() >= 0 ? ESCAPED : HELD;
}

static int try_execve(const char *scratch)
{
    char program[] = "/bin/true";
    char *const arguments[] = {program, NULL};

    (void)scratch;
    (void)execve(program, arguments, NULL);
    return HELD;
}

static int try_kill(const char *scratch)
{
    (void)scratch;
    return kill(getppid(), 0) == 0 ? ESCAPED : HELD;
}

static int try_ptrace(const char *scratch)
{
    (void)scratch;
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? ESCAPED : HELD;
}

static int try_read_sibling(const char *scratch)
{
    char byte;
    struct iovec local = {&byte, 1};
    struct iovec remote = {&byte, 1};

    (void)scratch;
    return process_vm_readv(getppid(), &local, 1, &remote, 1, 0) == 1 ? ESCAPED : HELD;
}

static int try_io_uring(const char *scratch)
{
    char parameters[120] = {0};

    (void)scratch;
    return syscall(SYS_io_uring_setup, 1, parameters) >= 0 ? ESCAPED : HELD;
}

static int try_unshare(const char *scratch)
{
    (void)scratch;
    return syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */) == 0 ? ESCAPED : HELD;
}

/* The kernel would send the signal for it. */
static int try_signal_by_descriptor(const char *scratch)
{
    (void)scratch;
    return fcntl(0, F_SETOWN, getppid()) == 0 ? ESCAPED : HELD;
}

static int try_flags_of_a_descriptor(const char *scratch)
{
    (void)scratch;
    return fcntl(2, F_SETFL, O_NONBLOCK) == 0 ? ESCAPED : HELD;
}

static int try_executable_memory(const char *scratch)
{
    void *memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)scratch;
    return memory == MAP_FAILED ? HELD : ESCAPED;
}

static int try_memory_made_executable(const char *scratch)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)scratch;
    if (memory == MAP_FAILED)
        return ESCAPED;
    return mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0 ? ESCAPED : HELD;
}

static int try_files(const char *scratch)
{
    static const char *const paths[] = {
        "/etc/passwd",
        "/proc/self/maps",
        "/dev/null",
        "/run",
        "/tmp",
        "/usr/lib",
        "/root",
        "../etc/passwd",
        "/scratch/../etc/passwd",
        "/var/lib/clamav",
    };

    (void)scratch;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (open(paths[i], O_RDONLY) >= 0 || open(paths[i], O_PATH) >= 0)
            return ESCAPED;
    }
    return HELD;
}

/* Nothing beside the scratch directory can be made either. */
static int try_make(const char *scratch)
{
    (void)scratch;
    if (mkdir("/other", 0700) == 0 || open("/file", O_CREAT | O_WRONLY, 0600) >= 0 ||
        rename(SANDBOX_SCRATCH, "/else") == 0)
        return ESCAPED;
    return HELD;
}

/* What libclamav does all the time goes on. */
static int try_ordinary_work(const char *scratch)
{
    char path[64];
    char byte = 'x';
    char in[] = "\xe4";
    char out[16];
    char *from = in;
    char *to = out;
    size_t from_left = 1;
    size_t to_left = sizeof(out);
    iconv_t converter = iconv_open("UTF-8//TRANSLIT", "WINDOWS-1252");
    time_t now = 0;
    struct tm day;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/file", scratch);
    fd = open(path, O_CREAT | O_RDWR, 0600);
    if (fd < 0 || write(fd, &byte, 1) != 1 || pread(fd, &byte, 1, 0) != 1 || unlink(path) != 0)
        return 20;
    if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
        return 21;
    if (converter == (iconv_t)-1 || iconv(converter, &from, &from_left, &to, &to_left) != 0 ||
        to - out != 2)
        return 22;
    if (localtime_r(&now, &day) == NULL)
        return 23;
    /* More than what was there at the start, less than the limit: then no more. */
    if (mmap(NULL, MEMORY_BYTES / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
        MAP_FAILED)
        return 24;
    if (mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
        MAP_FAILED)
        return 25;
    return HELD;
}

static void test_calls(void **state)
{
    (void)state;
    if (call_count == 0)
        skip(); /* a sanitized build has no filter */
    assert_killed(try_socket);
    assert_killed(try_unix_socket);
    assert_killed(try_fork);
    assert_killed(try_execve);
    assert_killed(try_kill);
    assert_killed(try_ptrace);
    assert_killed(try_read_sibling);
    assert_killed(try_io_uring);
    assert_killed(try_unshare);
    assert_killed(try_signal_by_descriptor);
    assert_killed(try_flags_of_a_descriptor);
}

static void test_executable_memory(void **state)
{
    (void)state;
    if (call_count == 0)
        skip();
    assert_killed(try_executable_memory);
    assert_killed(try_memory_made_executable);
}

static void test_files(void **state)
{
    (void)state;
    assert_held(try_files);
    assert_held(try_make);
}

static void test_ordinary_work(void **state)
{
    (void)state;
    assert_held(try_ordinary_work);
}

static int group_setup(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_error("SKIPPED: only root gets the whole jail everywhere\n");
        exit(77);
    }
    (void)jail_calls(&call_count);
    jail_prepare();
    return mkdtemp(scratch_base) == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(scratch_base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_executable_memory),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_ordinary_work),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
