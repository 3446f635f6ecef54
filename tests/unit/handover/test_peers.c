/* The slot table and its server: births, deaths, several workers, and links that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/handover/appliance.h"

static struct peer scanners;
static struct peer others;
static struct peer control;

static void test_life_of_a_slot(void **state)
{
    struct appliance *appliance = *state;
    uint32_t gone = 0;

    appliance_scanners(appliance, &scanners, APPLIANCE_SCANNERS);
    appliance_control(appliance, &control);
    assert_int_equal(scanners.workers, APPLIANCE_WORKERS);
    for (uint32_t slot = 0; slot < appliance->peers.slot_count; slot++)
        assert_int_equal(appliance_state(appliance, slot), PEER_READY);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY),
                     APPLIANCE_SCANNERS * APPLIANCE_WORKERS);
    assert_int_equal(appliance_count(appliance, COUNTER_CONTROL_READY), APPLIANCE_WORKERS);
    assert_string_equal(appliance->peers.slots[63].engine, PEER_ENGINE);
    for (uint32_t slot = 0; slot < APPLIANCE_SCANNERS; slot += 3) {
        peer_gone(&scanners, slot);
        gone++;
    }
    scanners.passive = true; /* the next incarnations are not ready yet */
    appliance_settle(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY),
                     (APPLIANCE_SCANNERS - gone) * APPLIANCE_WORKERS);
    for (uint32_t slot = 0; slot < APPLIANCE_SCANNERS; slot++) {
        assert_int_equal(scanners.slots[slot].epoch, slot % 3 == 0 ? 2 : 1);
        assert_int_equal(appliance_state(appliance, slot),
                         slot % 3 == 0 ? PEER_OFFERED : PEER_READY);
    }
    appliance_lose(appliance, &scanners);
    appliance_lose(appliance, &control);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_CONTROL_READY), 0);
}

/* Main unmaps a channel only after the last worker has let go of it. */
static void test_every_worker_lets_go(void **state)
{
    struct appliance *appliance = *state;
    struct appliance_worker *slow = &appliance->workers[1];
    struct tcp_connection *senders[2];
    struct scan_job jobs[2];
    const uint8_t *memory;

    appliance_scanners(appliance, &scanners, 1);
    for (uint32_t i = 0; i < 2; i++) {
        senders[i] = appliance_mail(appliance, i, "reject.example");
        assert_true(peer_scan(&scanners, 0, i, &jobs[i]));
    }
    memory = appliance->peers.slots[0].memory.base;
    assert_non_null(memory);
    slow->asleep = true;
    peer_gone(&scanners, 0);
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, 0), PEER_GONE);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_RETRIES), 1); /* the awake one's */
    assert_int_equal(scanners.slots[0].epoch, 1);                          /* none offered yet */
    assert_ptr_equal(appliance->peers.slots[0].memory.base, memory);
    assert_int_equal(atomic_load(slow->handover.slots[0].channel.busy), 1); /* and mapped */
    slow->asleep = false;
    appliance_settle(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_RETRIES), 2);
    assert_int_equal(scanners.slots[0].epoch, 2);
    assert_int_equal(appliance_state(appliance, 0), PEER_READY);
    for (uint32_t i = 0; i < 2; i++) {
        struct scan_result result;

        assert_true(peer_scan(&scanners, 0, i, &jobs[i]));
        result = peer_result(&jobs[i], VERDICT_INFECTED, UNSCANNABLE_NONE, "X");
        peer_answer(&scanners, 0, i, &result);
        appliance_settle(appliance);
        appliance_expect(senders[i], "554 5.7.1 [");
    }
}

/* A worker that missed a whole life: offered, ready and gone while it did not look. */
static void test_a_life_unseen(void **state)
{
    struct appliance *appliance = *state;

    appliance->workers[1].asleep = true;
    appliance_scanners(appliance, &scanners, 1);
    peer_gone(&scanners, 0);
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, 0), PEER_GONE);
    appliance->workers[1].asleep = false;
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, 0), PEER_READY);
    assert_int_equal(scanners.slots[0].epoch, 2);
}

