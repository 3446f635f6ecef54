/* What libclamav's answers mean, and noticing what was refused to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <clamav.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signatures/scanner/memory.h"
#include "signatures/scanner/scratch.h"
#include "signatures/scanner/shortage.h"
#include "signatures/scanner/verdict.h"

static void expect(int code, const char *virus, enum verdict_kind verdict,
                   enum unscannable_reason reason)
{
    struct scan_result result = {0};

    verdict_from_engine(code, virus, &result);
    assert_int_equal(result.verdict, verdict);
    assert_int_equal(result.reason, reason);
}

static void only_clean_is_clean(void **state)
{
    (void)state;
    expect(CL_CLEAN, NULL, VERDICT_CLEAN, UNSCANNABLE_NONE);
    expect(CL_CLEAN, "Some.Name", VERDICT_INFECTED, UNSCANNABLE_NONE);
    expect(CL_VIRUS, "Some.Name", VERDICT_INFECTED, UNSCANNABLE_NONE);
    expect(CL_VIRUS, NULL, VERDICT_INFECTED, UNSCANNABLE_NONE);
    for (int code = CL_VIRUS + 1; code <= CL_ELAST_ERROR; code++) {
        struct scan_result result = {0};

        verdict_from_engine(code, NULL, &result);
        assert_int_equal(result.verdict, VERDICT_UNSCANNABLE);
        assert_true(strlen(result.name) > 0);
    }
    expect(-1, NULL, VERDICT_UNSCANNABLE, UNSCANNABLE_ENGINE_ERROR);
}

static void heuristics_have_their_reasons(void **state)
{
    (void)state;
    expect(CL_VIRUS, "Heuristics.Limits.Exceeded.MaxScanTime", VERDICT_UNSCANNABLE,
           UNSCANNABLE_TIME);
    expect(CL_VIRUS, "Heuristics.Limits.Exceeded.MaxFiles", VERDICT_UNSCANNABLE, UNSCANNABLE_LIMIT);
    expect(CL_VIRUS, "Heuristics.Limits.Exceeded", VERDICT_UNSCANNABLE, UNSCANNABLE_LIMIT);
    expect(CL_VIRUS, "Heuristics.Encrypted.PDF", VERDICT_UNSCANNABLE,
           UNSCANNABLE_ENCRYPTED_DOCUMENT);
    expect(CL_VIRUS, "Heuristics.Encrypted.Zip", VERDICT_UNSCANNABLE, UNSCANNABLE_ENCRYPTED);
    expect(CL_VIRUS, "Heuristics.Phishing.Email", VERDICT_INFECTED, UNSCANNABLE_NONE);
    expect(CL_ETIMEOUT, NULL, VERDICT_UNSCANNABLE, UNSCANNABLE_TIME);
    expect(CL_EMAXREC, NULL, VERDICT_UNSCANNABLE, UNSCANNABLE_LIMIT);
    expect(CL_EMAXSIZE, NULL, VERDICT_UNSCANNABLE, UNSCANNABLE_LIMIT);
    expect(CL_EMAXFILES, NULL, VERDICT_UNSCANNABLE, UNSCANNABLE_LIMIT);
    expect(CL_EMEM, NULL, VERDICT_UNSCANNABLE, UNSCANNABLE_ENGINE_ERROR);
}

static void names_are_printable_and_bounded(void **state)
{
    struct scan_result result = {0};
    char name[400];

    (void)state;
    verdict_from_engine(CL_VIRUS, "A b\r\n\x80\x1b", &result);
    assert_string_equal(result.name, "A_b????");
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    verdict_from_engine(CL_VIRUS, name, &result);
    assert_int_equal(strlen(result.name), SCAN_NAME_BYTES - 1);
}

static void limit(int resource, rlim_t value, struct rlimit *saved)
{
    struct rlimit lower;

    assert_int_equal(getrlimit((__rlimit_resource_t)resource, saved), 0);
    lower = *saved;
    lower.rlim_cur = value;
    assert_int_equal(setrlimit((__rlimit_resource_t)resource, &lower), 0);
}

static void shortages_are_noticed(void **state)
{
    char path[] = "/tmp/postern-shortage.XXXXXX";
    struct rlimit saved;
    void *volatile memory;
    int fd;
    int other;

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    fd = mkstemp(path);
    assert_true(fd >= 0);
    shortage_forget();
    memory = malloc(1000);
    free(memory);
    assert_null(shortage_seen());
    memory = malloc((size_t)1 << 62); /* NOLINT: meant to fail */
    assert_null(memory);
    free(memory);
    assert_string_equal(shortage_seen(), "out of memory");
    shortage_forget();
    assert_null(shortage_seen());

    (void)signal(SIGXFSZ, SIG_IGN);
    limit(RLIMIT_FSIZE, 0, &saved);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_string_equal(shortage_seen(), "out of scratch space");

    shortage_forget();
    limit(RLIMIT_NOFILE, 0, &saved);
    other = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
    assert_int_equal(other, -1);
    assert_string_equal(shortage_seen(), "out of file descriptors");
    close(fd);
    (void)unlink(path);
}

