/* Rows of peers: counting, reading, and that every sum holds once a process has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "platform/link/channel.h"

static void check_sums(const struct peer_row *row, enum row_kind kind)
{
    const struct counter_set *set = counter_set(kind);

    for (const struct counter_sum *sum = set->sums; sum->what != NULL; sum++)
        assert_int_equal(counter_total(set, sum->left, row->value),
                         counter_total(set, sum->right, row->value));
}

static void test_counting(void **state)
{
    struct peer_row row = {0};
    struct peer_row copy;
    struct peer_row shown;

    (void)state;
    row_add(&row, SCANNER_COUNTER_JOBS, 2);
    row_add(&row, SCANNER_COUNTER_JOBS, 3);
    row_set(&row, SCANNER_COUNTER_AT_WORK, 1);
    row_set(&row, PEER_ROW_VALUES - 1, 9);
    row_time(&row, 3 * CLOCK_NS_PER_MS);
    row_time(&row, -1);
    row_read(&copy, &row);
    assert_memory_equal(&copy, &row, sizeof(row));
    assert_int_equal(copy.value[SCANNER_COUNTER_JOBS], 5);
    assert_int_equal(copy.value[PEER_ROW_VALUES - 1], 9);
    assert_int_equal(copy.time.count[2], 1);
    assert_int_equal(copy.time.count[0], 1);
    assert_int_equal(copy.time.sum_ns, 3 * CLOCK_NS_PER_MS);
    row_join(&copy, &row);
    row_publish(&shown, &copy);
    assert_int_equal(shown.value[SCANNER_COUNTER_JOBS], 10);
    assert_int_equal(shown.time.count[2], 2);
    assert_int_equal(shown.time.sum_ns, 6 * CLOCK_NS_PER_MS);
}

static void test_end_of_a_scanner(void **state)
{
    struct peer_row row = {0};

    (void)state;
    row_add(&row, SCANNER_COUNTER_JOBS, 8);
    row_add(&row, SCANNER_COUNTER_CLEAN, 3);
    row_add(&row, SCANNER_COUNTER_INFECTED, 2);
    row_add(&row, SCANNER_COUNTER_UNSCANNABLE, 1);
    row_add(&row, SCANNER_COUNTER_REFUSED, 1);
    row_set(&row, SCANNER_COUNTER_AT_WORK, 1);
    check_sums(&row, ROW_SCANNER);
    row_end(&row, ROW_SCANNER, 2);
    check_sums(&row, ROW_SCANNER);
    assert_int_equal(row.value[SCANNER_COUNTER_JOBS], 10);
    assert_int_equal(row.value[SCANNER_COUNTER_LOST], 3);
    assert_int_equal(row.value[SCANNER_COUNTER_AT_WORK], 0);
}

/* Killed between two cells: the job is taken, and not yet at work. */
static void test_end_between_two_cells(void **state)
{
    struct peer_row row = {0};

    (void)state;
    row_add(&row, SCANNER_COUNTER_JOBS, 1);
    row_end(&row, ROW_SCANNER, 0);
    check_sums(&row, ROW_SCANNER);
    assert_int_equal(row.value[SCANNER_COUNTER_LOST], 1);
    row = (struct peer_row){0};
    row_add(&row, CONTROL_COUNTER_CONNECTIONS_BEGUN, 4);
    row_add(&row, CONTROL_COUNTER_CONNECTIONS_CLOSED, 1);
    row_set(&row, CONTROL_COUNTER_CONNECTIONS, 2); /* the fourth is not set yet */
    row_end(&row, ROW_CONTROL, 0);
    check_sums(&row, ROW_CONTROL);
    assert_int_equal(row.value[CONTROL_COUNTER_CONNECTIONS_CLOSED], 4);
}

static void test_end_of_control(void **state)
{
    struct peer_row row = {0};

    (void)state;
    row_add(&row, CONTROL_COUNTER_JOBS, 9);
    row_add(&row, CONTROL_COUNTER_DELIVERED, 4);
    row_add(&row, CONTROL_COUNTER_REFUSED, 1);
    row_set(&row, CONTROL_COUNTER_IN_HAND, 4);
    row_add(&row, CONTROL_COUNTER_CONNECTIONS_BEGUN, 5);
    row_add(&row, CONTROL_COUNTER_CONNECTIONS_FAILED, 2);
    row_set(&row, CONTROL_COUNTER_CONNECTIONS, 3);
    check_sums(&row, ROW_CONTROL);
    row_end(&row, ROW_CONTROL, 1);
    check_sums(&row, ROW_CONTROL);
    assert_int_equal(row.value[CONTROL_COUNTER_JOBS], 10);
    assert_int_equal(row.value[CONTROL_COUNTER_LOST], 5);
    assert_int_equal(row.value[CONTROL_COUNTER_CONNECTIONS_CLOSED], 3);
    assert_int_equal(row.value[CONTROL_COUNTER_CONNECTIONS], 0);
}

/* One that says it answered more than it was given has lost nothing. */
static void test_end_of_a_liar(void **state)
{
    struct peer_row row;

    (void)state;
    memset(&row, 0xff, sizeof(row));
    row.value[SCANNER_COUNTER_JOBS] = 1;
    row.value[SCANNER_COUNTER_LOST] = 0;
    row_end(&row, ROW_SCANNER, 0);
    assert_int_equal(row.value[SCANNER_COUNTER_LOST], 0);
}

static void test_unread_jobs(void **state)
{
    struct channel_memory memory;
    struct channel ours[2];
    struct channel theirs[2];
    struct relay_job job = {.kind = JOB_RELAY};

    (void)state;
    assert_int_equal(channel_memory_create(&memory, CHANNEL_CONTROL, 2), STATUS_OK);
    for (uint32_t worker = 0; worker < 2; worker++) {
        channel_attach(&ours[worker], &memory, worker);
        channel_attach(&theirs[worker], &memory, worker);
        for (unsigned n = 0; n < 10; n++) {
            job.kind = n % 5 == 4 ? JOB_WITHDRAW : JOB_RELAY;
            assert_int_equal(ring_push(&ours[worker].jobs, &job), STATUS_OK);
        }
    }
    assert_int_equal(channel_unread(&memory), 16);
    assert_int_equal(channel_unread(&memory), 0); /* they are given up */
    job.kind = JOB_RELAY;
    for (unsigned n = 0; n < 7; n++)
        assert_int_equal(ring_push(&ours[1].jobs, &job), STATUS_OK);
    assert_int_equal(channel_unread(&memory), 7);
    channel_memory_close(&memory);
}

static void test_unread_jobs_of_a_liar(void **state)
{
    struct channel_memory memory;
    struct channel channel;

    (void)state;
    assert_int_equal(channel_memory_create(&memory, CHANNEL_SCANNER, 1), STATUS_OK);
    channel_attach(&channel, &memory, 0);
    atomic_store(&channel.jobs.shared->produced, 5);
    atomic_store(&channel.jobs.shared->consumed, 1000);
    assert_int_equal(channel_unread(&memory), 0);
    atomic_store(&channel.jobs.shared->consumed, 0);
    memset(channel.jobs.shared->items, 0xff, SCAN_JOBS_PER_RING * sizeof(struct scan_job));
    assert_int_equal(channel_unread(&memory), 5);
    channel_memory_close(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_end_of_a_scanner),
        cmocka_unit_test(test_end_between_two_cells),
        cmocka_unit_test(test_end_of_control),
        cmocka_unit_test(test_end_of_a_liar),
        cmocka_unit_test(test_unread_jobs),
        cmocka_unit_test(test_unread_jobs_of_a_liar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
