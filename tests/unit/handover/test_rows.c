/* What scanners and control count, as it is seen in the region: over their deaths, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/handover/appliance.h"

static struct peer scanners;
static struct peer control;

static struct peer_row *row_of(const struct peer *peer, uint32_t slot)
{
    return channel_row(&peer->slots[slot].memory);
}

static uint64_t published(const struct appliance *appliance, uint32_t slot, unsigned counter)
{
    return region_cell(&region_peer(&appliance->region, slot)->row.value[counter]);
}

static void check_sums(const struct appliance *appliance, uint32_t slot, enum row_kind kind)
{
    const struct counter_set *set = counter_set(kind);
    struct peer_row row;

    row_read(&row, &region_peer(&appliance->region, slot)->row);
    for (const struct counter_sum *sum = set->sums; sum->what != NULL; sum++)
        assert_int_equal(counter_total(set, sum->left, row.value),
                         counter_total(set, sum->right, row.value));
}

/* All workers' jobs are all scanners': the book of the two. */
static void check_book(const struct appliance *appliance)
{
    uint64_t jobs = 0;

    for (uint32_t slot = 0; slot < APPLIANCE_SCANNERS; slot++)
        jobs += published(appliance, slot, SCANNER_COUNTER_JOBS);
    assert_int_equal(jobs, appliance_count(appliance, COUNTER_SCAN_JOBS));
}

static void test_nobody_was_there(void **state)
{
    struct appliance *appliance = *state;

    appliance_settle(appliance);
    for (uint32_t slot = 0; slot < appliance->peers.slot_count; slot++)
        assert_int_equal(region_peer(&appliance->region, slot)->lives, 0);
}

static void test_a_count_outlives_its_process(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 2);
    sender = appliance_mail(appliance, 0, "reject.example");
    assert_true(peer_scan(&scanners, 0, 0, &job));
    row_add(row_of(&scanners, 0), SCANNER_COUNTER_JOBS, 1);
    row_set(row_of(&scanners, 0), SCANNER_COUNTER_AT_WORK, 1);
    peer_gone(&scanners, 0);
    appliance_settle(appliance);
    assert_int_equal(published(appliance, 0, SCANNER_COUNTER_JOBS), 1);
    assert_int_equal(published(appliance, 0, SCANNER_COUNTER_LOST), 1);
    assert_int_equal(published(appliance, 0, SCANNER_COUNTER_AT_WORK), 0);
    assert_int_equal(published(appliance, 0, SCANNER_COUNTER_RESTARTS), 1);
    assert_int_equal(region_peer(&appliance->region, 0)->lives, 2);
    check_sums(appliance, 0, ROW_SCANNER);
    /* The next one has the job again, and never reads it. */
    peer_gone(&scanners, 1);
    appliance_settle(appliance);
    assert_int_equal(published(appliance, 1, SCANNER_COUNTER_JOBS), 1);
    assert_int_equal(published(appliance, 1, SCANNER_COUNTER_LOST), 1);
    check_sums(appliance, 1, ROW_SCANNER);
    appliance_silent(sender);
    appliance_lose(appliance, &scanners); /* with the third attempt */
    check_book(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_JOBS), 3);
}

static void test_what_is_there(void **state)
{
    struct appliance *appliance = *state;
    const struct region_peer *row = region_peer(&appliance->region, 0);

    appliance_scanners(appliance, &scanners, 1);
    memset(scanners.identity.database, 0xab, sizeof(scanners.identity.database));
    peer_gone(&scanners, 0); /* the next one says so */
    appliance_settle(appliance);
    assert_string_equal(row->state, "ready");
    assert_string_equal(row->engine, PEER_ENGINE);
    assert_int_equal(row->signatures, UINT64_C(0xabababababababab));
    appliance_lose(appliance, &scanners);
    assert_string_equal(row->state, "absent");
    /* Another parent's child in the same place has not come up again. */
    appliance_scanners(appliance, &scanners, 1);
    peer_gone(&scanners, 0);
    appliance_settle(appliance);
    assert_int_equal(row->lives, 4);
    assert_int_equal(published(appliance, 0, SCANNER_COUNTER_RESTARTS), 2);
}

static void test_control_begins_anew(void **state)
{
    struct appliance *appliance = *state;
    uint32_t slot = peers_control(&appliance->peers);
    struct peer_row *row;

    appliance_control(appliance, &control);
    row = row_of(&control, 0);
    row_add(row, CONTROL_COUNTER_CONNECTIONS_BEGUN, 3);
    row_add(row, CONTROL_COUNTER_CONNECTIONS_OPENED, 2);
    row_set(row, CONTROL_COUNTER_CONNECTIONS, 3);
    row_time(row, 1);
    appliance_lose(appliance, &control);
    assert_int_equal(published(appliance, slot, CONTROL_COUNTER_CONNECTIONS), 0);
    assert_int_equal(published(appliance, slot, CONTROL_COUNTER_CONNECTIONS_CLOSED), 3);
    assert_int_equal(published(appliance, slot, CONTROL_COUNTER_RESTARTS), 0);
    check_sums(appliance, slot, ROW_CONTROL);
    appliance_control(appliance, &control);
    row_add(row_of(&control, 0), CONTROL_COUNTER_CONNECTIONS_OPENED, 5);
    appliance_lose(appliance, &control);
    assert_int_equal(published(appliance, slot, CONTROL_COUNTER_CONNECTIONS_OPENED), 7);
    assert_int_equal(published(appliance, slot, CONTROL_COUNTER_RESTARTS), 1);
    assert_int_equal(region_peer(&appliance->region, slot)->row.time.count[0], 1);
}

/* A scanner says what it likes of itself; of nobody else. */
static void test_a_liar(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, 2);
    row_add(row_of(&scanners, 1), SCANNER_COUNTER_CLEAN, 5);
    row_add(row_of(&scanners, 1), SCANNER_COUNTER_JOBS, 5);
    memset(row_of(&scanners, 0), 0xff, sizeof(struct peer_row));
    peer_gone(&scanners, 0);
    peer_gone(&scanners, 1);
    appliance_settle(appliance);
    assert_int_equal(published(appliance, 1, SCANNER_COUNTER_CLEAN), 5);
    check_sums(appliance, 1, ROW_SCANNER);
}

int main(void)
{
#define ROW_TEST(name) cmocka_unit_test_setup_teardown(name, appliance_set_up, appliance_tear_down)
    const struct CMUnitTest tests[] = {
        ROW_TEST(test_nobody_was_there), ROW_TEST(test_a_count_outlives_its_process),
        ROW_TEST(test_what_is_there),    ROW_TEST(test_control_begins_anew),
        ROW_TEST(test_a_liar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
