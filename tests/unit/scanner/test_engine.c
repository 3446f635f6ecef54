/* The engine knows what it has loaded, also while the database is being replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <clamav.h>
#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/why.h"
#include "signatures/prefilter/digest.h"
#include "signatures/scanner/engine.h"

#define PATH_BYTES 160u
#define LINES      100u

static char base[PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(base, sizeof(base), "/tmp/postern-engine-XXXXXX");
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command); /* NOLINT(cert-env33-c): our own directory */
}

/* A hash database of `count` signatures. */
static void put_hashes(const char *name, unsigned count)
{
    char path[2 * PATH_BYTES];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", base, name);
    file = fopen(path, "we");
    assert_non_null(file);
    for (unsigned i = 0; i < count; i++)
        assert_true(
            fprintf(file, "%032x:%u:Test.%s.%u\n", i * 2654435761u, 1000 + i % 5000, name, i) > 0);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *name, const char *text)
{
    char path[2 * PATH_BYTES];
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
    return engine;
}

static void test_identity(void **state)
{
    static const uint8_t unknown[LINK_DIGEST_BYTES];
    uint8_t digest[PREFILTER_DIGEST_BYTES];
    const struct link_identity *identity;
    struct engine *engine;

    (void)state;
    put_hashes("a.hdb", 10);
    engine = open_engine();
    identity = engine_identity(engine);
    assert_int_equal(database_digest(base, digest), STATUS_OK);
    assert_memory_equal(identity->database, digest, sizeof(digest));
    assert_memory_not_equal(identity->database, unknown, sizeof(unknown));
    assert_string_equal(engine_identity_why(engine), "");
    assert_string_equal(identity->library, cl_retver());
    assert_int_equal(identity->profile, PREFILTER_PROFILE);
    assert_int_equal(identity->recursion_max, 18);
    assert_int_equal(identity->files_max, 10000);
    assert_int_equal(identity->scan_bytes, UINT64_C(400) << 20);
    engine_close(engine);
}

static bool hashes_images(void)
{
    struct engine *engine = open_engine();
    bool hashes = engine_hashes_images(engine);

    engine_close(engine);
    return hashes;
}

static void test_hashes_of_images(void **state)
{
    (void)state;
    put_hashes("a.hdb", 10);
    assert_false(hashes_images());
    put_text("b.ldb", "A;Engine:150-255,Target:5;0;fuzzy_img#0123456789abcdef#0\n");
    assert_true(hashes_images());
    put_text("b.ldb", "A;Engine:150-255,Target:5;0;41424344\n");
    assert_false(hashes_images());
}

/* The database is replaced within a load, as often as there are changes to make: before the library
 * reads it, or after. Both are moments between the two looks that the engine takes at it. */
enum moment { BEFORE_THE_LOAD, AFTER_THE_LOAD };

static struct {
    enum moment moment;
    unsigned changes;
    unsigned made;
    unsigned loads;
} plan;

/* Written beside and renamed, as freshclam does. */
static void change_database(void)
{
    char path[2 * PATH_BYTES];
    char part[2 * PATH_BYTES];

    if (plan.made == plan.changes)
        return;
    (void)snprintf(part, sizeof(part), "%s/new.part", base);
    (void)snprintf(path, sizeof(path), "%s/new.hdb", base);
    put_hashes("new.part", ++plan.made);
    assert_int_equal(rename(part, path), 0);
}

/* The linker puts these in each other's place (--wrap). */
cl_error_t __real_cl_load(const char *path, struct cl_engine *engine, unsigned *count,
                          unsigned options);
cl_error_t __wrap_cl_load(const char *path, struct cl_engine *engine, unsigned *count,
                          unsigned options);

cl_error_t __wrap_cl_load(const char *path, struct cl_engine *engine, unsigned *count,
                          unsigned options)
{
    cl_error_t result;

    plan.loads++;
    if (plan.moment == BEFORE_THE_LOAD)
        change_database();
    result = __real_cl_load(path, engine, count, options);
    if (plan.moment == AFTER_THE_LOAD)
        change_database();
    return result;
}

static struct engine *open_while_changing(enum moment moment, unsigned changes)
{
    char path[2 * PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/new.hdb", base);
    (void)unlink(path); /* of the plan before */
    plan.moment = moment;
    plan.changes = changes;
    plan.made = 0;
    plan.loads = 0;
    put_hashes("a.hdb", LINES);
    return open_engine();
}

/* The one that was there when it began is not the one that was there when it was done: again. */
static void check_loaded_again(enum moment moment, unsigned changes)
{
    struct engine *engine = open_while_changing(moment, changes);
    uint8_t digest[PREFILTER_DIGEST_BYTES];

    assert_int_equal(plan.made, changes);
    assert_int_equal(plan.loads, changes + 1);
    assert_int_equal(engine_signatures(engine), LINES + changes);
    assert_int_equal(database_digest(base, digest), STATUS_OK);
    assert_memory_equal(engine_identity(engine)->database, digest, sizeof(digest));
    assert_string_equal(engine_identity_why(engine), "");
    engine_close(engine);
}

static void test_database_replaced_while_loading(void **state)
{
    (void)state;
    for (unsigned changes = 0; changes < ENGINE_LOADS_MAX; changes++) {
        check_loaded_again(BEFORE_THE_LOAD, changes);
        check_loaded_again(AFTER_THE_LOAD, changes);
    }
}

/* Mail is scanned all the same; but nobody may rely on what with. */
static void check_never_at_rest(enum moment moment)
{
    static const uint8_t unknown[LINK_DIGEST_BYTES];
    struct engine *engine = open_while_changing(moment, UINT_MAX);

    assert_int_equal(plan.loads, ENGINE_LOADS_MAX);
    assert_in_range(engine_signatures(engine), LINES, LINES + ENGINE_LOADS_MAX);
    assert_memory_equal(engine_identity(engine)->database, unknown, sizeof(unknown));
    assert_string_equal(engine_identity_why(engine), "it kept changing while it was loaded");
    engine_close(engine);
}

static void test_database_never_at_rest(void **state)
{
    (void)state;
    check_never_at_rest(BEFORE_THE_LOAD);
    check_never_at_rest(AFTER_THE_LOAD);
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(test_identity),
        ENGINE_TEST(test_hashes_of_images),
        ENGINE_TEST(test_database_replaced_while_loading),
        ENGINE_TEST(test_database_never_at_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
