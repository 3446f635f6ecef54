/* Turns: who is next among clients that wait, in small cases by hand and in long ones against a
 * plain restatement of the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/handover/turns.h"

#define SECOND_NS INT64_C(1000000000)
#define MESSAGES  400u

/* Who sends: neighbourhoods of four clients each, three of them. */
#define CUSTOMERS      3u
#define NEIGHBOURHOODS 3u
#define NEIGHBOURS     4u
#define CLIENTS        (NEIGHBOURHOODS * NEIGHBOURS)

struct turns_rig {
    struct turns turns;
    struct message messages[MESSAGES];
};

static int set_up(void **state)
{
    static struct turns_rig turns_rig;

    memset(&turns_rig, 0, sizeof(turns_rig));
    assert_int_equal(turns_init(&turns_rig.turns, MESSAGES), STATUS_OK);
    turns_rig.turns.debt_max_ns = 30 * SECOND_NS;
    *state = &turns_rig;
    return 0;
}

static int tear_down(void **state)
{
    struct turns_rig *turns_rig = *state;

    turns_fini(&turns_rig->turns);
    return 0;
}

/* 10.0.N.C */
static uint64_t prefix_of(unsigned client)
{
    return UINT64_C(0x0a000000) + client / NEIGHBOURS * 256 + client % NEIGHBOURS;
}

static struct message *wait_for_customer(struct turns_rig *turns_rig, unsigned number,
                                         unsigned customer, unsigned client)
{
    struct message *message = &turns_rig->messages[number];

    *message = (struct message){.index = number,
                                .client_prefix = prefix_of(client),
                                .share = customer + 1,
                                .waiting = true};
    turns_add(&turns_rig->turns, message, false);
    return message;
}

static struct message *wait_for(struct turns_rig *turns_rig, unsigned number, unsigned client)
{
    return wait_for_customer(turns_rig, number, 0, client);
}

/* The next message goes to a scanner. */
static struct message *begin(struct turns_rig *turns_rig)
{
    struct message *message = turns_next(&turns_rig->turns);

    assert_non_null(message);
    turns_begin(&turns_rig->turns, message);
    turns_remove(&turns_rig->turns, message);
    message->waiting = false;
    return message;
}

static void expect_order(struct turns_rig *turns_rig, const char *order)
{
    for (; *order != '\0'; order++)
        assert_int_equal(begin(turns_rig)->index, *order - 'a');
    assert_null(turns_next(&turns_rig->turns));
}

static void test_clients_alternate(void **state)
{
    struct turns_rig *turns_rig = *state;

    assert_null(turns_next(&turns_rig->turns));
    for (unsigned i = 0; i < 5; i++)
        wait_for(turns_rig, i, 0); /* a b c d e */
    for (unsigned i = 5; i < 8; i++)
        wait_for(turns_rig, i, 1); /* f g h */
    wait_for(turns_rig, 8, 2);     /* i */
    expect_order(turns_rig, "afibgchde");
}

/* A retry goes before its client's others, and before nobody else's. */
static void test_first(void **state)
{
    struct turns_rig *turns_rig = *state;
    struct message *retry = &turns_rig->messages[5];

    wait_for(turns_rig, 0, 0);
    wait_for(turns_rig, 1, 0);
    wait_for(turns_rig, 2, 1);
    wait_for(turns_rig, 3, 1);
    *retry = (struct message){.index = 5, .client_prefix = prefix_of(1), .share = 1};
    turns_add(&turns_rig->turns, retry, true);
    expect_order(turns_rig, "afbcd");
}

static void test_removed_from_anywhere(void **state)
{
    struct turns_rig *turns_rig = *state;

    for (unsigned i = 0; i < 9; i++)
        wait_for(turns_rig, i, i % 3); /* adg beh cfi */
    turns_remove(&turns_rig->turns, &turns_rig->messages[0]);
    turns_remove(&turns_rig->turns, &turns_rig->messages[4]);
    turns_remove(&turns_rig->turns, &turns_rig->messages[8]);
    turns_remove(&turns_rig->turns, &turns_rig->messages[1]);
    turns_remove(&turns_rig->turns, &turns_rig->messages[7]);
    expect_order(turns_rig, "dcgf");
}

/* One scanner. The slow client's messages take ten seconds, the other's a tenth: time is shared, so
 * a hundred of the other's go between two of the slow one's. */
