/* Customers whose servers hang, beside one whose server answers: 500 senders, two workers, real
 * sessions and handovers. Counted is what each customer's senders hear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/message/share.h"
#include "platform/link/message_view.h"
#include "tests/unit/handover/appliance.h"

#define MS       INT64_C(1000000)
#define ROUND_NS (20 * MS)
#define ROUNDS   500u /* 10 s: far less than limits.verdict_timeout, so that nothing frees itself */
#define GOOD     20u  /* senders of the good customer, a worker */
#define SENDERS  250u /* in all, a worker */

/* -- the table by itself ----------------------------------------------------------------------- */

static void fill(struct store *store, struct message **held, uint32_t place, uint32_t *count)
{
    while (share_admits(store, place)) {
        held[*count] = message_take(store);
        assert_non_null(held[*count]);
        share_take(store, held[(*count)++], place);
    }
}

static void test_thresholds(void **state)
{
    struct appliance *appliance = *state;
    struct store *store = &appliance->workers[0].store;
    struct message *held[APPLIANCE_SLOTS];
    uint32_t own = APPLIANCE_SLOTS / SHARE_OWN / APPLIANCE_CUSTOMERS;
    uint32_t places[10];
    uint32_t count = 0;
    uint32_t before;

    for (unsigned i = 0; i < 10; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "hanging%u", i);
        places[i] = share_place(name);
    }
    fill(store, held, places[0], &count);
    assert_int_equal(count, own + (APPLIANCE_SLOTS - APPLIANCE_SLOTS / SHARE_OWN) * 2 / 3);
    /* Ten that take what they can, one after the other, and the eleventh has its own. */
    for (unsigned i = 1; i < 10; i++)
        fill(store, held, places[i], &count);
    assert_true(store->share_slots.used <= store->share_slots.common);
    before = count;
    fill(store, held, share_place("good"), &count);
    assert_true(count - before >= own);
    share_configure(store, 2); /* a reload: fewer customers, and more is each one's own */
    (void)store_sound(store, NULL);
    share_configure(store, 1);
    assert_true(share_admits(store, places[0]));
    share_configure(store, APPLIANCE_CUSTOMERS);
    while (count > 0)
        message_give(store, held[--count]);
    assert_int_equal(store->share_slots.used, 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(store->shares[places[i]].slots, 0);
}

/* What lies in blocks counts once it is complete. */
static void test_blocks(void **state)
{
    struct appliance *appliance = *state;
    struct store *store = &appliance->workers[0].store;
    struct message *held[APPLIANCE_BLOCKS];
    static uint8_t bytes[8 * MESSAGE_BLOCK_BYTES];
    uint32_t place = share_place("large");
    uint32_t count = 0;

    while (share_admits(store, place)) {
        held[count] = message_take(store);
        assert_non_null(held[count]);
        share_take(store, held[count], place);
        assert_int_equal(message_append_bytes(store, held[count], bytes, sizeof(bytes)), STATUS_OK);
        share_complete(store, held[count++]);
    }
    assert_true(store->free_slot_count > APPLIANCE_SLOTS / 3); /* not for want of slots */
    assert_true(block_available(store, BLOCK_FOR_DATA) > APPLIANCE_BLOCKS / 5);
    assert_true(share_admits(store, share_place("another")));
    while (count > 0)
        message_give(store, held[--count]);
    assert_int_equal(store->shares[place].blocks, 0);
}

/* -- in the hand-over -------------------------------------------------------------------------- */

static struct peer scanners;
static struct peer control;

/* One customer's senders. */
struct crowd {
    char domain[32];
    unsigned sent;
    unsigned delivered;
    unsigned refused; /* at RCPT, whatever the words */
    unsigned failed;  /* 451 after the data */
};

struct mailer {
    struct tcp_connection *connection;
    struct crowd *crowd;
    uint32_t worker;
    bool waiting;
};

static void mailer_begin_anew(struct appliance *appliance, struct mailer *mailer)
{
    sender_close(mailer->connection);
    mailer->connection = sender_open(&appliance->workers[mailer->worker].endpoint);
    mailer->waiting = false;
}

static void mailer_send(struct mailer *mailer)
{
    mailer->crowd->sent++;
    mailer->waiting = true;
    sender_say(mailer->connection, appliance_text(mailer->crowd->domain));
}

/* Hears what came, and goes away where there was no room: the next one comes in its place. */
static void mailer_hear(struct appliance *appliance, struct mailer *mailer)
{
    const char *heard = sender_heard(mailer->connection);

    if (strstr(heard, "451 4.4.5") != NULL || strstr(heard, "452 4.3.1") != NULL) {
        mailer->crowd->refused++;
        mailer_begin_anew(appliance, mailer);
        return;
    }
    if (strstr(heard, "\r\n250 2.0.0 [") != NULL || strncmp(heard, "250 2.0.0 [", 11) == 0)
        mailer->crowd->delivered++;
    else if (strncmp(heard, "451 ", 4) == 0)
        mailer->crowd->failed++;
    else
        return;
    mailer->waiting = false;
    mailer->connection->sent[0] = '\0';
    mailer->connection->sent_length = 0;
    mailer->connection->heard = 0;
}