/* Generations of scanners: each has slots of its own, and both get mail. */
static void test_two_parents_serve(void **state)
{
    struct appliance *appliance = *state;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 2);
    appliance_scanners(appliance, &others, 3);
    assert_true(others.welcomed);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 5 * APPLIANCE_WORKERS);
    for (unsigned i = 0; i < 5; i++)
        (void)appliance_mail(appliance, 0, "reject.example");
    for (uint32_t slot = 0; slot < 3; slot++) {
        assert_true(slot == 2 || peer_scan(&scanners, slot, 0, &job));
        assert_true(peer_scan(&others, slot, 0, &job));
    }
    appliance_lose(appliance, &scanners);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 3 * APPLIANCE_WORKERS);
}

/* One that finds no room waits for it; nothing old is used again before every worker let go. */
static void test_parent_without_room_waits(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, APPLIANCE_SCANNERS - 2);
    appliance_scanners(appliance, &others, 3);
    assert_false(others.welcomed);
    assert_false(others.ended);
    assert_int_equal(appliance_count(appliance, COUNTER_PEERS_REFUSED), 0);
    appliance->workers[1].asleep = true;
    appliance_lose(appliance, &scanners);
    assert_false(others.welcomed); /* the slots are not free yet */
    appliance->workers[1].asleep = false;
    appliance_settle(appliance);
    assert_true(others.welcomed);
    assert_int_equal(others.slots[0].epoch, 2); /* epochs go on: nothing old can be meant */
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 3 * APPLIANCE_WORKERS);
}

/* Loaded and ready, but no message goes there, however many wait; until it is told to serve. */
static void test_candidate(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *senders[4];
    struct scan_result result;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 1);
    appliance_candidates(appliance, &others, 2);
    assert_true(others.welcomed);
    assert_int_equal(appliance_state(appliance, 1), PEER_CANDIDATE);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 1 * APPLIANCE_WORKERS);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_CANDIDATE), 2 * APPLIANCE_WORKERS);
    for (unsigned i = 0; i < 4; i++)
        senders[i] = appliance_mail(appliance, 0, "reject.example");
    for (uint32_t slot = 0; slot < 2; slot++)
        assert_false(peer_scan(&others, slot, 0, &job));
    /* What it says of itself changes nothing, whatever it is. */
    peer_say(&others, LINK_READY, 0, 1, PEER_ENGINE);
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, 1), PEER_CANDIDATE);
    assert_false(peer_scan(&others, 0, 0, &job));
    appliance_supervisor(appliance, &control);
    peer_say(&control, LINK_SERVE, 0, 0, "");
    appliance_settle(appliance);
    assert_int_equal(control.serve_count, 1);
    assert_int_equal(control.serving, 2);
    assert_int_equal(others.serve_count, 1);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 3 * APPLIANCE_WORKERS);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_CANDIDATE), 0);
    /* The old generation ends: its message and the one that waited go to the new one. */
    assert_true(peer_scan(&scanners, 0, 0, &job));
    appliance_lose(appliance, &scanners);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t slot = peer_scan(&others, 0, 0, &job) ? 0 : 1;

        assert_true(slot == 0 || peer_scan(&others, 1, 0, &job));
        result = peer_result(&job, VERDICT_INFECTED, UNSCANNABLE_NONE, "X");
        peer_answer(&others, slot, 0, &result);
        appliance_settle(appliance);
    }
    for (unsigned i = 0; i < 4; i++)
        appliance_expect(senders[i], "554 5.7.1 [");
}

