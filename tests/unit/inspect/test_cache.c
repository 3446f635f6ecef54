/* The cache of verdicts: what it remembers and forgets, and that threads which read and write the
 * same few sets at once never see a mixture. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/content/inspect/cache.h"

#define SMALL_BYTES  (CACHE_ENTRIES_MIN * 512u)
#define THREADS      4u
#define THREAD_KEYS  512u /* more than the small cache holds */
#define THREAD_STEPS 100000u
#define GENERATION   7u

static int set_up(void **state)
{
    struct cache *cache;

    assert_int_equal(cache_create(&cache, SMALL_BYTES), STATUS_OK);
    *state = cache;
    return 0;
}

static int tear_down(void **state)
{
    cache_destroy(*state);
    return 0;
}

/* Distinct for each number, and spread as a digest is. */
static struct cache_key key_of(uint64_t number)
{
    struct cache_key key = {.length = 1000 + number, .generation = GENERATION, .type = 3};

    for (size_t i = 0; i < sizeof(key.sha256); i += 8) { /* splitmix64 */
        uint64_t x = (number * 4 + i / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(key.sha256 + i, &x, sizeof(x));
    }
    return key;
}

/* Keys of one set: the set comes from the digest's first eight bytes. */
static struct cache_key key_in_one_set(uint64_t number)
{
    struct cache_key key = key_of(number);

    memset(key.sha256, 0x5a, 8);
    return key;
}

static void expect(const struct cache *cache, struct cache_key key, enum verdict_kind verdict,
                   const char *name)
{
    struct cache_answer answer;

    assert_true(cache_lookup(cache, &key, &answer));
    assert_int_equal(answer.verdict, verdict);
    assert_string_equal(answer.name, name);
}

static void expect_unknown(const struct cache *cache, struct cache_key key)
{
    struct cache_answer answer;

    assert_false(cache_lookup(cache, &key, &answer));
}

static void test_remembers(void **state)
{
    struct cache *cache = *state;
    struct cache_key clean = key_of(1);
    struct cache_key infected = key_of(2);

    expect_unknown(cache, clean);
    assert_true(cache_store(cache, &clean, VERDICT_CLEAN, NULL));
    assert_true(cache_store(cache, &infected, VERDICT_INFECTED, "Eicar-Test"));
    expect(cache, clean, VERDICT_CLEAN, "");
    expect(cache, infected, VERDICT_INFECTED, "Eicar-Test");
    expect_unknown(cache, key_of(3));
}

/* An all-zero key must not be found in the zeroed table. */
static void test_empty_is_unknown(void **state)
{
    expect_unknown(*state, (struct cache_key){0});
}

static void test_every_field_counts(void **state)
{
    struct cache *cache = *state;
    struct cache_key key = key_of(1);

    assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
    for (size_t i = 0; i < sizeof(key); i++) {
        struct cache_key other = key;

        ((uint8_t *)&other)[i] ^= 0x10;
        expect_unknown(cache, other);
    }
    expect(cache, key, VERDICT_CLEAN, "");
}

static void test_only_final_verdicts(void **state)
{
    struct cache *cache = *state;
    struct cache_key key = key_of(1);

    assert_false(cache_store(cache, &key, VERDICT_UNSCANNABLE, NULL));
    assert_false(cache_store(cache, &key, (enum verdict_kind)0, NULL));
    assert_false(cache_store(cache, &key, (enum verdict_kind)9, "x"));
    expect_unknown(cache, key);
}

static void test_clean_never_replaces_infected(void **state)
{
    struct cache *cache = *state;
    struct cache_key key = key_of(1);

    assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
    assert_true(cache_store(cache, &key, VERDICT_INFECTED, "Worm"));
    expect(cache, key, VERDICT_INFECTED, "Worm");
    assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
    expect(cache, key, VERDICT_INFECTED, "Worm");
    assert_true(cache_store(cache, &key, VERDICT_INFECTED, "Other"));
    expect(cache, key, VERDICT_INFECTED, "Other");
}

static void test_names(void **state)
{
    struct cache *cache = *state;
    struct cache_key key = key_of(1);
    char longest[SCAN_NAME_BYTES + 40];

    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_true(cache_store(cache, &key, VERDICT_INFECTED, longest));
    longest[SCAN_NAME_BYTES - 1] = '\0';
    expect(cache, key, VERDICT_INFECTED, longest);
    assert_true(cache_store(cache, &key, VERDICT_INFECTED, "short")); /* nothing of the old */
    expect(cache, key, VERDICT_INFECTED, "short");
    assert_true(cache_store(cache, &key, VERDICT_INFECTED, NULL));
    expect(cache, key, VERDICT_INFECTED, "");
}

static void test_oldest_goes(void **state)
{
    struct cache *cache = *state;

    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        struct cache_key key = key_in_one_set(i);

        assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct cache_key key = key_in_one_set(CACHE_WAYS + i);

        expect(cache, key_in_one_set(i), VERDICT_CLEAN, "");
        assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
        expect_unknown(cache, key_in_one_set(i));
        for (unsigned young = 1; young <= CACHE_WAYS; young++)
            expect(cache, key_in_one_set(i + young), VERDICT_CLEAN, "");
    }
}

/* What is stored again is young again, and takes no second place. */
static void test_stored_again(void **state)
{
    struct cache *cache = *state;
    struct cache_key first = key_in_one_set(0);

    for (unsigned i = 0; i < CACHE_WAYS; i++) {
        struct cache_key key = key_in_one_set(i);

        assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
    }
    assert_true(cache_store(cache, &first, VERDICT_INFECTED, "Again"));
    for (unsigned i = 0; i < CACHE_WAYS - 1; i++) {
        struct cache_key key = key_in_one_set(100 + i);

        assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
    }
    expect(cache, first, VERDICT_INFECTED, "Again");
    expect_unknown(cache, key_in_one_set(1));
}

