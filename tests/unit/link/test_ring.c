/* The ring: its order, its limits, and that nothing the other side publishes leads us outside. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/link/ring.h"

/* Header and items fill one page to the byte; an access before or behind it faults. */
#define PAGE       4096u
#define CAPACITY   64u
#define ITEM_BYTES ((PAGE - sizeof(struct ring_shared)) / CAPACITY)

struct guarded {
    uint8_t *mapping;
    struct ring_shared *shared;
    struct ring producer;
    struct ring consumer;
};

static int set_up(void **state)
{
    static struct guarded guarded;

    assert_int_equal(sysconf(_SC_PAGESIZE), PAGE);
    assert_int_equal(ring_bytes(CAPACITY, ITEM_BYTES), PAGE);
    guarded.mapping = mmap(NULL, (size_t)3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guarded.mapping, MAP_FAILED);
    assert_int_equal(mprotect(guarded.mapping + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
    guarded.shared = (struct ring_shared *)(guarded.mapping + PAGE);
    ring_attach(&guarded.producer, guarded.shared, CAPACITY, ITEM_BYTES);
    ring_attach(&guarded.consumer, guarded.shared, CAPACITY, ITEM_BYTES);
    *state = &guarded;
    return 0;
}

static int tear_down(void **state)
{
    struct guarded *guarded = *state;

    return munmap(guarded->mapping, (size_t)3 * PAGE);
}

/* Both sides and the shared words as if `index` items had passed. */
static void start_at(struct guarded *guarded, uint32_t index)
{
    guarded->producer.produced = index;
    guarded->producer.consumed = index;
    guarded->consumer.produced = index;
    guarded->consumer.consumed = index;
    atomic_store(&guarded->shared->produced, index);
    atomic_store(&guarded->shared->consumed, index);
}

static void fill_item(uint8_t *item, uint32_t number)
{
    for (size_t i = 0; i < ITEM_BYTES; i++)
        item[i] = (uint8_t)(number * 31 + i);
}

static void push_number(struct guarded *guarded, uint32_t number, enum status expected)
{
    uint8_t item[ITEM_BYTES];

    fill_item(item, number);
    assert_int_equal(ring_push(&guarded->producer, item), expected);
}

static void pop_number(struct guarded *guarded, uint32_t number)
{
    uint8_t item[ITEM_BYTES];
    uint8_t expected[ITEM_BYTES];

    fill_item(expected, number);
    assert_int_equal(ring_pending(&guarded->consumer), 1);
    assert_int_equal(ring_pop(&guarded->consumer, item), STATUS_OK);
    assert_memory_equal(item, expected, ITEM_BYTES);
}

static void pop_nothing(struct guarded *guarded)
{
    uint8_t item[ITEM_BYTES];

    assert_int_equal(ring_pending(&guarded->consumer), 0);
    assert_int_equal(ring_pop(&guarded->consumer, item), STATUS_AGAIN);
}

/* Fill, overfill, drain, and every fill level in between, from `index` on. */
static void exercise(struct guarded *guarded, uint32_t index)
{
    uint32_t pushed = 0;
    uint32_t popped = 0;

    start_at(guarded, index);
    pop_nothing(guarded);
    for (uint32_t level = 0; level <= CAPACITY; level++) {
        while (pushed - popped < level)
            push_number(guarded, pushed++, STATUS_OK);
        if (level == CAPACITY)
            push_number(guarded, 0, STATUS_NO_SPACE);
        while (popped < pushed)
            pop_number(guarded, popped++);
        pop_nothing(guarded);
    }
    assert_int_equal(atomic_load(&guarded->shared->produced), index + pushed);
    assert_int_equal(atomic_load(&guarded->shared->consumed), index + pushed);
}

static void test_order_full_and_empty(void **state)
{
    exercise(*state, 0);
}

/* The last places are for others. */
static void test_reserve(void **state)
{
    struct guarded *guarded = *state;
    uint8_t item[ITEM_BYTES];

    start_at(guarded, UINT32_MAX - 3);
    fill_item(item, 7);
    for (uint32_t i = 0; i < CAPACITY - 5; i++)
        assert_int_equal(ring_push_reserving(&guarded->producer, item, 5), STATUS_OK);
    assert_int_equal(ring_push_reserving(&guarded->producer, item, 5), STATUS_NO_SPACE);
    for (uint32_t i = 0; i < 5; i++)
        push_number(guarded, 7, STATUS_OK);
    push_number(guarded, 7, STATUS_NO_SPACE);
    for (uint32_t i = 0; i < 5; i++)
        pop_number(guarded, 7);
    assert_int_equal(ring_push_reserving(&guarded->producer, item, 5), STATUS_NO_SPACE);
    pop_number(guarded, 7);
    assert_int_equal(ring_push_reserving(&guarded->producer, item, 5), STATUS_OK);
}

/* Indices are 32 bits and run for ever: at each place of the ring they must wrap unseen. */
static void test_indices_wrap(void **state)
{
    for (uint32_t before = 0; before <= 2 * CAPACITY; before++)
        exercise(*state, UINT32_MAX - before);
}

static void test_capacities(void **state)
{
    static const uint32_t capacities[] = {2, 4, 1024, RING_CAPACITY_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        uint32_t capacity = capacities[i];
        size_t bytes = ring_bytes(capacity, sizeof(uint32_t));
        void *shared = aligned_alloc(RING_ALIGNMENT, bytes);
        struct ring producer;
        struct ring consumer;
        uint32_t item;

        assert_non_null(shared);
        assert_int_equal(bytes % RING_ALIGNMENT, 0);
        memset(shared, 0, bytes);
        ring_attach(&producer, shared, capacity, sizeof(uint32_t));
        ring_attach(&consumer, shared, capacity, sizeof(uint32_t));
        for (item = 0; item < capacity; item++)
            assert_int_equal(ring_push(&producer, &item), STATUS_OK);
        assert_int_equal(ring_push(&producer, &item), STATUS_NO_SPACE);
        for (uint32_t expected = 0; expected < capacity; expected++) {
            assert_int_equal(ring_pop(&consumer, &item), STATUS_OK);
            assert_int_equal(item, expected);
        }
        assert_int_equal(ring_pop(&consumer, &item), STATUS_AGAIN);
        free(shared);
    }
}

static const uint32_t own_indices[] = {
    0,          1,          CAPACITY - 1,          CAPACITY,       CAPACITY + 1, 0x7fffffff,
    0x80000000, 0x80000001, UINT32_MAX - CAPACITY, UINT32_MAX - 1, UINT32_MAX};

/* The values near the borders, and one in each power-of-two distance. */
static uint32_t hostile_distance(uint32_t n)
{
    return n < 520 ? n - 260 : UINT32_C(1) << (n - 520);
}

#define HOSTILE_DISTANCES (520u + 32u)

/* The consumer claims to have taken `own - distance`... and the producer's view is full, so that
 * it has to look. */
static void test_hostile_consumer(void **state)
{
    struct guarded *guarded = *state;

    for (size_t i = 0; i < sizeof(own_indices) / sizeof(own_indices[0]); i++) {
        for (uint32_t n = 0; n < HOSTILE_DISTANCES; n++) {
            uint32_t outstanding = hostile_distance(n);
            enum status expected = STATUS_OK;

            start_at(guarded, own_indices[i]);
            guarded->producer.consumed = own_indices[i] - CAPACITY;
            atomic_store(&guarded->shared->consumed, own_indices[i] - outstanding);
            if (outstanding == CAPACITY)
                expected = STATUS_NO_SPACE;
            else if (outstanding > CAPACITY)
                expected = STATUS_BROKEN_PEER;
            push_number(guarded, n, expected);
            /* What is refused once leaves no trace: the same again, and nothing was published. */
            if (expected != STATUS_OK) {
                push_number(guarded, n, expected);
                assert_int_equal(atomic_load(&guarded->shared->produced), own_indices[i]);
            }
        }
    }
}

static void test_hostile_producer(void **state)
{
    struct guarded *guarded = *state;
    uint8_t item[ITEM_BYTES];

    for (size_t i = 0; i < sizeof(own_indices) / sizeof(own_indices[0]); i++) {
        for (uint32_t n = 0; n < HOSTILE_DISTANCES; n++) {
            uint32_t claimed = hostile_distance(n);
            enum status expected = STATUS_OK;

            start_at(guarded, own_indices[i]);
            atomic_store(&guarded->shared->produced, own_indices[i] + claimed);
            if (claimed == 0)
                expected = STATUS_AGAIN;
            else if (claimed > CAPACITY)
                expected = STATUS_BROKEN_PEER;
            assert_int_equal(ring_pending(&guarded->consumer), claimed != 0);
            assert_int_equal(ring_pop(&guarded->consumer, item), expected);
            if (expected == STATUS_BROKEN_PEER) {
                assert_int_equal(ring_pop(&guarded->consumer, item), STATUS_BROKEN_PEER);
                assert_int_equal(atomic_load(&guarded->shared->consumed), own_indices[i]);
            }
        }
    }
}

/* A peer that overwrites the whole ring, indices and items, before each of our calls. */
static void test_scribbling_peer(void **state)
{
    struct guarded *guarded = *state;
    uint8_t item[ITEM_BYTES] = {0};
    uint64_t random = 88172645463325252u;
    unsigned broken = 0;
    unsigned passed = 0;

    start_at(guarded, UINT32_MAX - 1000);
    for (unsigned n = 0; n < 200000; n++) {
        enum status status;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memset(guarded->shared, (int)(random >> 56), PAGE);
        if (n % 3 != 0) { /* near misses, too: those are the ones that pass */
            atomic_store(&guarded->shared->produced,
                         guarded->consumer.consumed + (uint32_t)(random % (2 * CAPACITY)));
            atomic_store(&guarded->shared->consumed,
                         guarded->producer.produced - (uint32_t)(random % (2 * CAPACITY)));
        }
        status = (random >> 32) % 2 != 0 ? ring_push(&guarded->producer, item)
                                         : ring_pop(&guarded->consumer, item);
        assert_true(status == STATUS_OK || status == STATUS_AGAIN || status == STATUS_NO_SPACE ||
                    status == STATUS_BROKEN_PEER);
        broken += status == STATUS_BROKEN_PEER;
        passed += status == STATUS_OK;
    }
    assert_true(broken > 1000 && passed > 1000);
}

/* An item that was popped is ours: the peer cannot change it any more. */
static void test_items_are_copies(void **state)
{
    struct guarded *guarded = *state;
    uint8_t item[ITEM_BYTES];
    uint8_t expected[ITEM_BYTES];

    start_at(guarded, 0);
    push_number(guarded, 5, STATUS_OK);
    assert_int_equal(ring_pop(&guarded->consumer, item), STATUS_OK);
    memset(guarded->shared->items, 0xff, PAGE - sizeof(*guarded->shared));
    fill_item(expected, 5);
    assert_memory_equal(item, expected, ITEM_BYTES);
}

#define THREAD_ITEMS 1000000u

static void *produce(void *context)
{
    struct ring *ring = context;
    uint8_t item[ITEM_BYTES] = {0};

    for (uint32_t number = 0; number < THREAD_ITEMS; number++) {
        enum status status;

        memcpy(item, &number, sizeof(number));
        memcpy(item + ITEM_BYTES - sizeof(number), &number, sizeof(number));
        while ((status = ring_push(ring, item)) == STATUS_NO_SPACE)
            (void)sched_yield();
        if (status != STATUS_OK)
            return ring;
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    struct guarded *guarded = *state;
    uint8_t item[ITEM_BYTES];
    pthread_t thread;
    void *failed = guarded;

    start_at(guarded, UINT32_MAX - THREAD_ITEMS / 2); /* the wrap is on the way */
    assert_int_equal(pthread_create(&thread, NULL, produce, &guarded->producer), 0);
    for (uint32_t number = 0; number < THREAD_ITEMS; number++) {
        enum status status;

        while ((status = ring_pop(&guarded->consumer, item)) == STATUS_AGAIN)
            (void)sched_yield();
        assert_int_equal(status, STATUS_OK);
        assert_memory_equal(item, &number, sizeof(number));
        assert_memory_equal(item + ITEM_BYTES - sizeof(number), &number, sizeof(number));
    }
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    pop_nothing(guarded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_full_and_empty), cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_indices_wrap),         cmocka_unit_test(test_capacities),
        cmocka_unit_test(test_hostile_consumer),     cmocka_unit_test(test_hostile_producer),
        cmocka_unit_test(test_scribbling_peer),      cmocka_unit_test(test_items_are_copies),
        cmocka_unit_test(test_two_threads),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