/* An order without a candidate that is ready with all its children is answered so. */
static void test_order_without_candidate(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, 1);
    appliance_supervisor(appliance, &control);
    peer_say(&control, LINK_SERVE, 0, 0, "");
    appliance_settle(appliance);
    assert_int_equal(control.serve_count, 1);
    assert_int_equal(control.serving, 0);
    appliance_candidates(appliance, &others, 2);
    others.passive = true;
    peer_gone(&others, 1); /* one of its children is not there */
    appliance_settle(appliance);
    peer_say(&control, LINK_SERVE, 0, 0, "");
    appliance_settle(appliance);
    assert_int_equal(control.serve_count, 2);
    assert_int_equal(control.serving, 0);
    assert_int_equal(others.serve_count, 0);
    peer_say(&control, LINK_READY, 0, 1, ""); /* the supervisor is no peer with slots */
    appliance_settle(appliance);
    assert_true(control.ended);
}

/* When the serving parent goes, mail does not wait for an order; even one child is better. */
static void test_candidate_stands_in(void **state)
{
    struct appliance *appliance = *state;
    struct scan_job job;

    appliance_scanners(appliance, &scanners, 1);
    appliance_candidates(appliance, &others, 2);
    others.passive = true;
    peer_gone(&others, 1);
    (void)appliance_mail(appliance, 0, "reject.example");
    assert_false(peer_scan(&others, 0, 0, &job));
    appliance_lose(appliance, &scanners);
    assert_int_equal(others.serve_count, 1);
    assert_true(peer_scan(&others, 0, 0, &job));
    /* Its later children serve from the beginning. */
    peer_say(&others, LINK_READY, 1, others.slots[1].epoch, PEER_ENGINE);
    appliance_settle(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 2 * APPLIANCE_WORKERS);
    /* The order that comes later hears that it is done, once. */
    appliance_supervisor(appliance, &control);
    peer_say(&control, LINK_SERVE, 0, 0, "");
    appliance_settle(appliance);
    assert_int_equal(control.serving, 2);
    peer_say(&control, LINK_SERVE, 0, 0, "");
    appliance_settle(appliance);
    assert_int_equal(control.serving, 0);
    assert_int_equal(others.serve_count, 1);
}

/* A candidate that goes leaves nothing behind, and its place is free at once. */
static void test_candidate_goes(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, 1);
    appliance->workers[1].asleep = true;
    appliance_candidates(appliance, &others, 2);
    appliance_lose(appliance, &others);
    assert_int_equal(appliance_state(appliance, 1), PEER_ABSENT);
    assert_int_equal(appliance_state(appliance, 2), PEER_ABSENT);
    appliance->workers[1].asleep = false;
    appliance_settle(appliance);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_CANDIDATE), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_SCANNERS_READY), 1 * APPLIANCE_WORKERS);
}

static void test_control_and_scanners_do_not_wait_for_each_other(void **state)
{
    struct appliance *appliance = *state;

    appliance_control(appliance, &control);
    appliance_scanners(appliance, &scanners, 1);
    assert_true(scanners.welcomed);
    appliance_control(appliance, &others);
    assert_false(others.welcomed);
    appliance_lose(appliance, &control);
    assert_true(others.welcomed);
}

static void test_news_of_other_lives(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, 1);
    scanners.passive = true;
    peer_gone(&scanners, 0);
    appliance_settle(appliance);
    peer_say(&scanners, LINK_READY, 0, 99, "from the future");
    peer_say(&scanners, LINK_READY, 0, 1, "from the past");
    peer_say(&scanners, LINK_GONE, 0, 1, "long dead");
    peer_say(&scanners, LINK_GONE, 0, 99, "not yet born");
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, 0), PEER_OFFERED);
    assert_int_equal(scanners.slots[0].epoch, 2);
    assert_false(scanners.ended);
    peer_say(&scanners, LINK_READY, 0, 2, "e\x1b[1m\n\xff");
    peer_say(&scanners, LINK_READY, 0, 2, "again");
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, 0), PEER_READY);
    assert_string_equal(appliance->peers.slots[0].engine, "e?[1m??");
}