static void test_time_is_shared(void **state)
{
    struct turns_rig *turns_rig = *state;
    unsigned slow = 0;
    unsigned fast = 0;

    for (unsigned i = 0; i < 10; i++)
        wait_for(turns_rig, i, 0);
    for (unsigned i = 10; i < MESSAGES; i++)
        wait_for(turns_rig, i, 1);
    while (fast < 300) {
        struct message *message = begin(turns_rig);

        slow += message->index < 10;
        fast += message->index >= 10;
        turns_end(&turns_rig->turns, message,
                  message->index < 10 ? 10 * SECOND_NS : SECOND_NS / 10);
        assert_in_range(fast, slow < 2 ? 0 : (slow - 2) * 99, slow * 101);
    }
    assert_int_equal(slow, 3);
}

/* Whoever comes anew is next, however long others have been served, and gets no more than that. */
static void test_newcomer(void **state)
{
    struct turns_rig *turns_rig = *state;
    struct message *one;

    for (unsigned i = 0; i < 100; i++)
        wait_for(turns_rig, i, 0);
    for (unsigned i = 0; i < 50; i++)
        turns_end(&turns_rig->turns, begin(turns_rig), SECOND_NS);
    one = begin(turns_rig); /* of the old one's, at the scanner while they come */
    for (unsigned i = 100; i < 200; i++)
        wait_for(turns_rig, i, 1);
    turns_end(&turns_rig->turns, one, SECOND_NS);
    for (unsigned i = 0; i < 40; i++) {
        struct message *message = begin(turns_rig);

        assert_int_equal(message->index >= 100, i % 2 == 0);
        turns_end(&turns_rig->turns, message, SECOND_NS);
    }
}

/* After one message of a thousand seconds its client is not shut out for as long. */
static void test_debt_is_bounded(void **state)
{
    struct turns_rig *turns_rig = *state;
    unsigned others = 0;

    wait_for(turns_rig, 0, 0);
    wait_for(turns_rig, 1, 0);
    for (unsigned i = 2; i < 102; i++)
        wait_for(turns_rig, i, 1);
    turns_end(&turns_rig->turns, begin(turns_rig), 1000 * SECOND_NS);
    for (;;) {
        struct message *message = begin(turns_rig);

        turns_end(&turns_rig->turns, message, SECOND_NS);
        if (message->index == 1)
            break;
        others++;
    }
    assert_in_range(others, 29, 31);
}

static void test_idle_forgives(void **state)
{
    struct turns_rig *turns_rig = *state;

    wait_for(turns_rig, 0, 0);
    turns_end(&turns_rig->turns, begin(turns_rig), 20 * SECOND_NS);
    wait_for(turns_rig, 1, 0);
    wait_for(turns_rig, 2, 1);
    expect_order(turns_rig, "bc");
}

/* As long as something is scanned, nothing is forgiven: the scanners are busy with somebody. */
static void test_busy_remembers(void **state)
{
    struct turns_rig *turns_rig = *state;
    struct message *first;
    struct message *second;

    wait_for(turns_rig, 0, 0);
    wait_for(turns_rig, 1, 2);
    first = begin(turns_rig);
    second = begin(turns_rig);
    turns_end(&turns_rig->turns, first, 20 * SECOND_NS);
    wait_for(turns_rig, 2, 0);
    wait_for(turns_rig, 3, 1);
    expect_order(turns_rig, "dc");
    turns_end(&turns_rig->turns, second, 0);
}

/* A customer's mail from one client waits beside a customer's from all of them: half the time is
 * its. */
static void test_customers_share(void **state)
{
    struct turns_rig *turns_rig = *state;

    for (unsigned i = 0; i < 120; i++)
        wait_for_customer(turns_rig, i, 0, i % CLIENTS);
    for (unsigned i = 120; i < 160; i++)
        wait_for_customer(turns_rig, i, 1, 0);
    for (unsigned i = 0; i < 80; i++) {
        struct message *message = begin(turns_rig);

        assert_int_equal(message->index >= 120, i % 2);
        turns_end(&turns_rig->turns, message, SECOND_NS);
    }
}

/* One of a neighbourhood has as much as all of another. */
static void test_neighbourhoods_share(void **state)
{
    struct turns_rig *turns_rig = *state;

    for (unsigned i = 0; i < 120; i++)
        wait_for(turns_rig, i, i % NEIGHBOURS);
    for (unsigned i = 120; i < 160; i++)
        wait_for(turns_rig, i, NEIGHBOURS);
    for (unsigned i = 0; i < 80; i++) {
        struct message *message = begin(turns_rig);

        assert_int_equal(message->index >= 120, i % 2);
        turns_end(&turns_rig->turns, message, SECOND_NS);
    }
}

