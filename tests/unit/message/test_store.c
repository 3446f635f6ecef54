/* The store against the real region, and what readers see of it through message_view. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/message/store.h"
#include "platform/link/message_view.h"

#define BLOCKS 64u
#define SLOTS  4u

struct rig {
    struct region region;
    struct store other; /* the slice of another worker, in front */
    struct store store;
};

static int set_up(void **state)
{
    static struct rig rig;
    struct region_plan plan = {2, 2 * SLOTS, 2 * BLOCKS};

    assert_int_equal(region_create(&rig.region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&rig.other, &rig.region, 0, 0, BLOCKS, 0, SLOTS), STATUS_OK);
    assert_int_equal(store_init(&rig.store, &rig.region, 1, BLOCKS, BLOCKS, SLOTS, SLOTS),
                     STATUS_OK);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(rig->store.free_count, BLOCKS);
    assert_int_equal(rig->store.free_slot_count, SLOTS);
    store_fini(&rig->store);
    store_fini(&rig->other);
    region_close(&rig->region);
    return 0;
}

static void test_classes(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    uint32_t taken[BLOCKS];
    uint32_t count = 0;
    static const struct {
        enum block_class class;
        uint32_t left;
    } steps[] = {
        {BLOCK_FOR_DATA, BLOCKS / 8}, {BLOCK_FOR_COMMAND, BLOCKS / 16}, {BLOCK_FOR_REPLY, 0}};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint32_t block;

        assert_int_equal(block_available(store, steps[i].class), BLOCKS - count - steps[i].left);
        while ((block = block_take(store, steps[i].class)) != MESSAGE_BLOCK_NONE) {
            assert_in_range(block, BLOCKS, 2 * BLOCKS - 1);
            memset(block_bytes(store, block), (int)count, MESSAGE_BLOCK_BYTES);
            taken[count++] = block;
        }
        assert_int_equal(store->free_count, steps[i].left);
        assert_int_equal(block_available(store, steps[i].class), 0);
    }
    assert_int_equal(count, BLOCKS);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(block_bytes(store, taken[i])[MESSAGE_BLOCK_BYTES - 1], i);
    for (uint32_t i = 0; i < count; i++)
        block_give(store, taken[i]);
}

/* Several at once are those that one by one would be, and no more than there are for the class. */
static void test_several(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    uint32_t one_by_one[3];
    uint32_t blocks[BLOCKS];
    uint32_t count;

    for (unsigned i = 0; i < 3; i++)
        one_by_one[i] = block_take(store, BLOCK_FOR_DATA);
    for (unsigned i = 3; i > 0; i--)
        block_give(store, one_by_one[i - 1]);
    assert_int_equal(block_take_some(store, BLOCK_FOR_DATA, blocks, 0), 0);
    assert_int_equal(block_take_some(store, BLOCK_FOR_DATA, blocks, 3), 3);
    assert_memory_equal(blocks, one_by_one, sizeof(one_by_one));
    count = 3 + block_take_some(store, BLOCK_FOR_DATA, blocks + 3, BLOCKS);
    assert_int_equal(count, BLOCKS - BLOCKS / 8);
    assert_int_equal(block_take_some(store, BLOCK_FOR_DATA, blocks + count, 1), 0);
    count += block_take_some(store, BLOCK_FOR_REPLY, blocks + count, BLOCKS);
    assert_int_equal(count, BLOCKS);
    assert_true(store_sound(store, NULL));
    block_hold(store, blocks[0]);
    block_give_some(store, blocks, count);
    assert_int_equal(store->free_count, BLOCKS - 1);
    block_give_some(store, blocks, 1);
    assert_int_equal(store->free_count, BLOCKS);
}

/* What commands and envelopes hold is of the part that is kept back from data, and takes nothing
 * from it: else a message that was granted all it needs would lack its last blocks. */
static void test_data_keeps_its_part(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    uint32_t beside[BLOCKS / 16];
    uint32_t data[BLOCKS];
    uint32_t count = 0;

    for (uint32_t i = 0; i < BLOCKS / 16; i++)
        assert_int_not_equal(beside[i] = block_take(store, BLOCK_FOR_COMMAND), MESSAGE_BLOCK_NONE);
    while ((data[count] = block_take(store, BLOCK_FOR_DATA)) != MESSAGE_BLOCK_NONE)
        count++;
    assert_int_equal(count, BLOCKS - BLOCKS / 8);
    assert_int_equal(count, store->admission.capacity);
    (void)store_sound(store, NULL);
    /* The rest of their part is theirs still, and what they give back is not data's. */
    assert_int_equal(block_available(store, BLOCK_FOR_COMMAND), 0);
    assert_true(block_available(store, BLOCK_FOR_REPLY) > 0);
    for (uint32_t i = 0; i < BLOCKS / 16; i++)
        block_give(store, beside[i]);
    assert_int_equal(block_available(store, BLOCK_FOR_DATA), 0);
    while (count > 0)
        block_give(store, data[--count]);
    assert_int_equal(block_available(store, BLOCK_FOR_DATA), BLOCKS - BLOCKS / 8);
}

