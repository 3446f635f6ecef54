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

struct rig {
    struct region_counters counters;
    struct worker worker;
    struct worker_orders orders;
    struct worker_settings settings[4]; /* generations 1 to 4 */
    struct region region;
    struct config_customer customers[2];
    struct config configs[4];
    char domains[2][1][CONFIG_NAME_BYTES];
};

static void make_settings(struct rig *rig, unsigned index, unsigned first, unsigned customers)
{
    struct config *config = &rig->configs[index];

    config->number = index + 1;
    config->customers = rig->customers + first;
    config->customer_count = customers;
    rig->settings[index] = (struct worker_settings){.generation = config->number, .config = config};
    assert_int_equal(smtp_customers_create(config, &rig->settings[index].customers), STATUS_OK);
}

static int set_up(void **state)
{
    static const struct region_plan plan = {
        .worker_count = 1, .block_count = SLOTS, .message_count = SLOTS};
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    for (unsigned i = 0; i < 2; i++) {
        (void)snprintf(rig->customers[i].name, sizeof(rig->customers[i].name), "customer%u", i);
        (void)snprintf(rig->domains[i][0], CONFIG_NAME_BYTES, "domain%u.example", i);
        rig->customers[i].domains = rig->domains[i];
        rig->customers[i].domain_count = 1;
    }
    for (unsigned i = 0; i < 3; i++)
        make_settings(rig, i, 0, 2);
    make_settings(rig, 3, 1, 1); /* customer0 has gone */
    assert_int_equal(region_create(&rig->region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(store_init(&rig->worker.store, &rig->region, 0, 0, SLOTS, 0, SLOTS),
                     STATUS_OK);
    rig->worker.handover.store = &rig->worker.store;
    rig->worker.orders = &rig->orders;
    rig->worker.settings = &rig->settings[0];
    rig->worker.settings_least = 1;
    atomic_store(&rig->orders.settings, &rig->settings[0]);
    atomic_store(&rig->worker.settings_oldest, 1);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    store_fini(&rig->worker.store);
    region_close(&rig->region);
    for (unsigned i = 0; i < 4; i++)
        smtp_customers_free(rig->settings[i].customers);
    free(rig);
    return 0;
}

static struct message *take(struct rig *rig, unsigned index, const char *domain)
{
    struct message *message = message_take(&rig->worker.store);

    assert_non_null(message);
    message->customer = smtp_customers_find(rig->settings[index].customers, domain, strlen(domain));
    assert_non_null(message->customer);
    return message;
}

/* Main puts settings `index` in force, and the worker has looked at everything twice since. */
static void switch_to(struct rig *rig, unsigned index)
{
    atomic_store(&rig->orders.settings, &rig->settings[index]);
    for (unsigned i = 0; i < 8; i++)
        worker_follow_settings(&rig->worker);
    assert_ptr_equal(rig->worker.smtp.customers, rig->settings[index].customers);
}

static uint32_t oldest(struct rig *rig)
{
    return atomic_load(&rig->worker.settings_oldest);
}

static void test_without_messages_it_is_the_newest(void **state)
{
    struct rig *rig = *state;

    switch_to(rig, 1);
    assert_int_equal(oldest(rig), 2);
}

static void test_it_is_that_of_the_oldest_message(void **state)
{
    struct rig *rig = *state;
    struct message *first;
    struct message *second;

    for (unsigned i = 0; i < SLOTS - 2; i++)
        (void)message_take(&rig->worker.store); /* the two below lie far back */
    first = take(rig, 0, "domain0.example");
    switch_to(rig, 1);
    second = take(rig, 1, "domain1.example");
    switch_to(rig, 2);
    assert_int_equal(oldest(rig), 1);
    message_give(&rig->worker.store, first);
    switch_to(rig, 2);
    assert_int_equal(oldest(rig), 2);
    message_give(&rig->worker.store, second);
    switch_to(rig, 2);
    assert_int_equal(oldest(rig), 3);
}

/* A look that began before the switch says nothing about what came since. */
static void test_a_look_under_way_is_not_believed(void **state)
{
    struct rig *rig = *state;
    struct message *message;

    atomic_store(&rig->orders.settings, &rig->settings[1]);
    worker_follow_settings(&rig->worker); /* the first slots */
    message = take(rig, 1, "domain0.example");
    atomic_store(&rig->orders.settings, &rig->settings[2]);
    for (unsigned i = 0; i < 8; i++) {
        worker_follow_settings(&rig->worker);
        assert_true(oldest(rig) <= 2);
    }
    message_give(&rig->worker.store, message);
}

static void test_messages_leave_the_oldest(void **state)
{
    struct rig *rig = *state;
    struct message *stays = take(rig, 0, "domain1.example");
    struct message *gone = take(rig, 0, "domain0.example");
    struct message *newer;

    rig->customers[0].unscannable[CONFIG_REASON_LIMIT] = CONFIG_POLICY_DELIVER;
    switch_to(rig, 1);
    newer = take(rig, 1, "domain0.example");
    switch_to(rig, 3);
    assert_int_equal(oldest(rig), 1);
    atomic_store(&rig->orders.settings_left, 1);
    switch_to(rig, 3);
    assert_int_equal(oldest(rig), 2);
    assert_ptr_equal(newer->customer,
                     smtp_customers_find(rig->settings[1].customers, "domain0.example", 15));
    assert_ptr_equal(stays->customer,
                     smtp_customers_find(rig->settings[3].customers, "domain1.example", 15));
    /* Whose customer is no more: deferred, and of a name that control does not know. */
    assert_int_equal(gone->customer->generation, 4);
    assert_int_equal(gone->customer->config->unscannable[CONFIG_REASON_LIMIT], CONFIG_POLICY_DEFER);
    assert_ptr_equal(smtp_customers_successor(rig->settings[3].customers, gone->customer),
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