static void scan_all(void)
{
    for (uint32_t worker = 0; worker < APPLIANCE_WORKERS; worker++) {
        struct scan_job job;

        for (uint32_t slot = 0; slot < 8; slot++) {
            while (peer_scan(&scanners, slot, worker, &job)) {
                struct scan_result result = peer_result(&job, VERDICT_CLEAN, UNSCANNABLE_NONE, "");

                peer_answer(&scanners, slot, worker, &result);
            }
        }
    }
}

/* The good customer's server answers at once; the others' never do. */
static void relay_all(void)
{
    for (uint32_t worker = 0; worker < APPLIANCE_WORKERS; worker++) {
        struct relay_job job;

        while (peer_relay(&control, worker, &job)) {
            struct message_view view;
            char customer[64];

            assert_int_equal(
                message_view_open(&view, &control.region, job.message, job.generation, job.length),
                STATUS_OK);
            assert_true(message_view_string(&view, ENVELOPE_CUSTOMER, customer, sizeof(customer)));
            message_view_close(&view);
            if (strcmp(customer, "customer0") == 0) {
                struct relay_result result = peer_relayed(&job, RELAY_ANSWERED, 250, "2.0.0 Ok");

                peer_answer_relay(&control, worker, &result);
            }
        }
    }
}

static void run(struct appliance *appliance, struct mailer *mailers, uint32_t count)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        appliance->now_ns += ROUND_NS;
        for (uint32_t i = 0; i < count; i++) {
            struct mailer *mailer = &mailers[i];

            mailer_hear(appliance, mailer);
            /* A mail a second each, in turn; who had no answer since the last one hangs up, and
             * what it has sent stays at control. */
            if ((i + round) % 50 != 0)
                continue;
            if (mailer->waiting)
                mailer_begin_anew(appliance, mailer);
            mailer_send(mailer);
        }
        appliance_settle(appliance);
        scan_all();
        appliance_settle(appliance);
        relay_all();
        appliance_settle(appliance);
        appliance_read_logs(appliance);
    }
}

/* `hanging` customers whose servers hang take all they can get; the good one's senders hear no
 * refusal at all. */
static void hang(struct appliance *appliance, unsigned hanging)
{
    static struct crowd crowds[1 + 10];
    static struct mailer mailers[SENDERS * APPLIANCE_WORKERS];
    unsigned refused = 0;

    memset(crowds, 0, sizeof(crowds));
    (void)snprintf(crowds[0].domain, sizeof(crowds[0].domain), "defer.example");
    for (unsigned i = 1; i <= hanging; i++)
        (void)snprintf(crowds[i].domain, sizeof(crowds[i].domain), "%s",
                       appliance->customers[i].domains[0]);
    appliance_scanners(appliance, &scanners, 8);
    appliance_control(appliance, &control);
    for (uint32_t i = 0; i < SENDERS * APPLIANCE_WORKERS; i++) {
        bool good = i < GOOD * APPLIANCE_WORKERS;

        mailers[i] = (struct mailer){
            .connection = sender_open(&appliance->workers[i % APPLIANCE_WORKERS].endpoint),
            .worker = i % APPLIANCE_WORKERS,
            .crowd = good ? &crowds[0] : &crowds[1 + i / APPLIANCE_WORKERS % hanging],
        };
    }
    run(appliance, mailers, SENDERS * APPLIANCE_WORKERS);
    for (uint32_t i = 0; i < SENDERS * APPLIANCE_WORKERS; i++)
        mailer_hear(appliance, &mailers[i]);
    for (unsigned i = 1; i <= hanging; i++) {
        refused += crowds[i].refused;
        assert_int_equal(crowds[i].delivered, 0);
    }
    print_message("%u customers hang, and %u of their mails are refused; of %u others' %u are "
                  "delivered, %u refused\n",
                  hanging, refused, crowds[0].sent, crowds[0].delivered, crowds[0].refused);
    assert_int_equal(crowds[0].refused, 0);
    assert_int_equal(crowds[0].failed, 0);
    assert_true(crowds[0].sent >= 10 * GOOD && crowds[0].sent - crowds[0].delivered <= 2 * GOOD);
    assert_true(refused > 0); /* or nothing was tried */
    assert_int_equal(appliance_count(appliance, COUNTER_CUSTOMER_CROWDED), refused);
    for (uint32_t i = 0; i < SENDERS * APPLIANCE_WORKERS; i++)
        sender_close(mailers[i].connection);
}

static void test_two_hang(void **state)
{
    hang(*state, 2);
}

static void test_ten_hang(void **state)
{
    hang(*state, 10);
}

int main(void)
{
#define CASE(function) \
    cmocka_unit_test_setup_teardown(function, appliance_set_up, appliance_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_thresholds),
        CASE(test_blocks),
        CASE(test_two_hang),
        CASE(test_ten_hang),
    };
#undef CASE

    return cmocka_run_group_tests(tests, NULL, NULL);
}
