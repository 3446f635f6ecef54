/* `postern signatures`: from files to a file, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "platform/why.h"
#include "signatures/compile/command.h"
#include "signatures/prefilter/digest.h"

static char directory[] = "/tmp/test_command.XXXXXX";
static char said[65536]; /* on standard output */

static const char *in(const char *name)
{
    static char paths[256][256];
    static unsigned next;
    char *path = paths[next++ % 256];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(in(name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Runs the command with its output in `said`. */
static int run(const char *const *arguments)
{
    char *argv[24] = {(char *)(uintptr_t) "signatures"};
    int argc = 1, kept, code;
    FILE *file;

    while (*arguments != NULL)
        argv[argc++] = (char *)(uintptr_t)*arguments++;
    fflush(stdout);
    kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0);
    assert_non_null(freopen(in("said"), "w", stdout));
    code = signatures_command(argc, argv);
    fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    close(kept);
    file = fopen(in("said"), "r");
    assert_non_null(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
    (void)fclose(file);
    return code;
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void expect_said(const char *words)
{
    if (strstr(said, words) == NULL)
        fail_msg("'%s' is not in:\n%s", words, said);
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(run((const char *const[]){NULL}), 2);
    assert_int_equal(RUN("sign"), 2);
    assert_int_equal(RUN("build"), 2);
    assert_int_equal(RUN("build", "--database", "x"), 2);
    assert_int_equal(RUN("build", "--output", "x"), 2);
    assert_int_equal(RUN("build", "--database", "x", "--output", "y", "z"), 2);
    assert_int_equal(RUN("build", "--database", "x", "--output", "y", "--wrong"), 2);
    assert_int_equal(RUN("report"), 2);
    assert_int_equal(RUN("report", "a", "b"), 2);
}

static void test_build_and_report(void **state)
{
    struct prefilter prefilter;
    uint8_t digest[PREFILTER_DIGEST_BYTES];
    json_t *report;
    struct why why;

    (void)state;
    assert_int_equal(RUN("build", "--database", in("db"), "--output", in("out"), "--library-table",
                         in("table"), "--report", in("report.json")),
                     0);
    expect_said("prefilter for libclamav 1.4.6");
    expect_said("one.ndb");
    expect_said("Test.Short: raw text html image binary: no usable fragment (one.ndb:2)");
    assert_int_equal(RUN("report", in("out")), 0);
    expect_said("library    libclamav 1.4.6");
    expect_said("MD5        1 in 16 slots");
    expect_said("always     Test.Short: raw text html");

    report = json_load_file(in("report.json"), 0, NULL);
    assert_non_null(report);
    assert_string_equal(json_string_value(json_object_get(report, "library")), "1.4.6");
    assert_int_equal(json_array_size(json_object_get(report, "always")), 1);
    json_decref(report);

    assert_int_equal(prefilter_open(&prefilter, in("out"), &why), STATUS_OK);
    assert_int_equal(database_digest(in("db"), digest), STATUS_OK);
    assert_memory_equal(prefilter.header->database, digest, sizeof(digest));
    assert_int_equal(prefilter.header->magics.count, 2);
    assert_int_equal(prefilter_size_listed(&prefilter, PREFILTER_MD5, 68), true);
    assert_int_equal(prefilter_size_listed(&prefilter, PREFILTER_MD5, 69), false);
    prefilter_close(&prefilter);
}

/* What fires on a corpus is chosen again; what cannot be helped is warned about. */
static void test_corpus(void **state)
{
    (void)state;
    assert_int_equal(RUN("build", "--database", in("db"), "--output", in("out"), "--library-table",
                         in("table"), "--corpus", in("mail")),
                     0);
    expect_said("corpus: 2 messages");
    expect_said("1 would be sent on (50.00 %)");
    expect_said("Test.Frequent alone sends on 50.00 % of the corpus");
}

/* With --if-changed a good file is left alone, and made again when the database is another. */
static void test_if_changed(void **state)
{
    const char *const arguments[] = {"build",     "--database",   in("db"),
                                     "--output",  in("out2"),     "--library-table",
                                     in("table"), "--if-changed", NULL};
    struct stat first, second;

    (void)state;
    assert_int_equal(run(arguments), 0);
    expect_said("prefilter for");
    assert_int_equal(stat(in("out2"), &first), 0);
    assert_int_equal(run(arguments), 0);
    expect_said("is up to date");
    assert_int_equal(stat(in("out2"), &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    write_text("db/three.ndb", "Test.New:0:*:6e6577207369676e6174757265\n");
    assert_int_equal(RUN("build", "--database", in("db"), "--output", in("out2"), "--library-table",
                         in("table"), "--if-changed", "--quiet"),
                     0);
    assert_string_equal(said, "");
    assert_int_equal(stat(in("out2"), &second), 0);
    assert_int_not_equal(first.st_ino, second.st_ino);
    write_text("out2", "damaged");
    assert_int_equal(run(arguments), 0);
    expect_said("prefilter for");
}

/* Where phishing domains are listed every link is sent on: no literal of a domain is necessary. */
static void test_phishing(void **state)
{
    struct prefilter prefilter;
    unsigned found = 0;
    struct why why;

    (void)state;
    write_text("db/four.pdb", "H:example.com\nH:example.net\n");
    assert_int_equal(RUN("build", "--database", in("db"), "--output", in("out2"), "--library-table",
                         in("table")),
                     0);
    expect_said("text with a link is sent to a scanner");
    assert_int_equal(prefilter_open(&prefilter, in("out2"), &why), STATUS_OK);
    for (uint64_t i = 0; i < prefilter.header->signatures.count; i++)
        found += prefilter.signatures[i].kind == PREFILTER_PHISHING;
    assert_int_equal(found, 1);
    prefilter_close(&prefilter);
    assert_int_equal(unlink(in("db/four.pdb")), 0);
}

/* A failure leaves the old file, and says why. */
static void test_failures(void **state)
{
    struct stat before, after;

    (void)state;
    assert_int_equal(
        RUN("build", "--database", in("db"), "--output", in("out"), "--library-table", in("table")),
        0);
    assert_int_equal(stat(in("out"), &before), 0);
    assert_int_equal(RUN("build", "--database", in("none"), "--output", in("out"),
                         "--library-table", in("table")),
                     1);
    assert_int_equal(
        RUN("build", "--database", in("db"), "--output", in("out"), "--library-table", in("none")),
        1);
    assert_int_equal(RUN("build", "--database", in("db"), "--output", in("out"), "--library-table",
                         in("db/one.ndb")),
                     1);
    assert_int_equal(RUN("build", "--database", in("db"), "--output", in("out"), "--library-table",
                         in("bad-table")),
                     1);
    assert_int_equal(RUN("build", "--database", in("db"), "--output", in("out"), "--library-table",
                         in("table"), "--corpus", in("none")),
                     1);
    assert_int_equal(stat(in("out"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(RUN("report", in("none")), 1);
    assert_int_equal(RUN("report", in("table")), 1);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL || mkdir(in("db"), 0755) != 0 || mkdir(in("mail"), 0755) != 0)
        return -1;
    write_text("table", "version 1.4.6\nflevel 216\n"
                        "type 0:0:255044462d:PDF document:CL_TYPE_ANY:CL_TYPE_PDF\n"
                        "type 0:0:47494638:GIF:CL_TYPE_ANY:CL_TYPE_GIF\n");
    write_text("bad-table",
               "version 1.4.6\nflevel 216\ntype 0:0:xyz:PDF:CL_TYPE_ANY:CL_TYPE_PDF\n");
    write_text("db/one.ndb", "Test.Text:0:*:746869732069732061207665727920726172652074657874\n"
                             "Test.Short:0:*:4142\n"
                             "Test.Frequent:0:*:717a6a387677236b\n"
                             "Test.Program:1:*:4d5a90000300\n");
    write_text("db/two.hdb", "44d88612fea8a8f36de82e1278abb02f:68:Test.Hash\n");
    write_text("mail/1", "Subject: qz j8 VW#K\r\n\r\nqzj8vw#k\r\n");
    write_text("mail/2", "Subject: nothing\r\n\r\nnothing\r\n");
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"table",  "bad-table",    "db/one.ndb",  "db/two.hdb",
                                        "mail/1", "mail/2",       "report.json", "out",
                                        "out2",   "db/three.ndb", "db/four.pdb", "said"};

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        (void)unlink(in(files[i]));
    (void)rmdir(in("db"));
    (void)rmdir(in("mail"));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),    cmocka_unit_test(test_build_and_report),
        cmocka_unit_test(test_corpus),   cmocka_unit_test(test_if_changed),
        cmocka_unit_test(test_phishing), cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