static void test_sizes(void **state)
{
    struct cache *cache;
    unsigned found = 0;

    (void)state;
    assert_int_equal(cache_create(&cache, 0), STATUS_BAD_ARGUMENT);
    assert_null(cache);
    assert_int_equal(cache_create(&cache, 4096), STATUS_BAD_ARGUMENT);
    cache_destroy(NULL);
    /* A larger one holds what its bytes promise: nearly all of a half load. */
    assert_int_equal(cache_create(&cache, (size_t)4096 * 288), STATUS_OK);
    for (unsigned i = 0; i < 2048; i++) {
        struct cache_key key = key_of(i);

        assert_true(cache_store(cache, &key, VERDICT_CLEAN, NULL));
    }
    for (unsigned i = 0; i < 2048; i++) {
        struct cache_key key = key_of(i);
        struct cache_answer answer;

        found += cache_lookup(cache, &key, &answer);
    }
    assert_in_range(found, 1800, 2048);
    cache_destroy(cache);
}

/* -- threads ----------------------------------------------------------------------------------- */

struct thread {
    pthread_t id;
    struct cache *cache;
    uint64_t random;
    unsigned stored, gave_way, known, mixed;
};

static uint64_t next_random(struct thread *thread)
{
    thread->random ^= thread->random << 13;
    thread->random ^= thread->random >> 7;
    thread->random ^= thread->random << 17;
    return thread->random * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

/* A key's name says whose it is, in every byte. */
static void name_of(uint64_t number, char name[SCAN_NAME_BYTES])
{
    memset(name, (int)('a' + number % 26), SCAN_NAME_BYTES - 1);
    (void)snprintf(name, SCAN_NAME_BYTES, "%u", (unsigned)number);
    name[strlen(name)] = '-';
    name[SCAN_NAME_BYTES - 1] = '\0';
}

static void thread_step(struct thread *thread)
{
    uint64_t number = next_random(thread) % THREAD_KEYS;
    struct cache_key key = number % 2 == 0 ? key_in_one_set(number) : key_of(number);
    char name[SCAN_NAME_BYTES];
    struct cache_answer answer;

    name_of(number, name);
    if (next_random(thread) % 4 == 0) {
        bool stored = cache_store(thread->cache, &key, VERDICT_INFECTED, name);

        thread->stored += stored;
        thread->gave_way += !stored;
    } else if (cache_lookup(thread->cache, &key, &answer)) {
        thread->known++;
        if (answer.verdict != VERDICT_INFECTED || memcmp(answer.name, name, sizeof(name)) != 0)
            thread->mixed++;
    }
}

static void *thread_run(void *context)
{
    for (unsigned step = 0; step < THREAD_STEPS; step++)
        thread_step(context);
    return NULL;
}

static void test_threads(void **state)
{
    struct thread threads[THREADS];
    unsigned gave_way = 0;
    unsigned known = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){.cache = *state, .random = 88172645463325252u + i};
        assert_int_equal(pthread_create(&threads[i].id, NULL, thread_run, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i].id, NULL), 0);
        assert_int_equal(threads[i].mixed, 0);
        assert_true(threads[i].known > 0);
        assert_true(threads[i].stored > 0);
        gave_way += threads[i].gave_way;
        known += threads[i].known;
    }
    print_message("%u found, writers gave way %u times\n", known, gave_way);
}

static void *rewrite(void *context)
{
    struct thread *thread = context;
    struct cache_key key = key_of(1);
    char name[SCAN_NAME_BYTES] = "";

    for (unsigned step = 0; step < 4 * THREAD_STEPS; step++) {
        memset(name, 'a' + (int)(step % 26), sizeof(name) - 1);
        thread->stored += cache_store(thread->cache, &key, VERDICT_INFECTED, name);
    }
    return NULL;
}

/* One entry is written over and over: every name that is read is of one letter. */
static void test_torn_entry_is_a_miss(void **state)
{
    struct thread writer = {.cache = *state};
    struct cache_key key = key_of(1);
    unsigned known = 0;

    assert_true(cache_store(writer.cache, &key, VERDICT_INFECTED, "b"));
    assert_int_equal(pthread_create(&writer.id, NULL, rewrite, &writer), 0);
    for (unsigned step = 0; step < 4 * THREAD_STEPS; step++) {
        struct cache_answer answer;

        if (!cache_lookup(writer.cache, &key, &answer))
            continue;
        known++;
        for (size_t i = 1; answer.name[i] != '\0'; i++)
            assert_int_equal(answer.name[i], answer.name[0]);
    }
    assert_int_equal(pthread_join(writer.id, NULL), 0);
    assert_int_equal(writer.stored, 4 * THREAD_STEPS);
    assert_true(known > 0);
    print_message("%u of %u reads found it\n", known, 4 * THREAD_STEPS);
}

#define CACHE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_remembers),
        CACHE_TEST(test_empty_is_unknown),
        CACHE_TEST(test_every_field_counts),
        CACHE_TEST(test_only_final_verdicts),
        CACHE_TEST(test_clean_never_replaces_infected),
        CACHE_TEST(test_names),
        CACHE_TEST(test_oldest_goes),
        CACHE_TEST(test_stored_again),
        cmocka_unit_test(test_sizes),
        CACHE_TEST(test_threads),
        CACHE_TEST(test_torn_entry_is_a_miss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
