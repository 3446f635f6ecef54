/* A worker and the settings its messages go by: the oldest in use is what it says, never a newer
 * one, and a message whose settings are to go finds its customer in the newest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/worker/worker.h"

#define SLOTS 600u /* more than two calls look at */

struct bed {
    struct worker worker;
    struct worker_orders orders;
    struct region region;
    struct region_counters counters;
    struct config configs[4];
    struct config_customer customers[2];
    char domains[2][1][CONFIG_NAME_BYTES];
    struct worker_settings settings[4]; /* generations 1 to 4 */
};

static void make_settings(struct bed *bed, unsigned index, unsigned first, unsigned customers)
{
    struct config *config = &bed->configs[index];

    config->number = index + 1;
    config->customers = bed->customers + first;
    config->customer_count = customers;
    bed->settings[index] = (struct worker_settings){.generation = config->number, .config = config};
    assert_int_equal(smtp_customers_create(config, &bed->settings[index].customers), STATUS_OK);
}

static int set_up(void **state)
{
    static const struct region_plan plan = {
        .worker_count = 1, .block_count = SLOTS, .message_count = SLOTS};
    struct bed *bed = calloc(1, sizeof(*bed));

    assert_non_null(bed);
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(bed->customers[i].name, sizeof(bed->customers[i].name), "customer%u", i);
        (void)snprintf(bed->domains[i][0], CONFIG_NAME_BYTES, "domain%u.example", i);
        bed->customers[i].domains = bed->domains[i];
        bed->customers[i].domain_count = 1;
    }
    for (unsigned i = 0; i < 3; i++)
        make_settings(bed, i, 0, 2);
    make_settings(bed, 3, 1, 1); /* customer0 has gone */
    assert_int_equal(region_create(&bed->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&bed->worker.store, &bed->region, 0, 0, SLOTS, 0, SLOTS),
                     STATUS_OK);
    bed->worker.handover.store = &bed->worker.store;
    bed->worker.orders = &bed->orders;
    bed->worker.settings = &bed->settings[0];
    bed->worker.settings_least = 1;
    atomic_store(&bed->orders.settings, &bed->settings[0]);
    atomic_store(&bed->worker.settings_oldest, 1);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;

    store_fini(&bed->worker.store);
    region_close(&bed->region);
    for (unsigned i = 0; i < 4; i++)
        smtp_customers_free(bed->settings[i].customers);
    free(bed);
    return 0;
}

static struct message *take(struct bed *bed, unsigned index, const char *domain)
{
    struct message *message = message_take(&bed->worker.store);

    assert_non_null(message);
    message->customer = smtp_customers_find(bed->settings[index].customers, domain, strlen(domain));
    assert_non_null(message->customer);
    return message;
}

/* Main puts settings `index` in force, and the worker has looked at everything twice since. */
static void switch_to(struct bed *bed, unsigned index)
{
    atomic_store(&bed->orders.settings, &bed->settings[index]);
    for (unsigned i = 0; i < 8; i++)
        worker_follow_settings(&bed->worker);
    assert_ptr_equal(bed->worker.smtp.customers, bed->settings[index].customers);
}

static uint32_t oldest(struct bed *bed)
{
    return atomic_load(&bed->worker.settings_oldest);
}

static void test_without_messages_it_is_the_newest(void **state)
{
    struct bed *bed = *state;

    switch_to(bed, 1);
    assert_int_equal(oldest(bed), 2);
}

static void test_it_is_that_of_the_oldest_message(void **state)
{
    struct bed *bed = *state;
    struct message *first;
    struct message *second;

    for (unsigned i = 0; i < SLOTS - 2; i++)
        (void)message_take(&bed->worker.store); /* the two below lie far back */
    first = take(bed, 0, "domain0.example");
    switch_to(bed, 1);
    second = take(bed, 1, "domain1.example");
    switch_to(bed, 2);
    assert_int_equal(oldest(bed), 1);
    message_give(&bed->worker.store, first);
    switch_to(bed, 2);
    assert_int_equal(oldest(bed), 2);
    message_give(&bed->worker.store, second);
    switch_to(bed, 2);
    assert_int_equal(oldest(bed), 3);
}

/* A look that began before the switch says nothing about what came since. */
static void test_a_look_under_way_is_not_believed(void **state)
{
    struct bed *bed = *state;
    struct message *message;

    atomic_store(&bed->orders.settings, &bed->settings[1]);
    worker_follow_settings(&bed->worker); /* the first slots */
    message = take(bed, 1, "domain0.example");
    atomic_store(&bed->orders.settings, &bed->settings[2]);
    for (unsigned i = 0; i < 8; i++) {
        worker_follow_settings(&bed->worker);
        assert_true(oldest(bed) <= 2);
    }
    message_give(&bed->worker.store, message);
}

static void test_messages_leave_the_oldest(void **state)
{
    struct bed *bed = *state;
    struct message *stays = take(bed, 0, "domain1.example");
    struct message *gone = take(bed, 0, "domain0.example");
    struct message *newer;

    bed->customers[0].unscannable[CONFIG_REASON_LIMIT] = CONFIG_POLICY_DELIVER;
    switch_to(bed, 1);
    newer = take(bed, 1, "domain0.example");
    switch_to(bed, 3);
    assert_int_equal(oldest(bed), 1);
    atomic_store(&bed->orders.settings_left, 1);
    switch_to(bed, 3);
    assert_int_equal(oldest(bed), 2);
    assert_ptr_equal(newer->customer,
                     smtp_customers_find(bed->settings[1].customers, "domain0.example", 15));
    assert_ptr_equal(stays->customer,
                     smtp_customers_find(bed->settings[3].customers, "domain1.example", 15));
    /* Whose customer is no more: deferred, and of a name that control does not know. */
    assert_int_equal(gone->customer->generation, 4);
    assert_int_equal(gone->customer->config->unscannable[CONFIG_REASON_LIMIT], CONFIG_POLICY_DEFER);
    assert_ptr_equal(smtp_customers_successor(bed->settings[3].customers, gone->customer),
                     gone->customer);
}

#define POLICY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POLICY_TEST(test_without_messages_it_is_the_newest),
        POLICY_TEST(test_it_is_that_of_the_oldest_message),
        POLICY_TEST(test_a_look_under_way_is_not_believed),
        POLICY_TEST(test_messages_leave_the_oldest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
