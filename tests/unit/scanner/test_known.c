/* What the engine calls things is known by that name, whichever kind of database it came from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/why.h"
#include "signatures/scanner/engine.h"
#include "signatures/scanner/known.h"

#define PATH_BYTES 64u
#define A64        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char base[PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof(base), "/tmp/postern-known-XXXXXX");
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command); /* NOLINT(cert-env33-c): our own directory */
}

static void put(const char *name, const char *text)
{
    char path[3 * PATH_BYTES];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", base, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct engine *open_engine(void)
{
    struct engine_options options;
    struct config_scanner scanner;
    struct engine *engine;
    struct why why = {""};

    config_scanner_defaults(&scanner);
    engine_options_set(&options, &scanner);
    options.database = base;
    if (engine_open(&engine, &options, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    assert_int_equal(engine_use_scratch(engine, "/tmp"), STATUS_OK);
    return engine;
}

static off_t read_text(void *context, void *to, size_t count, off_t offset)
{
    const char *text = context;
    size_t length = strlen(text);

    if (offset < 0 || (size_t)offset > length)
        return -1;
    if (count > length - (size_t)offset)
        count = length - (size_t)offset;
    memcpy(to, text + offset, count);
    return (off_t)count;
}

/* What the engine calls it is what it is called here, and known. */
static void expect(struct engine *engine, const char *text, const char *name)
{
    struct engine_input input = {read_text, (void *)(uintptr_t)text, (uint32_t)strlen(text)};
    struct scan_result result = {0};

    engine_scan(engine, &input, &result);
    assert_int_equal(result.verdict, VERDICT_INFECTED);
    assert_string_equal(result.name, name);
    assert_true(engine_knows_name(engine, result.name));
}

static void put_hash(const char *text)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char line[160];

    (void)SHA256((const unsigned char *)text, strlen(text), digest);
    for (unsigned i = 0; i < sizeof(digest); i++)
        (void)snprintf(line + 2 * (size_t)i, 3, "%02x", digest[i]);
    (void)snprintf(line + 64, sizeof(line) - 64, ":%zu:Test.Hash:73\n", strlen(text));
    put("a.hsb", line);
}

static void kinds_of_databases(void **state)
{
    static const char hashed[] = "a file that is known by its hash, and long enough for it";
    struct engine *engine;

    (void)state;
    put_hash(hashed);
    put("b.ndb", "Test.Body:0:*:7061747465726e2074776f\n"
                 "Test." A64 A64 A64 ":0:*:7061747465726e2073697864\n");
    put("c.ldb", "Test.Logical;Engine:81-255,Target:0;0&1;7061727420746872;656520616e6420\n");
    put("d.yar", "rule Test_Rule { strings: $a = \"pattern four\" condition: $a }\n");
    put("e.cdb", "Test.Container:CL_TYPE_MAIL:*:^five\\.bin$:*:*:*:*:*:*\n");
    engine = open_engine();
    expect(engine, hashed, "Test.Hash.UNOFFICIAL");
    expect(engine, "here is pattern two, says the test", "Test.Body.UNOFFICIAL");
    expect(engine, "here is part three and its four", "Test.Logical.UNOFFICIAL");
    expect(engine, "here is pattern four, says the test", "YARA.Test_Rule.UNOFFICIAL");
    expect(engine,
           "Received: from a by b; Thu, 01 Jan 1970 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
           "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n"
           "Content-Type: application/octet-stream; name=\"five.bin\"\r\n"
           "Content-Disposition: attachment; filename=\"five.bin\"\r\n\r\nwords and "
           "words\r\n--b--\r\n",
           "Test.Container.UNOFFICIAL");
    expect(engine, "here is pattern sixd, says the test", /* cut where all names are */
           "Test." A64 A64 "aaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_true(engine_knows_name(engine, "Heuristics.Broken.Media.PNG"));
    assert_true(engine_knows_name(engine, "BC.Test.A"));
    assert_false(engine_knows_name(engine, "Test.Body"));
    assert_false(engine_knows_name(engine, "Test.Body.UNOFFICIAL "));
    assert_false(engine_knows_name(engine, "Test.Bodies.UNOFFICIAL"));
    assert_false(engine_knows_name(engine, ""));
    assert_false(engine_knows_eicar(engine));
    engine_close(engine);
}

/* Each of many, sorted and once; and none else. */
static void many(void **state)
{
    struct known known = {0};
    char name[32];

    (void)state;
    assert_int_equal(known_seal(&known), STATUS_OK);
    assert_false(known_has(&known, "a"));
    for (unsigned i = 0; i < 40000; i++) {
        (void)snprintf(name, sizeof(name), "Test.Many-%u", i % 20000);
        known_add(&known, name);
    }
    known_add(&known, "two words");
    known_add(&known, "Eicar-Test-Signature.UNOFFICIAL");
    assert_int_equal(known_seal(&known), STATUS_OK);
    assert_int_equal(known.count, 20002);
    assert_true(known.eicar);
    assert_true(known_has(&known, "two_words"));
    for (unsigned i = 0; i < 40000; i++) {
        (void)snprintf(name, sizeof(name), "Test.Many-%u", i);
        assert_int_equal(known_has(&known, name), i < 20000);
    }
    known_fini(&known);
    assert_int_equal(known_bytes(&known), 0);
}

/* A child has neither the key nor the names. */
static void kept_from_children(void **state)
{
    struct known known = {0};
    int how = 0;
    pid_t child;

    (void)state;
    known_add(&known, "Test.One");
    assert_int_equal(known_seal(&known), STATUS_OK);
    assert_true(known_keep_from_children(&known));
    assert_true(known_has(&known, "Test.One"));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        _exit(known_has(&known, "Test.One") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGSEGV);
    known_fini(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_databases),
        cmocka_unit_test(many),
        cmocka_unit_test(kept_from_children),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