/* Of each life only what it said itself, made printable; between lives nothing is known. */
static void test_what_a_scanner_has_loaded(void **state)
{
    struct appliance *appliance = *state;
    const struct peer_slot *slots = appliance->peers.slots;

    appliance_scanners(appliance, &scanners, 2);
    assert_int_equal(slots[0].identity.profile, 0);
    scanners.identity = (struct link_identity){
        .database = {1, 2, 3}, .library = "1.4.6\x1b", .profile = 7, .scan_bytes = 1000};
    peer_gone(&scanners, 1);
    appliance_settle(appliance);
    assert_int_equal(scanners.slots[1].epoch, 2);
    assert_int_equal(slots[0].identity.profile, 0);
    assert_int_equal(slots[1].identity.profile, 7);
    assert_int_equal(slots[1].identity.scan_bytes, 1000);
    assert_memory_equal(slots[1].identity.database, scanners.identity.database, LINK_DIGEST_BYTES);
    assert_string_equal(slots[1].identity.library, "1.4.6?");
    scanners.passive = true;
    memset(scanners.identity.library, 'x', sizeof(scanners.identity.library)); /* without end */
    peer_gone(&scanners, 1);
    appliance_settle(appliance);
    assert_int_equal(appliance_state(appliance, 1), PEER_OFFERED);
    assert_int_equal(slots[1].identity.profile, 0);
    peer_say(&scanners, LINK_READY, 1, 3, PEER_ENGINE);
    appliance_settle(appliance);
    assert_int_equal(strlen(slots[1].identity.library), LINK_LIBRARY_BYTES - 1);
}

/* -- links that misbehave ---------------------------------------------------------------------- */

static void hello(struct appliance *appliance, uint32_t kind, uint32_t slots, bool welcome)
{
    appliance->attached[3] = &others;
    peer_connect(&others, appliance->path, (enum link_kind)kind, slots, 0);
    appliance_settle(appliance);
    assert_int_equal(others.welcomed, welcome);
    assert_int_equal(others.ended, !welcome);
    appliance_lose(appliance, &others);
}

static void test_wrong_hello(void **state)
{
    struct appliance *appliance = *state;

    hello(appliance, LINK_KIND_SCANNER, 0, false);
    hello(appliance, LINK_KIND_SCANNER, APPLIANCE_SCANNERS + 1, false);
    hello(appliance, LINK_KIND_SCANNER, UINT32_MAX, false);
    assert_int_equal(appliance_count(appliance, COUNTER_PEERS_REFUSED), 2 * APPLIANCE_WORKERS);
    hello(appliance, LINK_KIND_CONTROL, 0, false);
    hello(appliance, LINK_KIND_CONTROL, 2, false);
    hello(appliance, 0, 1, false);
    hello(appliance, LINK_KIND_SUPERVISOR, 1, false);
    hello(appliance, 4, 0, false);
    hello(appliance, UINT32_MAX, 1, false);
    hello(appliance, LINK_KIND_CONTROL, 1, true);
    hello(appliance, LINK_KIND_SCANNER, 1, true);
}

static void breaks(struct appliance *appliance, enum link_type type, uint32_t slot)
{
    appliance_scanners(appliance, &scanners, 2);
    assert_false(scanners.ended);
    peer_say(&scanners, type, slot, 1, "");
    appliance_settle(appliance);
    assert_true(scanners.ended);
    for (uint32_t i = 0; i < appliance->peers.slot_count; i++)
        assert_int_equal(appliance_state(appliance, i), PEER_ABSENT);
    appliance_lose(appliance, &scanners);
}

static void test_wrong_messages(void **state)
{
    struct appliance *appliance = *state;

    breaks(appliance, LINK_HELLO, 0);
    breaks(appliance, LINK_WELCOME, 0);
    breaks(appliance, LINK_CHANNEL, 0);
    breaks(appliance, LINK_KILL, 0);
    breaks(appliance, (enum link_type)0, 0);
    breaks(appliance, (enum link_type)99, 0);
    breaks(appliance, LINK_READY, 2); /* not its own slots */
    breaks(appliance, LINK_GONE, APPLIANCE_SCANNERS);
    breaks(appliance, LINK_GONE, UINT32_MAX);
}

