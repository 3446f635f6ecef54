/* The engine knows what it has loaded, also while the database is being replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include <clamav.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signatures/prefilter/digest.h"
#include "signatures/scanner/engine.h"

#define PATH_BYTES 160u
#define LINES      150000u /* some tenths of a second to load */

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

static struct engine *open_engine(void)
{
    struct engine_options options = ENGINE_OPTIONS_DEFAULT;
    struct engine *engine;
    char why[256] = "";

    options.database = base;
    if (engine_open(&engine, &options, why, sizeof(why)) != STATUS_OK)
        fail_msg("%s", why);
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

struct change {
    pthread_t thread;
    bool for_ever;
    _Atomic bool stop;
};

/* Written beside and renamed, as freshclam does. */
static void *change_run(void *context)
{
    struct change *change = context;
    char path[2 * PATH_BYTES];
    char part[2 * PATH_BYTES];
    unsigned count = 0;

    (void)snprintf(part, sizeof(part), "%s/new.part", base);
    (void)snprintf(path, sizeof(path), "%s/new.hdb", base);
    (void)usleep(60000);
    do {
        put_hashes("new.part", ++count);
        assert_int_equal(rename(part, path), 0);
        (void)usleep(3000);
    } while (change->for_ever && !atomic_load(&change->stop));
    return NULL;
}

/* The one that was there when it began is not the one that was there when it was done: again. */
static void test_database_replaced_while_loading(void **state)
{
    uint8_t digest[PREFILTER_DIGEST_BYTES];
    struct change change = {0};
    struct engine *engine;

    (void)state;
    put_hashes("a.hdb", LINES);
    assert_int_equal(pthread_create(&change.thread, NULL, change_run, &change), 0);
    engine = open_engine();
    assert_int_equal(pthread_join(change.thread, NULL), 0);
    assert_int_equal(database_digest(base, digest), STATUS_OK);
    if (engine_signatures(engine) == LINES)
        print_message("the database was loaded before it was changed: nothing to see\n");
    else
        assert_memory_equal(engine_identity(engine)->database, digest, sizeof(digest));
    engine_close(engine);
}

/* Mail is scanned all the same; but nobody may rely on what with. */
static void test_database_never_at_rest(void **state)
{
    static const uint8_t unknown[LINK_DIGEST_BYTES];
    struct change change = {.for_ever = true};
    struct engine *engine;

    (void)state;
    put_hashes("a.hdb", LINES / 4);
    assert_int_equal(pthread_create(&change.thread, NULL, change_run, &change), 0);
    engine = open_engine();
    atomic_store(&change.stop, true);
    assert_int_equal(pthread_join(change.thread, NULL), 0);
    assert_true(engine_signatures(engine) >= LINES / 4);
    assert_memory_equal(engine_identity(engine)->database, unknown, sizeof(unknown));
    assert_string_equal(engine_identity_why(engine), "it kept changing while it was loaded");
    engine_close(engine);
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(test_identity),
        ENGINE_TEST(test_database_replaced_while_loading),
        ENGINE_TEST(test_database_never_at_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
