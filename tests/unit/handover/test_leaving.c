/* Scanners that end in order, and a control that does not end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/main/peers_server.h"
#include "tests/unit/handover/appliance.h"

static struct peer old;
static struct peer new;

static void say(struct peer *peer, uint32_t slot, uint32_t worker, const struct scan_job *job)
{
    struct scan_result result = peer_result(job, VERDICT_INFECTED, UNSCANNABLE_NONE, "X");

    peer_answer(peer, slot, worker, &result);
}

/* What they have is finished, by them; what comes goes to the others. */
static void test_messages_are_finished(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *senders[3];
    struct scan_job jobs[3];
    uint32_t slots[2];

    appliance_scanners(appliance, &old, 2);
    for (uint32_t i = 0; i < 2; i++) {
        senders[i] = appliance_mail(appliance, i, "reject.example");
        slots[i] = peer_scan(&old, 0, i, &jobs[i]) ? 0 : 1;
        assert_true(slots[i] == 0 || peer_scan(&old, 1, i, &jobs[i]));
    }
    appliance_scanners(appliance, &new, 1);
    peer_say(&old, LINK_LEAVE, 0, 0, "");
    appliance_settle(appliance);
    assert_false(old.ended);
    assert_int_equal(appliance_state(appliance, slots[0]), PEER_LEAVING);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), APPLIANCE_WORKERS);
    senders[2] = appliance_mail(appliance, 0, "reject.example");
    assert_true(peer_scan(&new, 0, 0, &jobs[2]));
    say(&old, slots[0], 0, &jobs[0]);
    appliance_settle(appliance);
    appliance_expect(senders[0], "554 5.7.1 [");
    assert_false(old.ended); /* the other worker's is still there */
    say(&old, slots[1], 1, &jobs[1]);
    appliance_settle(appliance);
    appliance_expect(senders[1], "554 5.7.1 [");
    assert_true(old.ended);
    say(&new, 0, 0, &jobs[2]);
    appliance_settle(appliance);
    appliance_expect(senders[2], "554 5.7.1 [");
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_RETRIES), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_JOBS), 3);
}

static void test_nothing_to_finish(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &old, 3);
    peer_say(&old, LINK_LEAVE, 0, 0, "");
    appliance_settle(appliance);
    assert_true(old.ended);
    for (uint32_t slot = 0; slot < 3; slot++)
        assert_int_equal(appliance_state(appliance, slot), PEER_ABSENT);
}

/* A child that dies meanwhile is not replaced, and its message goes to the others. */
static void test_one_dies_while_it_leaves(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;
    struct scan_job job;

    appliance_scanners(appliance, &old, 1);
    sender = appliance_mail(appliance, 0, "reject.example");
    assert_true(peer_scan(&old, 0, 0, &job));
    appliance_scanners(appliance, &new, 1);
    peer_say(&old, LINK_LEAVE, 0, 0, "");
    appliance_settle(appliance);
    peer_gone(&old, 0);
    appliance_settle(appliance);
    assert_true(old.ended);
    assert_int_equal(old.slots[0].epoch, 1);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_RETRIES), 1);
    assert_true(peer_scan(&new, 0, 0, &job));
    say(&new, 0, 0, &job);
    appliance_settle(appliance);
    appliance_expect(sender, "554 5.7.1 [");
}

/* Leaving is no way past the time limit. */
static void test_time_limit_while_it_leaves(void **state)
{
    struct appliance *appliance = *state;
    struct scan_job job;

    appliance_scanners(appliance, &old, 1);
    (void)appliance_mail(appliance, 0, "reject.example");
    assert_true(peer_scan(&old, 0, 0, &job));
    peer_say(&old, LINK_LEAVE, 0, 0, "");
    appliance_settle(appliance);
    appliance_advance(appliance, CLOCK_NS_PER_SECOND); /* it is seen to be at work */
    appliance_advance(appliance, 2 * SCAN_LIMIT_NS);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_TIMEOUTS), 1);
    assert_int_equal(old.slots[0].kills, 1);
}

/* A candidate need not wait for an order, since those that serve take nothing any more. */
static void test_candidate_takes_over(void **state)
{
    struct appliance *appliance = *state;
    struct scan_job job;

    appliance_scanners(appliance, &old, 1);
    appliance_candidates(appliance, &new, 1);
    (void)appliance_mail(appliance, 0, "reject.example");
    assert_true(peer_scan(&old, 0, 0, &job));
    peer_say(&old, LINK_LEAVE, 0, 0, "");
    appliance_settle(appliance);
    assert_int_equal(new.serve_count, 1);
    assert_int_equal(appliance_state(appliance, 1), PEER_READY);
    say(&old, 0, 0, &job);
    appliance_settle(appliance);
    assert_true(old.ended);
}

/* A process of its own that is linked as control, breaks a rule, and never closes its end. */
static void control_that_stays(const char *path)
{
    static struct peer peer;

    peer_connect(&peer, path, LINK_KIND_CONTROL, 1, 0);
    while (!peer.slots[0].ready && !peer.ended)
        peer_hear(&peer);
    peer_say(&peer, LINK_WELCOME, 0, 0, "");
    (void)alarm(60); /* should nobody kill it */
    for (;;)
        pause();
}

static void test_control_that_stays_is_killed(void **state)
{
    struct appliance *appliance = *state;
    uint32_t slot = peers_control(&appliance->peers);
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        control_that_stays(appliance->path);
    while (appliance_state(appliance, slot) != PEER_LEAVING)
        appliance_settle(appliance);
    appliance_advance(appliance, PEERS_LEAVE_LIMIT_NS - 1);
    appliance_settle(appliance);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    assert_int_equal(appliance_state(appliance, slot), PEER_LEAVING);
    appliance_advance(appliance, 1);
    appliance_settle(appliance);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, slot), PEER_ABSENT);
}

int main(void)
{
#define LEAVING_TEST(test) \
    cmocka_unit_test_setup_teardown(test, appliance_set_up, appliance_tear_down)
    const struct CMUnitTest tests[] = {
        LEAVING_TEST(test_messages_are_finished),
        LEAVING_TEST(test_nothing_to_finish),
        LEAVING_TEST(test_one_dies_while_it_leaves),
        LEAVING_TEST(test_time_limit_while_it_leaves),
        LEAVING_TEST(test_candidate_takes_over),
        LEAVING_TEST(test_control_that_stays_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