/* What a client owes for one customer's mail, it does not owe for another's. */
static void test_customers_are_apart(void **state)
{
    struct turns_rig *turns_rig = *state;
    struct message *slow;

    wait_for_customer(turns_rig, 0, 0, 0);
    wait_for_customer(turns_rig, 1, 2, 3);
    slow = begin(turns_rig);
    assert_int_equal(slow->index, 0);
    turns_end(&turns_rig->turns, slow, 10 * SECOND_NS);
    wait_for_customer(turns_rig, 2, 1, 1);
    wait_for_customer(turns_rig, 3, 1, 0);
    wait_for_customer(turns_rig, 4, 0, 0);
    expect_order(turns_rig, "bcde");
}

/* More clients than are remembered, one after the other, while something is scanned. */
static void test_debts_are_forgotten_in_order(void **state)
{
    struct turns_rig *turns_rig = *state;
    struct message *busy;
    struct message *last;

    wait_for_customer(turns_rig, 0, 2, 0);
    busy = begin(turns_rig);
    for (unsigned i = 0; i < 5 * MESSAGES; i++) {
        struct message *message = &turns_rig->messages[1];

        *message = (struct message){
            .index = 1, .client_prefix = 0x0b000000 + i * 256, .share = 1, .waiting = true};
        turns_add(&turns_rig->turns, message, false);
        turns_end(&turns_rig->turns, begin(turns_rig), SECOND_NS);
        assert_true(turns_sound(&turns_rig->turns, 0, 1));
    }
    /* The last one owes, the first one is new. */
    last = &turns_rig->messages[1];
    *last = (struct message){.index = 1,
                             .client_prefix = 0x0b000000 + (5 * MESSAGES - 1) * 256,
                             .share = 1,
                             .waiting = true};
    turns_add(&turns_rig->turns, last, false);
    turns_rig->messages[2] =
        (struct message){.index = 2, .client_prefix = 0x0b000000, .share = 1, .waiting = true};
    turns_add(&turns_rig->turns, &turns_rig->messages[2], false);
    expect_order(turns_rig, "cb");
    turns_end(&turns_rig->turns, busy, 0);
}

/* -- against the rules restated ---------------------------------------------------------------- */

/* Those that share: customers, their neighbourhoods, and the clients in these. */
#define SHARERS (CUSTOMERS * (1 + NEIGHBOURHOODS + CLIENTS) + 1)
#define ALL     (SHARERS - 1)

struct model {
    int64_t tag_ns[SHARERS];
    int64_t clock_ns[SHARERS]; /* of those below */
    uint64_t order[SHARERS];
    unsigned waiting[SHARERS];        /* messages, below */
    unsigned line[SHARERS][MESSAGES]; /* numbers of messages, in order */
    unsigned customer[MESSAGES];
    unsigned client[MESSAGES];
    unsigned scanning[MESSAGES];
    unsigned scanning_count;
    uint64_t orders;
};

/* Who it is at each level: customer, neighbourhood, client. */
static void model_way(const struct model *model, unsigned number, unsigned way[3])
{
    unsigned customer = model->customer[number];
    unsigned client = model->client[number];

    way[0] = customer;
    way[1] = CUSTOMERS + customer * NEIGHBOURHOODS + client / NEIGHBOURS;
    way[2] = CUSTOMERS * (1 + NEIGHBOURHOODS) + customer * CLIENTS + client;
}

static bool model_before(const struct model *model, unsigned a, unsigned b)
{
    return model->tag_ns[a] < model->tag_ns[b] ||
           (model->tag_ns[a] == model->tag_ns[b] && model->order[a] < model->order[b]);
}

/* The first of `count` from `from` on that waits. */
static unsigned model_first(const struct model *model, unsigned from, unsigned count)
{
    unsigned best = SHARERS;

    for (unsigned i = from; i < from + count; i++) {
        if (model->waiting[i] > 0 && (best == SHARERS || model_before(model, i, best)))
            best = i;
    }
    return best;
}

/* The message that is next, or MESSAGES. */
static unsigned model_next(const struct model *model)
{
    unsigned customer = model_first(model, 0, CUSTOMERS);
    unsigned around;
    unsigned client;

    if (customer == SHARERS)
        return MESSAGES;
    around = model_first(model, CUSTOMERS + customer * NEIGHBOURHOODS, NEIGHBOURHOODS);
    client = model_first(model,
                         CUSTOMERS * (1 + NEIGHBOURHOODS) + customer * CLIENTS +
                             (around - CUSTOMERS - customer * NEIGHBOURHOODS) * NEIGHBOURS,
                         NEIGHBOURS);
    return model->line[client][0];
}

