/* Blocks cut into pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/message/piece.h"

#define BLOCKS 8u
#define PIECES (BLOCKS * PIECE_OF_BLOCK)

struct rig {
    struct region region;
    struct store store; /* the second worker's: its blocks do not begin at 0 */
};

static int set_up(void **state)
{
    static struct rig rig;
    struct region_plan plan = {2, 2, 2 * BLOCKS};

    assert_int_equal(region_create(&rig.region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&rig.store, &rig.region, 1, BLOCKS, BLOCKS, 1, 1), STATUS_OK);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(rig->store.free_count, BLOCKS);
    assert_int_equal(rig->store.pieces.used, 0);
    assert_int_equal(rig->store.pieces.blocks, 0);
    store_fini(&rig->store);
    region_close(&rig->region);
    return 0;
}

/* Every one is its own, none is had twice, and the last one back makes the block whole. */
static void test_all(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    uint32_t taken[PIECES];

    for (uint32_t i = 0; i < PIECES; i++) {
        taken[i] = piece_take(store);
        assert_in_range(taken[i], piece_of_block(BLOCKS), piece_of_block(2 * BLOCKS) - 1);
        memset(piece_bytes(store, taken[i]), (int)i, PIECE_BYTES);
        assert_int_equal(store->free_count, BLOCKS - 1 - i / PIECE_OF_BLOCK);
        assert_true(store_sound(store, NULL));
    }
    assert_int_equal(piece_take(store), MESSAGE_BLOCK_NONE);
    for (uint32_t i = 0; i < PIECES; i++) {
        assert_int_equal(piece_bytes(store, taken[i])[0], (uint8_t)i);
        assert_int_equal(piece_bytes(store, taken[i])[PIECE_BYTES - 1], (uint8_t)i);
        piece_give(store, taken[i]);
        assert_true(store_sound(store, NULL));
    }
}

/* Taken and given at random: what is held fits its blocks, and blocks and pieces go side by side.
 */
static void test_random(void **state)
{
    struct store *store = &((struct rig *)*state)->store;
    uint32_t taken[PIECES];
    uint32_t count = 0;
    uint32_t block = block_take(store, BLOCK_FOR_DATA);
    uint32_t others;

    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        if (rand() % 100 < (i / 2000 % 2 == 0 ? 60 : 40)) {
            uint32_t piece = piece_take(store);

            if (piece != MESSAGE_BLOCK_NONE)
                taken[count++] = piece;
            else
                assert_int_equal(count, PIECES - PIECE_OF_BLOCK);
        } else if (count > 0) {
            uint32_t which = (uint32_t)rand() % count;

            piece_give(store, taken[which]);
            taken[which] = taken[--count];
        }
        assert_int_equal(store->pieces.used, count);
        assert_int_equal(store->free_count, BLOCKS - 1 - store->pieces.blocks);
        if (i % 16 == 0) {
            assert_true(store_sound(store, &others));
            assert_int_equal(others, 1); /* the block: pieces are the store's own */
        }
    }
    while (count > 0)
        piece_give(store, taken[--count]);
    block_give(store, block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