static void test_holders(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    uint32_t block = block_take(store, BLOCK_FOR_DATA);

    block_hold(store, block);
    block_give(store, block);
    assert_int_equal(store->free_count, BLOCKS - 1);
    block_give(store, block);
    assert_int_equal(store->free_count, BLOCKS);
}

enum misuse { MISUSE_BLOCK_TWICE, MISUSE_FOREIGN_BLOCK, MISUSE_MESSAGE_TWICE, MISUSE_HOLDERS };

static void misuse(struct store *store, enum misuse kind)
{
    uint32_t block = block_take(store, BLOCK_FOR_DATA);
    struct message *message = message_take(store);

    switch (kind) {
    case MISUSE_BLOCK_TWICE:
        block_give(store, block);
        block_give(store, block);
        break;
    case MISUSE_FOREIGN_BLOCK:
        block_hold(store, 0);
        break;
    case MISUSE_MESSAGE_TWICE:
        message_give(store, message);
        message_give(store, message);
        break;
    case MISUSE_HOLDERS:
        for (uint32_t i = 0; i < UINT16_MAX; i++)
            block_hold(store, block);
        break;
    }
}

/* Misuse of our own must stop the process: each in a child, which has to die by abort(). */
static void test_misuse_aborts(void **state)
{
    struct store *store = &((struct rig *)*state)->store;

    for (int kind = MISUSE_BLOCK_TWICE; kind <= MISUSE_HOLDERS; kind++) {
        int status = 0;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            (void)!freopen("/dev/null", "w", stderr);
            misuse(store, (enum misuse)kind);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

static void test_message_and_view(void **state)
{
    struct rig *rig = *state;
    struct store *store = &rig->store;
    struct message *message = message_take(store);
    uint32_t first = block_take(store, BLOCK_FOR_DATA);
    uint32_t second = block_take(store, BLOCK_FOR_DATA);
    struct message_view view;
    char text[64];
    uint32_t block;
    uint32_t offset;

    assert_non_null(message);
    assert_int_equal(message->generation, 1);
    assert_int_equal(message->shared->worker, 1);
    assert_false(message_tail(store, message, &block, &offset));
    assert_int_equal(message_append_bytes(store, message, "Trace", 5), STATUS_OK);
    assert_int_equal(message_append_bytes(store, message, "d\r\n", 3), STATUS_OK);
    message_mark_trace(message);
    memcpy(block_bytes(store, first) + 100, "0123456789", 10);
    memcpy(block_bytes(store, second), "abcdef", 6);
    assert_int_equal(message_append(store, message, first, 100, 4), STATUS_OK);
    assert_int_equal(message_append(store, message, first, 104, 0), STATUS_OK);
    assert_int_equal(message_append(store, message, first, 104, 6), STATUS_OK);
    assert_int_equal(message_append(store, message, second, 1, 3), STATUS_OK);
    assert_int_equal(message_append(store, message, second, 5, 1), STATUS_OK);
    assert_int_equal(message->shared->extent_count, 4);
    assert_true(message_tail(store, message, &block, &offset));
    assert_int_equal(block, second);
    assert_int_equal(offset, 6);
    block_give(store, first); /* as TCP does when the bytes are consumed */
    block_give(store, second);
    assert_int_equal(
        message_view_open(&view, &rig->region, message->index, message->generation, 22), STATUS_OK);
    assert_int_equal(view.trace_size, 8);
    assert_int_equal(message_view_read(&view, 0, text, sizeof(text)), 22);
    assert_memory_equal(text, "Traced\r\n0123456789bcdf", 22);
    assert_ptr_equal(message_find(store, message->index, message->generation), message);
    message_give(store, message);
    assert_false(message_view_current(&view));
    message_view_close(&view);
    assert_null(message_find(store, message->index, 1));
    assert_null(message_find(store, 0, 1));
    assert_null(message_find(store, UINT32_MAX, 1));
}

static void test_stale_after_reuse(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    struct message *message = message_take(store);
    uint32_t index = message->index;
    uint32_t generation = message->generation;

    message_give(store, message);
    message = message_take(store);
    assert_int_equal(message->index, index);
    assert_int_not_equal(message->generation, generation);
    assert_null(message_find(store, index, generation));
    assert_ptr_equal(message_find(store, index, message->generation), message);
    message_give(store, message);
}

static void test_envelope(void **state)
{
    struct rig *rig = *state;
    struct store *store = &rig->store;
    struct message *message = message_take(store);
    struct message_view view;
    char value[MESSAGE_ENVELOPE_FIELD_BYTES + 1];
    size_t position = 0;
    unsigned put = 0;
    unsigned seen = 0;
    enum status status;

    memset(value, 'x', sizeof(value));
    assert_int_equal(message_envelope_put(store, message, ENVELOPE_ID, value, sizeof(value)),
                     STATUS_BAD_ARGUMENT);
    assert_int_equal(message_envelope_put(store, message, ENVELOPE_SENDER, NULL, 0), STATUS_OK);
    /* Lengths vary so that block ends are met with every small remainder. */
    do {
        size_t length = MESSAGE_ENVELOPE_FIELD_BYTES - put % 19;

        value[0] = (char)('a' + put % 26);
        status = message_envelope_put(store, message, ENVELOPE_RECIPIENT, value, length);
        put += status == STATUS_OK;
    } while (status == STATUS_OK);
    assert_int_equal(status, STATUS_NO_SPACE);
    assert_int_equal(message->shared->envelope_block_count, MESSAGE_ENVELOPE_BLOCKS_MAX);
    assert_int_equal(message->shared->recipient_count, put);
    assert_int_equal(message_view_open(&view, &rig->region, message->index, 1, 0), STATUS_OK);
    for (;;) {
        enum envelope_field field;
        const char *got;
        size_t length;

        status = message_view_field(&view, &position, &field, &got, &length);
        if (status != STATUS_OK)
            break;
        if (field == ENVELOPE_SENDER) {
            assert_int_equal(length, 0);
            continue;
        }
        assert_int_equal(length, MESSAGE_ENVELOPE_FIELD_BYTES - seen % 19);
        assert_int_equal(got[0], 'a' + (int)(seen % 26));
        seen++;
    }
    assert_int_equal(status, STATUS_NOT_FOUND);
    assert_int_equal(seen, put);
    message_view_close(&view);
    message_give(store, message);
}

/* However full a sender made it, what is known only after the data fits, without another block. */
static void test_envelope_keeps_room(void **state)
{
    struct rig *rig = *state;
    struct store *store = &rig->store;
    char value[MESSAGE_ENVELOPE_FIELD_BYTES];

    memset(value, 'x', sizeof(value));
    for (size_t length = 1; length < 200; length++) {
        struct message *message = message_take(store);
        struct message_view view;
        char got[MESSAGE_ENGINE_BYTES + 1];
        uint32_t free_count;

        while (message_envelope_put(store, message, ENVELOPE_RECIPIENT, value, length) == STATUS_OK)
            ;
        assert_int_equal(message->shared->envelope_block_count, MESSAGE_ENVELOPE_BLOCKS_MAX);
        free_count = store->free_count;
        assert_int_equal(
            message_envelope_put(store, message, ENVELOPE_VERDICT, value, MESSAGE_VERDICT_BYTES),
            STATUS_OK);
        assert_int_equal(
            message_envelope_put(store, message, ENVELOPE_ENGINE, value, MESSAGE_ENGINE_BYTES),
            STATUS_OK);
        assert_int_equal(store->free_count, free_count);
        assert_int_equal(
            message_view_open(&view, &rig->region, message->index, message->generation, 0),
            STATUS_OK);
        assert_true(message_view_string(&view, ENVELOPE_ENGINE, got, sizeof(got)));
        assert_int_equal(strlen(got), MESSAGE_ENGINE_BYTES);
        message_view_close(&view);
        message_give(store, message);
    }
}

/* A field that ends exactly at the end of its block leaves no room for an end mark. */
static void test_envelope_exact_end(void **state)
{
    struct rig *rig = *state;
    struct store *store = &rig->store;

    for (uint32_t spare = 0; spare < 6; spare++) {
        struct message *message = message_take(store);
        struct message_view view;
        char value[MESSAGE_ENVELOPE_FIELD_BYTES] = {0};
        char last[8];
        uint32_t left = MESSAGE_BLOCK_BYTES - spare;
        uint32_t full = sizeof(struct envelope_field_header) + sizeof(value);

        for (; left > 2 * full; left -= full)
            assert_int_equal(
                message_envelope_put(store, message, ENVELOPE_ENGINE, value, sizeof(value)),
                STATUS_OK);
        left -= full / 2;
        assert_int_equal(message_envelope_put(store, message, ENVELOPE_ENGINE, value, full / 2 - 4),
                         STATUS_OK);
        if (left > full) {
            left -= full / 2;
            assert_int_equal(
                message_envelope_put(store, message, ENVELOPE_ENGINE, value, full / 2 - 4),
                STATUS_OK);
        }
        assert_int_equal(message_envelope_put(store, message, ENVELOPE_ENGINE, value, left - 4),
                         STATUS_OK);
        assert_int_equal(message->envelope_used, MESSAGE_BLOCK_BYTES - spare);
        assert_int_equal(message_envelope_put(store, message, ENVELOPE_ID, "LAST", 4), STATUS_OK);
        assert_int_equal(message->shared->envelope_block_count, 2);
        assert_int_equal(
            message_view_open(&view, &rig->region, message->index, message->generation, 0),
            STATUS_OK);
        assert_true(message_view_string(&view, ENVELOPE_ID, last, sizeof(last)));
        assert_string_equal(last, "LAST");
        message_view_close(&view);
        message_give(store, message);
    }
}

static void test_exhaustion(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    struct message *messages[SLOTS];
    uint32_t blocks[BLOCKS];
    uint32_t count = 0;
    uint32_t block;

    for (unsigned i = 0; i < SLOTS; i++)
        assert_non_null(messages[i] = message_take(store));
    assert_null(message_take(store));
    block = block_take(store, BLOCK_FOR_DATA);
    while ((blocks[count] = block_take(store, BLOCK_FOR_TABLE)) != MESSAGE_BLOCK_NONE)
        count++;
    /* No block for the extent table: refused, and the block is not held. */
    assert_int_equal(message_append(store, messages[0], block, 0, 10), STATUS_NO_SPACE);
    assert_int_equal(message_append_bytes(store, messages[0], "x", 1), STATUS_NO_SPACE);
    assert_int_equal(messages[0]->shared->size, 0);
    message_give(store, messages[0]);
    assert_null(message_take(store)); /* a slot, but no block */
    while (count > 0)
        block_give(store, blocks[--count]);
    assert_non_null(messages[0] = message_take(store));
    assert_int_equal(message_append(store, messages[0], block, 0, 10), STATUS_OK);
    block_give(store, block);
    for (unsigned i = 0; i < SLOTS; i++)
        message_give(store, messages[i]);
}

/* Extents that never touch: the tables fill, the next is refused, everything comes back. */
static void test_extent_tables_full(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    struct message *message = message_take(store);
    uint32_t block = block_take(store, BLOCK_FOR_DATA);

    for (uint32_t i = 0; i < MESSAGE_EXTENTS_MAX; i++)
        assert_int_equal(message_append(store, message, block, i % 2 == 0 ? 0 : 100, 1), STATUS_OK);
    assert_int_equal(message_append(store, message, block, 0, 1), STATUS_NO_SPACE);
    assert_int_equal(message_append(store, message, block, 101, 1), STATUS_OK); /* joins */
    assert_int_equal(message->shared->size, MESSAGE_EXTENTS_MAX + 1);
    block_give(store, block);
    message_give(store, message);
}

static void test_long_trace(void **state)
{
    struct rig *rig = *state;
    struct store *store = &rig->store;
    struct message *message = message_take(store);
    struct message_view view;
    char *bytes = malloc(3 * MESSAGE_BLOCK_BYTES);
    char *back = malloc(3 * MESSAGE_BLOCK_BYTES);

    assert_non_null(bytes);
    assert_non_null(back);
    for (size_t i = 0; i < 3 * MESSAGE_BLOCK_BYTES; i++)
        bytes[i] = (char)(i * 7 + i / 255);
    for (size_t i = 0; i < 3 * MESSAGE_BLOCK_BYTES; i += 4096 + 1024)
        assert_int_equal(message_append_bytes(store, message, bytes + i,
                                              3 * MESSAGE_BLOCK_BYTES - i < 5120
                                                  ? 3 * MESSAGE_BLOCK_BYTES - i
                                                  : 5120),
                         STATUS_OK);
    assert_int_equal(message->shared->extent_count, 3);
    assert_int_equal(message_view_open(&view, &rig->region, message->index, message->generation,
                                       3 * MESSAGE_BLOCK_BYTES),
                     STATUS_OK);
    assert_int_equal(message_view_read(&view, 0, back, 3 * MESSAGE_BLOCK_BYTES),
                     3 * MESSAGE_BLOCK_BYTES);
    assert_memory_equal(back, bytes, 3 * MESSAGE_BLOCK_BYTES);
    message_view_close(&view);
    message_give(store, message);
    free(bytes);
    free(back);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_classes),
        TEST(test_several),
        TEST(test_data_keeps_its_part),
        TEST(test_holders),
        TEST(test_misuse_aborts),
        TEST(test_message_and_view),
        TEST(test_stale_after_reuse),
        TEST(test_envelope),
        TEST(test_envelope_keeps_room),
        TEST(test_envelope_keeps_room),
        TEST(test_envelope_exact_end),
        TEST(test_exhaustion),
        TEST(test_extent_tables_full),
        TEST(test_long_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