/* What a killed parent left is removed by the next; what a living one uses is not. */
static void scratch_of_the_dead_is_removed(void **state)
{
    char parent[] = "/tmp/postern-test-XXXXXX";
    char dead[SCRATCH_PATH_BYTES];
    char slot[SCRATCH_PATH_BYTES];
    char living[SCRATCH_PATH_BYTES];
    char next[SCRATCH_PATH_BYTES];
    int locks[3];

    (void)state;
    assert_non_null(mkdtemp(parent));
    assert_int_equal(scratch_make(parent, dead, &locks[0]), STATUS_OK);
    assert_int_equal(scratch_make_slot(dead, 1, geteuid(), getegid(), slot), STATUS_OK);
    assert_int_equal(scratch_make(parent, living, &locks[1]), STATUS_OK);
    assert_int_equal(access(dead, F_OK), 0);
    close(locks[0]); /* as the kernel does when its process ends */
    assert_int_equal(scratch_make(parent, next, &locks[2]), STATUS_OK);
    assert_int_equal(access(dead, F_OK), -1);
    assert_int_equal(access(living, F_OK), 0);
    scratch_remove(living);
    scratch_remove(next);
    close(locks[1]);
    close(locks[2]);
    assert_int_equal(rmdir(parent), 0);
}

static void scratch_is_emptied_without_following_links(void **state)
{
    char outside[] = "/tmp/postern-outside.XXXXXX";
    char base[SCRATCH_PATH_BYTES];
    char slot[SCRATCH_PATH_BYTES];
    char path[2 * SCRATCH_PATH_BYTES];
    int fd = mkstemp(outside);
    int lock;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(scratch_make("/tmp", base, &lock), STATUS_OK);
    assert_int_equal(scratch_make_slot(base, 3, geteuid(), getegid(), slot), STATUS_OK);
    (void)snprintf(path, sizeof(path), "%s/deeper", slot);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/deeper/file", slot);
    assert_int_equal(link(outside, path), 0);
    (void)snprintf(path, sizeof(path), "%s/deeper/up", slot);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_int_equal(scratch_empty(slot), STATUS_OK);
    assert_int_equal(rmdir(slot), 0);
    assert_int_equal(access(outside, F_OK), 0);
    scratch_remove(base);
    close(lock);
    assert_int_equal(access(base, F_OK), -1);
    assert_int_equal(unlink(outside), 0);
}

/* What a scan allocates and frees comes from the heap and stays there: no mmap, no trimming. */
static void freed_memory_is_kept(void **state)
{
    const size_t large = (size_t)16 * 1024 * 1024;
    size_t mapped;
    uint8_t *block;
    void *top;

    (void)state;
    memory_tune();
    mapped = mallinfo2().hblks;
    block = malloc(large);
    assert_non_null(block);
    memset(block, 1, large);
    assert_int_equal(mallinfo2().hblks, mapped);
    top = sbrk(0);
    free(block);
    assert_ptr_equal(sbrk(0), top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_clean_is_clean),
        cmocka_unit_test(heuristics_have_their_reasons),
        cmocka_unit_test(names_are_printable_and_bounded),
        cmocka_unit_test(shortages_are_noticed),
        cmocka_unit_test(scratch_of_the_dead_is_removed),
        cmocka_unit_test(scratch_is_emptied_without_following_links),
        cmocka_unit_test(freed_memory_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
