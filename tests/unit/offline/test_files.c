#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/offline/files.h"

static char base[64];
static struct file_list list;

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/postern-test-XXXXXX");
    list = (struct file_list){0};
    return mkdtemp(base) == NULL || chdir(base) != 0 ? -1 : 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    files_free(&list);
    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return chdir("/") == 0 ? system(command) : -1; // NOLINT(cert-env33-c): a path of our own
}

static void touch(const char *path, size_t size)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

static void expect_paths(const char *const *paths, size_t count)
{
    assert_int_equal(list.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(list.entries[i].path, paths[i]);
}

static void test_sorted_and_recursive(void **state)
{
    static const char *const expected[] = {"d/B", "d/a/x", "d/a/y", "d/b", "d/z", "d/B", "e"};

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    assert_int_equal(mkdir("d/a", 0755), 0);
    touch("d/z", 1);
    touch("d/b", 22);
    touch("d/B", 3);
    touch("d/a/y", 4);
    touch("d/a/x", 5);
    touch("e", 6);
    assert_int_equal(files_add(&list, "d"), STATUS_OK);
    assert_int_equal(files_add(&list, "d/B"), STATUS_OK);
    assert_int_equal(files_add(&list, "e"), STATUS_OK);
    expect_paths(expected, 7);
    assert_int_equal(list.entries[3].size, 22);
    assert_int_equal(list.error_count, 0);
}

static void test_links_make_no_loops(void **state)
{
    static const char *const expected[] = {"d/x", "link/x", "file"};

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    touch("d/x", 1);
    assert_int_equal(symlink(".", "d/loop"), 0);
    assert_int_equal(symlink("x", "d/alias"), 0);
    assert_int_equal(symlink("d", "link"), 0);
    assert_int_equal(symlink("d/x", "file"), 0);
    assert_int_equal(mkfifo("d/pipe", 0644), 0);
    assert_int_equal(files_add(&list, "d"), STATUS_OK);
    assert_int_equal(files_add(&list, "link"), STATUS_OK);
    assert_int_equal(files_add(&list, "file"), STATUS_OK);
    expect_paths(expected, 3);
    assert_int_equal(list.error_count, 0);
}

static void test_errors_are_counted(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("pipe", 0644), 0);
    assert_int_equal(files_add(&list, "nowhere"), STATUS_OK);
    assert_int_equal(files_add(&list, ""), STATUS_OK);
    assert_int_equal(files_add(&list, "pipe"), STATUS_OK);
    assert_int_equal(list.error_count, 3);
    assert_int_equal(list.count, 0);
}

static void test_depth_is_bounded(void **state)
{
    char path[400] = "";

    (void)state;
    for (unsigned i = 0; i < FILES_DEPTH_MAX + 5; i++) {
        char file[420];

        snprintf(path + strlen(path), sizeof(path) - strlen(path), i == 0 ? "d" : "/d");
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(file, sizeof(file), "%s/f", path);
        touch(file, 1);
    }
    assert_int_equal(files_add(&list, "d"), STATUS_OK);
    assert_int_equal(list.count, FILES_DEPTH_MAX);
    assert_int_equal(list.error_count, 1);
}

static void test_slash_at_the_end(void **state)
{
    static const char *const expected[] = {"d/x"};

    (void)state;
    assert_int_equal(mkdir("d", 0755), 0);
    touch("d/x", 1);
    assert_int_equal(files_add(&list, "d/"), STATUS_OK);
    expect_paths(expected, 1);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_sorted_and_recursive), CASE(test_links_make_no_loops),
        CASE(test_errors_are_counted),   CASE(test_depth_is_bounded),
        CASE(test_slash_at_the_end),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