/* Control may not speak for scanners. */
static void test_control_keeps_to_its_slot(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, 1);
    appliance_control(appliance, &control);
    peer_say(&control, LINK_GONE, 1, 1, "");
    appliance_settle(appliance);
    assert_true(control.ended);
    assert_int_equal(appliance_state(appliance, 0), PEER_READY);
    appliance_lose(appliance, &control);
    appliance_control(appliance, &control);
    peer_say(&control, LINK_GONE, 0, control.slots[0].epoch, "restarting");
    appliance_settle(appliance);
    assert_false(control.ended);
    assert_int_equal(control.slots[0].epoch, 3);
    assert_int_equal(appliance_state(appliance, peers_control(&appliance->peers)), PEER_READY);
    assert_int_equal(appliance_state(appliance, 0), PEER_READY);
}

/* As many messages as the socket takes, again and again: a bounded number a poll, and the other
 * peer is served in between. */
static void test_flood(void **state)
{
    struct appliance *appliance = *state;
    struct link_message message = {.type = LINK_READY, .slot = 0, .epoch = 77};
    unsigned sent = 0;

    appliance_scanners(appliance, &scanners, 1);
    for (unsigned round = 0; round < 20; round++) {
        unsigned taken = 0;

        while (link_send(scanners.fd, &message, -1) == STATUS_OK)
            sent++;
        if (round == 10) {
            appliance_control(appliance, &control);
            assert_true(control.welcomed);
            continue;
        }
        peers_server_poll(appliance->server, appliance->now_ns);
        while (link_send(scanners.fd, &message, -1) == STATUS_OK)
            taken++;
        sent += taken;
        assert_in_range(taken, 1, 64);
    }
    assert_true(sent > 1000);
    assert_false(scanners.ended);
    message = (struct link_message){.type = LINK_GONE, .slot = 0, .epoch = 1};
    while (link_send(scanners.fd, &message, -1) != STATUS_OK) /* and then it gets through */
        peers_server_poll(appliance->server, appliance->now_ns);
    while (scanners.slots[0].epoch == 1)
        appliance_settle(appliance);
}

/* Deaths without end: each is one round, and no memory stays behind. */
static void test_many_lives(void **state)
{
    struct appliance *appliance = *state;

    appliance_scanners(appliance, &scanners, 4);
    for (uint32_t life = 1; life <= 300; life++) {
        assert_int_equal(scanners.slots[life % 4].epoch, (life - 1) / 4 + 1);
        peer_gone(&scanners, life % 4);
        appliance_settle(appliance);
    }
    for (uint32_t slot = 0; slot < 4; slot++)
        assert_int_equal(appliance_state(appliance, slot), PEER_READY);
}

/* Descriptors that a peer sends are closed; fini counts them. */
static void test_unasked_descriptors(void **state)
{
    struct appliance *appliance = *state;
    struct link_message message = {.type = LINK_READY, .slot = 0, .epoch = 1};

    appliance_scanners(appliance, &scanners, 1);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(link_send(scanners.fd, &message, STDIN_FILENO), STATUS_OK);
        appliance_settle(appliance);
    }
    assert_false(scanners.ended);
    message.type = LINK_HELLO; /* and with one that ends the link */
    assert_int_equal(link_send(scanners.fd, &message, STDIN_FILENO), STATUS_OK);
    appliance_settle(appliance);
    assert_true(scanners.ended);
}

