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
#include "tests/unit/handover/appliance.h"

#define SECOND_NS INT64_C(1000000000)
#define CLIENTS   40u
#define MESSAGES  400u

struct turns_rig {
    struct turns turns;
    uint64_t prefixes[CLIENTS]; /* that do not share a place */
    struct message messages[MESSAGES];
};

static uint32_t place_of(struct turns *turns, uint64_t prefix)
{
    struct message message = {.client_prefix = prefix};
    uint32_t place;

    turns_add(turns, &message, false);
    place = turns->queue[0];
    turns_remove(turns, &message);
    return place;
}

static int set_up(void **state)
{
    static struct turns_rig turns_rig;
    bool taken[TURNS_CLIENTS] = {false};
    uint64_t prefix = 0x0a000001;

    memset(&turns_rig, 0, sizeof(turns_rig));
    turns_init(&turns_rig.turns);
    turns_known(&turns_rig.turns);
    turns_rig.turns.debt_max_ns = 30 * SECOND_NS;
    for (unsigned i = 0; i < CLIENTS; prefix++) {
        uint32_t place = place_of(&turns_rig.turns, prefix);

        if (taken[place])
            continue;
        taken[place] = true;
        turns_rig.prefixes[i++] = prefix;
    }
    *state = &turns_rig;
    return 0;
}

static struct message *wait_for(struct turns_rig *turns_rig, unsigned number, unsigned client)
{
    struct message *message = &turns_rig->messages[number];

    *message = (struct message){.index = number, .client_prefix = turns_rig->prefixes[client]};
    turns_add(&turns_rig->turns, message, false);
    return message;
}

/* The next message goes to a scanner. */
static struct message *begin(struct turns_rig *turns_rig)
{
    struct message *message = turns_next(&turns_rig->turns);

    assert_non_null(message);
    turns_begin(&turns_rig->turns, message);
    turns_remove(&turns_rig->turns, message);
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
    *retry = (struct message){.index = 5, .client_prefix = turns_rig->prefixes[1]};
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

/* -- against the rules restated ---------------------------------------------------------------- */

struct model {
    int64_t tag_ns[CLIENTS];
    uint64_t order[CLIENTS];
    unsigned line[CLIENTS][MESSAGES]; /* numbers of messages, in order */
    unsigned waiting[CLIENTS];
    unsigned scanning[MESSAGES];
    unsigned scanning_count;
    int64_t clock_ns;
    uint64_t orders;
};

static int model_next(const struct model *model)
{
    int next = -1;

    for (unsigned i = 0; i < CLIENTS; i++) {
        if (model->waiting[i] == 0)
            continue;
        if (next < 0 || model->tag_ns[i] < model->tag_ns[next] ||
            (model->tag_ns[i] == model->tag_ns[next] && model->order[i] < model->order[next]))
            next = (int)i;
    }
    return next;
}

static void model_charge(struct model *model, unsigned client, int64_t ns)
{
    model->tag_ns[client] += ns;
    if (model->tag_ns[client] > model->clock_ns + 30 * SECOND_NS)
        model->tag_ns[client] = model->clock_ns + 30 * SECOND_NS;
    model->order[client] = ++model->orders;
}

static void model_arrive(struct model *model, unsigned client)
{
    if (model_next(model) < 0 && model->scanning_count == 0) {
        for (unsigned i = 0; i < CLIENTS; i++)
            model->tag_ns[i] = model->clock_ns;
    }
    if (model->tag_ns[client] < model->clock_ns)
        model->tag_ns[client] = model->clock_ns;
    model->order[client] = ++model->orders;
}

static void both_add(struct turns_rig *turns_rig, struct model *model, unsigned number)
{
    unsigned client = (unsigned)rand() % CLIENTS;

    if (model->waiting[client] == 0)
        model_arrive(model, client);
    model->line[client][model->waiting[client]++] = number;
    wait_for(turns_rig, number, client);
}

static void both_begin(struct turns_rig *turns_rig, struct model *model)
{
    int client = model_next(model);
    unsigned number;

    if (client < 0) {
        assert_null(turns_next(&turns_rig->turns));
        return;
    }
    number = model->line[client][0];
    model->clock_ns = model->tag_ns[client];
    model_charge(model, (unsigned)client, TURNS_BEGIN_NS);
    model->waiting[client]--;
    memmove(model->line[client], model->line[client] + 1,
            model->waiting[client] * sizeof(model->line[client][0]));
    model->scanning[model->scanning_count++] = number;
    assert_int_equal(begin(turns_rig)->index, number);
}

/* Any that is at a scanner. Returns its number, which is free again. */
static unsigned both_end(struct turns_rig *turns_rig, struct model *model)
{
    unsigned which = (unsigned)rand() % model->scanning_count;
    unsigned number = model->scanning[which];
    int64_t took_ns = (int64_t)(rand() % 5000) * 1000000;
    unsigned client = 0;

    while (turns_rig->prefixes[client] != turns_rig->messages[number].client_prefix)
        client++;
    model->scanning[which] = model->scanning[--model->scanning_count];
    if (took_ns > TURNS_BEGIN_NS)
        model_charge(model, client, took_ns - TURNS_BEGIN_NS);
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
    }
}

