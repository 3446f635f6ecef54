/* The digest of a database: what counts, what does not, and that a database which changes while it
 * is read is noticed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "signatures/prefilter/digest.h"

#define PATH_BYTES 128u
#define LARGE      (64 * 1024 * 1024) /* some 50 ms to read */

static char base[PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof(base), "/tmp/postern-digest-XXXXXX");
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command); /* NOLINT(cert-env33-c): our own directory */
}

static const char *at(const char *name)
{
    static char path[2 * PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

static void put(const char *name, const char *bytes)
{
    FILE *file = fopen(at(name), "we");

    assert_non_null(file);
    assert_int_equal(fputs(bytes, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

struct value {
    uint8_t bytes[PREFILTER_DIGEST_BYTES];
};

static struct value digest_of(const char *path)
{
    struct value value;

    assert_int_equal(database_digest(path, value.bytes), STATUS_OK);
    return value;
}

static void expect_same(struct value a, struct value b)
{
    assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

static void expect_other(struct value a, struct value b)
{
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

static void expect_failure(const char *path, enum status status)
{
    static const struct value zero;
    struct value value;

    memset(value.bytes, 0xff, sizeof(value.bytes));
    assert_int_equal(database_digest(path, value.bytes), status);
    expect_same(value, zero);
}

static void test_names(void **state)
{
    static const char *const loaded[] = {"main.cvd",  "daily.CLD", "a.ldb",   "b.hdb",  "x.yar",
                                         "x.YARA",    ".db",       "x.ign2",  "x.pwdb", "local.gdb",
                                         "daily.cfg", "a.b.ndb",   "odd .sfp"};
    static const char *const others[] = {
        "",       "db",         "freshclam.dat", "x.info",    "x.db.orig", "mirrors",
        "x.ldbx", "readme.txt", "x.ldb.part",    "x.ign2.gz", "."};

    (void)state;
    for (size_t i = 0; i < sizeof(loaded) / sizeof(loaded[0]); i++)
        assert_true(database_file(loaded[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(database_file(others[i]));
}

/* The format, said once more: another program must come to the same. */
static void test_format(void **state)
{
    static const char one[] = "postern database 1"
                              "\5\0\0\0\0\0\0\0"
                              "b.hdb"
                              "\4\0\0\0\0\0\0\0"
                              "beta";
    static const char two[] = "postern database 1"
                              "\2\0\0\0\0\0\0\0"
                              "\5\0\0\0\0\0\0\0"
                              "a.ldb"
                              "\5\0\0\0\0\0\0\0"
                              "alpha"
                              "\5\0\0\0\0\0\0\0"
                              "b.hdb"
                              "\4\0\0\0\0\0\0\0"
                              "beta";
    struct value expected;

    (void)state;
    put("b.hdb", "beta");
    put("a.ldb", "alpha");
    (void)SHA256((const uint8_t *)two, sizeof(two) - 1, expected.bytes);
    expect_same(digest_of(base), expected);
    (void)SHA256((const uint8_t *)one, sizeof(one) - 1, expected.bytes);
    expect_same(digest_of(at("b.hdb")), expected);
}

static void test_what_counts(void **state)
{
    struct value first;

    (void)state;
    put("b.hdb", "beta");
    put("a.ldb", "alpha");
    first = digest_of(base);
    put("README", "not loaded");
    assert_int_equal(mkdir(at("directory"), 0700), 0);
    expect_same(digest_of(base), first);
    put("a.ldb", "alphA");
    expect_other(digest_of(base), first);
    put("a.ldb", "alphab");
    put("b.hdb", "eta"); /* the same bytes, cut elsewhere */
    expect_other(digest_of(base), first);
    put("a.ldb", "alpha");
    put("b.hdb", "beta");
    expect_same(digest_of(base), first); /* times do not count */
    put("c.ndb", "");
    expect_other(digest_of(base), first);
    assert_int_equal(unlink(at("c.ndb")), 0);
    assert_int_equal(unlink(at("b.hdb")), 0);
    put("b.hsb", "beta");
    expect_other(digest_of(base), first);
}

static void test_links_are_followed(void **state)
{
    struct value first;
    char target[2 * PATH_BYTES];

    (void)state;
    put("a.ldb", "alpha");
    first = digest_of(base);
    assert_int_equal(mkdir(at("elsewhere"), 0700), 0);
    put("elsewhere/real", "alpha");
    (void)snprintf(target, sizeof(target), "%s/elsewhere/real", base);
    assert_int_equal(unlink(at("a.ldb")), 0);
    assert_int_equal(symlink(target, at("a.ldb")), 0);
    expect_same(digest_of(base), first);
}

static void test_failures(void **state)
{
    (void)state;
    expect_failure(at("nothing"), STATUS_NOT_FOUND);
    expect_failure("", STATUS_NOT_FOUND);
    assert_int_equal(mkdir(at("empty"), 0700), 0);
    (void)digest_of(at("empty"));
    assert_int_equal(mkfifo(at("pipe"), 0600), 0);
    expect_failure(at("pipe"), STATUS_BAD_ARGUMENT);
    assert_int_equal(mkfifo(at("empty/pipe.ldb"), 0600), 0);
    expect_failure(at("empty"), STATUS_BAD_ARGUMENT);
    assert_int_equal(unlink(at("empty/pipe.ldb")), 0);
    assert_int_equal(mkdir(at("empty/directory.ldb"), 0700), 0);
    expect_failure(at("empty"), STATUS_BAD_ARGUMENT);
    assert_int_equal(symlink("nowhere", at("dangling.ldb")), 0);
    expect_failure(base, STATUS_AGAIN);
}

/* -- changes ----------------------------------------------------------------------------------- */

struct changer {
    pthread_t thread;
    void (*change)(unsigned step);
    _Atomic bool stop;
};

static char changed_path[2 * PATH_BYTES];

static void change_names(unsigned step)
{
    (void)step;
    assert_int_equal(close(open(changed_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    assert_int_equal(unlink(changed_path), 0);
}

/* In place: size and name stay. */
static void change_bytes(unsigned step)
{
    int fd = open(changed_path, O_WRONLY | O_CLOEXEC);
    uint8_t byte = (uint8_t)step;

    assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
    assert_int_equal(close(fd), 0);
}

static void change_size(unsigned step)
{
    assert_int_equal(truncate(changed_path, LARGE + step % 7 * 4096), 0);
}

static void *changer_run(void *context)
{
    struct changer *changer = context;

    for (unsigned step = 1; !atomic_load(&changer->stop); step++) {
        changer->change(step);
        (void)usleep(2000);
    }
    return NULL;
}

static void put_large(const char *name)
{
    put(name, "");
    assert_int_equal(truncate(at(name), LARGE), 0);
}

static void changing(void (*change)(unsigned step), const char *path, const char *changed)
{
    struct changer changer = {.change = change};

    (void)snprintf(changed_path, sizeof(changed_path), "%s", at(changed));
    assert_int_equal(pthread_create(&changer.thread, NULL, changer_run, &changer), 0);
    (void)usleep(5000);
    expect_failure(path, STATUS_AGAIN);
    atomic_store(&changer.stop, true);
    assert_int_equal(pthread_join(changer.thread, NULL), 0);
    (void)digest_of(path); /* and when it is left in peace: */
}

static void test_names_change(void **state)
{
    (void)state;
    put_large("large.ldb");
    changing(change_names, base, "new.hdb");
}

static void test_bytes_change(void **state)
{
    (void)state;
    put_large("large.ldb");
    changing(change_bytes, base, "large.ldb");
}

/* A file that was read already, while another is being read. */
static void test_earlier_file_changes(void **state)
{
    (void)state;
    put("a.hdb", "x");
    put_large("large.ldb");
    changing(change_bytes, base, "a.hdb");
}

static void test_single_file_changes(void **state)
{
    char path[2 * PATH_BYTES];

    (void)state;
    put_large("large.ldb");
    (void)snprintf(path, sizeof(path), "%s", at("large.ldb"));
    changing(change_size, path, "large.ldb");
}

#define DIGEST_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        DIGEST_TEST(test_format),
        DIGEST_TEST(test_what_counts),
        DIGEST_TEST(test_links_are_followed),
        DIGEST_TEST(test_failures),
        DIGEST_TEST(test_names_change),
        DIGEST_TEST(test_bytes_change),
        DIGEST_TEST(test_earlier_file_changes),
        DIGEST_TEST(test_single_file_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