static void model_charge(struct model *model, unsigned sharer, int64_t clock_ns, int64_t ns)
{
    model->tag_ns[sharer] += ns;
    if (model->tag_ns[sharer] > clock_ns + 30 * SECOND_NS)
        model->tag_ns[sharer] = clock_ns + 30 * SECOND_NS;
    model->order[sharer] = ++model->orders;
}

/* Whose clock the one at `level` of the way goes by. */
static int64_t *model_clock(struct model *model, const unsigned way[3], unsigned level)
{
    return &model->clock_ns[level == 0 ? ALL : way[level - 1]];
}

static void both_add(struct turns_rig *turns_rig, struct model *model, unsigned number)
{
    unsigned way[3];

    model->customer[number] = (unsigned)rand() % CUSTOMERS;
    model->client[number] = (unsigned)rand() % CLIENTS;
    model_way(model, number, way);
    if (model_next(model) == MESSAGES && model->scanning_count == 0) {
        for (unsigned i = 0; i < CUSTOMERS; i++)
            model->tag_ns[i] = model->clock_ns[ALL];
        for (unsigned i = CUSTOMERS; i < ALL; i++)
            model->tag_ns[i] = 0; /* every clock has gone past that */
    }
    for (unsigned level = 3; level-- > 0 && model->waiting[way[level]] == 0;) {
        int64_t clock_ns = *model_clock(model, way, level);

        if (model->tag_ns[way[level]] < clock_ns)
            model->tag_ns[way[level]] = clock_ns;
        model_charge(model, way[level], clock_ns, 0);
    }
    model->line[way[2]][model->waiting[way[2]]] = number;
    for (unsigned level = 0; level < 3; level++)
        model->waiting[way[level]]++;
    wait_for_customer(turns_rig, number, model->customer[number], model->client[number]);
}

static void both_begin(struct turns_rig *turns_rig, struct model *model)
{
    unsigned number = model_next(model);
    unsigned way[3];

    if (number == MESSAGES) {
        assert_null(turns_next(&turns_rig->turns));
        return;
    }
    model_way(model, number, way);
    for (unsigned level = 3; level-- > 0;) {
        int64_t *clock_ns = model_clock(model, way, level);

        *clock_ns = model->tag_ns[way[level]];
        model_charge(model, way[level], *clock_ns, TURNS_BEGIN_NS);
        model->waiting[way[level]]--;
    }
    memmove(model->line[way[2]], model->line[way[2]] + 1,
            model->waiting[way[2]] * sizeof(model->line[0][0]));
    model->scanning[model->scanning_count++] = number;
    assert_int_equal(begin(turns_rig)->index, number);
}

/* Any that is at a scanner. Returns its number, which is free again. */
static unsigned both_end(struct turns_rig *turns_rig, struct model *model)
{
    unsigned which = (unsigned)rand() % model->scanning_count;
    unsigned number = model->scanning[which];
    int64_t took_ns = (int64_t)(rand() % 5000) * 1000000;
    unsigned way[3];

    model_way(model, number, way);
    model->scanning[which] = model->scanning[--model->scanning_count];
    for (unsigned level = 3; level-- > 0 && took_ns > TURNS_BEGIN_NS;)
        model_charge(model, way[level], *model_clock(model, way, level), took_ns - TURNS_BEGIN_NS);
    turns_end(&turns_rig->turns, &turns_rig->messages[number], took_ns);
    return number;
}

static void test_random_against_the_rules(void **state)
{
    struct turns_rig *turns_rig = *state;
    static struct model model;
    unsigned free_numbers[MESSAGES];
    unsigned free_count = MESSAGES;

    memset(&model, 0, sizeof(model));
    for (unsigned i = 0; i < MESSAGES; i++)
        free_numbers[i] = i;
    srand(7);
    for (unsigned step = 0; step < 200000; step++) {
        /* Phases in which lines grow, and in which they shrink to nothing. */
        bool growing = step / 2000 % 2 == 0;
        int choice = rand() % 10;

        if (choice < (growing ? 5 : 1) && free_count > 0)
            both_add(turns_rig, &model, free_numbers[--free_count]);
        else if (choice < 6 && model.scanning_count < 8)
            both_begin(turns_rig, &model);
        else if (model.scanning_count > 0)
            free_numbers[free_count++] = both_end(turns_rig, &model);
        if (step % 64 == 0)
            assert_true(turns_sound(&turns_rig->turns, MESSAGES - free_count - model.scanning_count,
                                    model.scanning_count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clients_alternate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removed_from_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_is_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newcomer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_debt_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_idle_forgives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_busy_remembers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_customers_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_neighbourhoods_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_customers_are_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_debts_are_forgotten_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_against_the_rules, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
