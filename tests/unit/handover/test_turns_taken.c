/* Turns as the hand-over takes them: who is scanned next, and who is answered when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/handover/appliance.h"

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
        cmocka_unit_test_setup_teardown(test_slow_client_keeps_nobody_waiting, appliance_set_up,
                                        appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_retry_takes_its_turn, appliance_set_up,
                                        appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_retry_hides_no_deadline, appliance_set_up,
                                        appliance_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