/* Two clients in one place share it: nothing is lost, and they go in order. */
static void test_shared_place(void **state)
{
    struct turns_rig *turns_rig = *state;
    uint32_t place = place_of(&turns_rig->turns, turns_rig->prefixes[0]);
    uint64_t other = turns_rig->prefixes[0] + 1;

    while (place_of(&turns_rig->turns, other) != place)
        other++;
    wait_for(turns_rig, 0, 0);
    wait_for(turns_rig, 1, 1);
    turns_rig->messages[2] = (struct message){.index = 2, .client_prefix = other};
    turns_add(&turns_rig->turns, &turns_rig->messages[2], false);
    wait_for(turns_rig, 3, 0);
    expect_order(turns_rig, "abcd");
}

/* -- in the hand-over -------------------------------------------------------------------------- */

static struct peer scanners;

static struct tcp_connection *mail_of(struct appliance *appliance, uint64_t client)
{
    struct tcp_connection *sender = sender_open(&appliance->workers[0].endpoint);

    sender->prefix = client;
    sender_say(sender, appliance_text("defer.example"));
    (void)sender_heard(sender);
    appliance_settle(appliance);
    return sender;
}

/* The one scanner works for a while and answers. */
static void scan(struct appliance *appliance, int64_t ns, const char *name)
{
    struct scan_result result;
    struct scan_job job;

    assert_true(peer_scan(&scanners, 0, 0, &job));
    appliance_advance(appliance, ns);
    result = peer_result(&job, VERDICT_INFECTED, UNSCANNABLE_NONE, name);
    peer_answer(&scanners, 0, 0, &result);
    appliance_settle(appliance);
}

/* A client has twenty slow mails waiting when another begins to send. First come, first served
 * would be 200 seconds; the other's are answered after the one that is at the scanner. */
static void test_slow_client_keeps_nobody_waiting(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *slow[20];
    struct tcp_connection *others[5];

    appliance_scanners(appliance, &scanners, 1);
    for (unsigned i = 0; i < 20; i++)
        slow[i] = mail_of(appliance, 1);
    for (unsigned i = 0; i < 5; i++)
        others[i] = mail_of(appliance, 2);
    scan(appliance, SCAN_LIMIT_NS, "Slow");
    appliance_expect(slow[0], "554 5.7.1 [");
    for (unsigned i = 0; i < 5; i++) {
        scan(appliance, SCAN_LIMIT_NS / 10, "Fast");
        appliance_expect(others[i], "554 5.7.1 [");
    }
    scan(appliance, SCAN_LIMIT_NS, "Slow");
    appliance_expect(slow[1], "554 5.7.1 [");
    appliance_advance(appliance, VERDICT_LIMIT_NS); /* the rest runs out of time */
    assert_int_equal(strncmp(sender_heard(slow[19]), "451 4.7.1 [", 11), 0);
    appliance_lose(appliance, &scanners);
}

/* A mail that ends its scanner is tried again, but not before what others have waiting. */
static void test_retry_takes_its_turn(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *killer;
    struct tcp_connection *others[3];
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 1);
    killer = mail_of(appliance, 1);
    for (unsigned i = 0; i < 3; i++)
        others[i] = mail_of(appliance, 2);
    assert_true(peer_scan(&scanners, 0, 0, &job));
    appliance_advance(appliance, SCAN_LIMIT_NS);
    peer_gone(&scanners, 0);
    appliance_settle(appliance);
    for (unsigned i = 0; i < 3; i++) {
        scan(appliance, SCAN_LIMIT_NS / 10, "Other");
        appliance_expect(others[i], "554 5.7.1 [");
    }
    scan(appliance, SCAN_LIMIT_NS / 10, "Killer");
    appliance_expect(killer, "554 5.7.1 [");
}

/* A mail that comes again is before its client's others, not before those that run out earlier. */
static void test_retry_hides_no_deadline(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *first;
    struct tcp_connection *older;
    struct tcp_connection *newer;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 1);
    first = mail_of(appliance, 1);
    older = mail_of(appliance, 1);
    appliance_advance(appliance, SCAN_LIMIT_NS);
    newer = mail_of(appliance, 2);
    scan(appliance, 0, "First");
    appliance_expect(first, "554 5.7.1 [");
    assert_true(peer_scan(&scanners, 0, 0, &job)); /* the newer one's, by its client's turn */
    appliance_settle(appliance);
    scanners.passive = true;
    peer_gone(&scanners, 0);
    appliance_advance(appliance, VERDICT_LIMIT_NS - SCAN_LIMIT_NS);
    appliance_expect(older, "451 4.7.1 [");
    appliance_silent(newer);
    appliance_advance(appliance, SCAN_LIMIT_NS);
    appliance_expect(newer, "451 4.7.1 [");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_clients_alternate, set_up),
        cmocka_unit_test_setup(test_first, set_up),
        cmocka_unit_test_setup(test_removed_from_anywhere, set_up),
        cmocka_unit_test_setup(test_time_is_shared, set_up),
        cmocka_unit_test_setup(test_newcomer, set_up),
        cmocka_unit_test_setup(test_debt_is_bounded, set_up),
        cmocka_unit_test_setup(test_idle_forgives, set_up),
        cmocka_unit_test_setup(test_busy_remembers, set_up),
        cmocka_unit_test_setup(test_random_against_the_rules, set_up),
        cmocka_unit_test_setup(test_shared_place, set_up),
        cmocka_unit_test_setup_teardown(test_slow_client_keeps_nobody_waiting, appliance_set_up,
                                        appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_retry_takes_its_turn, appliance_set_up,
                                        appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_retry_hides_no_deadline, appliance_set_up,
                                        appliance_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
