#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/command/run_directory.h"

static char base[64];

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/postern-test-XXXXXX");
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return system(command); // NOLINT(cert-env33-c): a path of our own
}

static void test_makes_what_is_missing(void **state)
{
    char path[128];
    char above[128];
    struct stat file;
    mode_t mask = umask(077);

    (void)state;
    snprintf(above, sizeof(above), "%s/a", base);
    snprintf(path, sizeof(path), "%s/a/state", base);
    assert_int_equal(run_directory_make(path, 0750), STATUS_OK);
    umask(mask);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0750);
    assert_int_equal(stat(above, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0755);
    /* Again: what is there stays as it is. */
    assert_int_equal(run_directory_make(path, 0700), STATUS_OK);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0750);
}

static void test_refuses_what_cannot_be(void **state)
{
    char path[128];
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s/file", base);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(run_directory_make(path, 0755), STATUS_SYSTEM);
    snprintf(path, sizeof(path), "%s/file/below", base);
    assert_int_equal(run_directory_make(path, 0755), STATUS_SYSTEM);
    assert_int_equal(run_directory_make("relative/path", 0755), STATUS_BAD_ARGUMENT);
}

static void test_lock_is_held_once(void **state)
{
    long holder = -1;
    int first;
    int second;

    (void)state;
    assert_int_equal(run_directory_lock(base, &first, &holder), STATUS_OK);
    assert_int_equal(run_directory_lock(base, &second, &holder), STATUS_IN_USE);
    assert_int_equal(holder, getpid());
    close(first);
    assert_int_equal(run_directory_lock(base, &second, &holder), STATUS_OK);
    close(second);
}

/* A lock that others could take would keep us from starting. */
static void test_lock_is_our_own(void **state)
{
    char path[128];
    struct stat file;
    long holder = -1;
    FILE *old;
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "%s/%s", base, RUN_LOCK_NAME);
    old = fopen(path, "w");
    assert_non_null(old);
    fclose(old);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(run_directory_lock(base, &fd, &holder), STATUS_OK);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_makes_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_is_held_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_is_our_own, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