/* More links than there is room for wait outside, and come in when others have gone. */
static void test_too_many_links(void **state)
{
    struct appliance *appliance = *state;
    int idle[16];

    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(link_connect(appliance->path, &idle[i]), STATUS_OK);
    appliance_settle(appliance);
    appliance_scanners(appliance, &scanners, 1);
    assert_false(scanners.welcomed);
    assert_false(scanners.ended);
    close(idle[0]);
    appliance_settle(appliance);
    assert_true(scanners.welcomed);
    for (unsigned i = 1; i < 16; i++)
        close(idle[i]);
    appliance_settle(appliance);
}

/* A parent that does not read its link is let go when there is something it must be told. */
static void test_parent_that_does_not_read(void **state)
{
    struct appliance *appliance = *state;
    unsigned lives = 0;

    appliance_scanners(appliance, &scanners, 1);
    appliance->attached[0] = NULL; /* nobody hears from here on */
    while (appliance_state(appliance, 0) != PEER_ABSENT) {
        assert_true(lives++ < 100000);
        peer_say(&scanners, LINK_GONE, 0, lives, "");
        appliance_settle(appliance);
    }
    assert_true(lives > 10);
    appliance_lose(appliance, &scanners);
}

/* Says hello as another user; exit code 1 when welcomed, 2 when dropped. */
static void child_hello(const char *path, enum link_kind kind)
{
    static struct peer peer;

    if (setgid(65534) != 0 || setuid(65534) != 0)
        _exit(9);
    peer_connect(&peer, path, kind, kind == LINK_KIND_SUPERVISOR ? 0 : 1, 0);
    for (unsigned i = 0; i < 2000 && !peer.welcomed && !peer.ended; i++) {
        peer_hear(&peer);
        usleep(1000);
    }
    _exit(peer.welcomed ? 1 : (peer.ended ? 2 : 3));
}

static int as_nobody(struct appliance *appliance, enum link_kind kind)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        child_hello(appliance->path, kind);
    while (waitpid(child, &status, WNOHANG) == 0) {
        appliance_settle(appliance);
        usleep(1000);
    }
    appliance_settle(appliance);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Control's user may be control, and may not see mail as a scanner. */
static void test_who_may_be_what(void **state)
{
    struct appliance *appliance = *state;

    if (geteuid() != 0) {
        print_message("SKIPPED: not root: whether control's user may pose as a scanner was not "
                      "tested\n");
        skip();
    }
    assert_int_equal(as_nobody(appliance, LINK_KIND_CONTROL), 1);
    assert_int_equal(as_nobody(appliance, LINK_KIND_SCANNER), 2);
    assert_int_equal(as_nobody(appliance, LINK_KIND_SUPERVISOR), 2);
}

#define HANDOVER_TEST(test) \
    cmocka_unit_test_setup_teardown(test, appliance_set_up, appliance_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANDOVER_TEST(test_life_of_a_slot),
        HANDOVER_TEST(test_every_worker_lets_go),
        HANDOVER_TEST(test_a_life_unseen),
        HANDOVER_TEST(test_two_parents_serve),
        HANDOVER_TEST(test_parent_without_room_waits),
        HANDOVER_TEST(test_candidate),
        HANDOVER_TEST(test_order_without_candidate),
        HANDOVER_TEST(test_candidate_stands_in),
        HANDOVER_TEST(test_candidate_goes),
        HANDOVER_TEST(test_control_and_scanners_do_not_wait_for_each_other),
        HANDOVER_TEST(test_news_of_other_lives),
        HANDOVER_TEST(test_what_a_scanner_has_loaded),
        HANDOVER_TEST(test_wrong_hello),
        HANDOVER_TEST(test_wrong_messages),
        HANDOVER_TEST(test_control_keeps_to_its_slot),
        HANDOVER_TEST(test_flood),
        HANDOVER_TEST(test_many_lives),
        HANDOVER_TEST(test_unasked_descriptors),
        HANDOVER_TEST(test_too_many_links),
        HANDOVER_TEST(test_parent_that_does_not_read),
        HANDOVER_TEST(test_who_may_be_what),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
