/* Who gives its place up when there is none: who is slow of late, not who has been there for long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/smtp/state.h"
#include "tests/unit/handover/appliance.h"

#define SECOND_NS INT64_C(1000000000)
#define SENDERS   3u

enum { STEADY, STALLED, TRICKLE };

struct crowd {
    struct appliance *appliance;
    struct tcp_connection *senders[SENDERS];
    struct message *others[APPLIANCE_SLOTS];
    unsigned other_count;
};

static void line(struct tcp_connection *sender, unsigned bytes)
{
    static char text[8193];

    assert_true(bytes >= 3 && bytes < sizeof(text));
    memset(text, 'x', bytes - 2);
    memcpy(text + bytes - 2, "\r\n", 3);
    sender_say(sender, text);
}

static struct tcp_connection *begin(struct crowd *crowd, uint64_t prefix)
{
    struct tcp_connection *sender = sender_open(&crowd->appliance->workers[0].endpoint);

    sender->prefix = prefix;
    sender_say(sender, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@defer.example>\r\n");
    return sender;
}

/* Every slot but `free` ones is of one that has to wait for room: nobody may shed it. */
static void occupy(struct crowd *crowd, unsigned free)
{
    struct store *store = &crowd->appliance->workers[0].store;

    while (store->free_slot_count > free) {
        struct message *message = message_take(store);

        message->admission.since_ns = 1;
        crowd->others[crowd->other_count++] = message;
    }
}

static void leave(struct crowd *crowd)
{
    while (crowd->other_count > 0)
        message_give(&crowd->appliance->workers[0].store, crowd->others[--crowd->other_count]);
}

/* A look goes over a part of the slots only: from the first one, where the three are. */
static void look_from_the_first(struct crowd *crowd)
{
    crowd->appliance->workers[0].smtp.shed_cursor = 0;
}

/* Three in the middle of their data: one steady for long, one that sent most of its in the first
 * seconds and no more, one that trickles. Returns the time when a fourth asks. */
static void make_senders(struct crowd *crowd)
{
    struct appliance *appliance = crowd->appliance;

    appliance->config.limits.message_bytes = 4u << 20;
    for (unsigned i = 0; i < SENDERS; i++) {
        crowd->senders[i] = begin(crowd, 0xc0000200 + 0x100 * i);
        sender_say(crowd->senders[i], "DATA\r\n");
        assert_non_null(strstr(sender_heard(crowd->senders[i]), "\r\n354 "));
    }
    occupy(crowd, 0);
    for (unsigned second = 0; second < 60; second++) {
        appliance->now_ns += SECOND_NS;
        for (unsigned piece = 0; piece < 3; piece++) {
            line(crowd->senders[STEADY], 8000);
            if (second < 20) {
                line(crowd->senders[STALLED], 8000);
                line(crowd->senders[STALLED], 8000);
            }
        }
        line(crowd->senders[TRICKLE], 2000);
    }
}

static bool was_shed(struct crowd *crowd, unsigned number)
{
    return strncmp(sender_heard(crowd->senders[number]), "421 4.3.2 ", 10) == 0;
}

static void test_slow_of_late(void **state)
{
    struct crowd crowd = {.appliance = *state};
    struct tcp_connection *sender;

    make_senders(&crowd);
    /* Over its whole time the stalled one was twice as fast as the steady one needed to be. */
    sender = begin(&crowd, 0xc6336401);
    assert_non_null(strstr(sender_heard(sender), "250 2.1.5 "));
    assert_true(was_shed(&crowd, STALLED));
    assert_int_equal(appliance_count(crowd.appliance, COUNTER_SENDERS_SHED), 1);
    look_from_the_first(&crowd);
    sender = begin(&crowd, 0xc6336501);
    assert_non_null(strstr(sender_heard(sender), "250 2.1.5 "));
    assert_true(was_shed(&crowd, TRICKLE));
    /* The steady one stays, and so do those that have just come. */
    look_from_the_first(&crowd);
    sender = begin(&crowd, 0xc6336601);
    assert_non_null(strstr(sender_heard(sender), "452 4.3.1 "));
    assert_int_equal(appliance_count(crowd.appliance, COUNTER_SENDERS_SHED), 2);
    assert_string_equal(sender_heard(crowd.senders[STEADY]), "");
    sender_say(crowd.senders[STEADY], ".\r\n");
    leave(&crowd);
}

/* Only those that hold what is waited for: small mail, however slow, has nothing of it. */
static void test_not_for_nothing(void **state)
{
    struct crowd crowd = {.appliance = *state};
    struct smtp_server *server = &crowd.appliance->workers[0].smtp;
    struct tcp_connection *sender;
    struct smtp_call call = {.server = server};

    make_senders(&crowd);
    leave(&crowd);
    sender = begin(&crowd, 0xc6336401);
    call.stream = tcp_session(sender);
    call.session = stream_session(call.stream);
    call.now_ns = crowd.appliance->now_ns;
    /* The trickle's first share is of the small part; the stalled one grew beyond it. */
    assert_true(smtp_shed(&call, SMTP_SHED_FOR_ROOM));
    assert_true(was_shed(&crowd, STALLED));
    look_from_the_first(&crowd);
    assert_false(smtp_shed(&call, SMTP_SHED_FOR_ROOM));
    look_from_the_first(&crowd);
    assert_true(smtp_shed(&call, SMTP_SHED_FOR_ANY));
    assert_true(was_shed(&crowd, TRICKLE));
    look_from_the_first(&crowd);
    assert_false(smtp_shed(&call, SMTP_SHED_FOR_ANY));
}

/* So much of the part for large mail is held by one more that nothing can be said of, that `blocks`
 * announced ones just do not fit. */
static void fill_up_to(struct admission *admission, struct admission_entry *other, uint32_t blocks)
{
    const struct admission_entry *oldest = admission->growing.first;
    uint32_t small_left = admission->small_capacity - admission->small_granted;
    uint32_t left = admission->capacity - admission->granted - small_left;
    struct admission_request request = {.sure = true};

    assert_non_null(oldest);
    request.blocks = left - (oldest->claim - oldest->granted) - (blocks - 1);
    request.claim = request.blocks;
    assert_true(admission_enter(admission, other, &request, 1));
}

/* Who announced much and has waited for a second: 354, and the slow one's room is its own. */
static void test_who_waits_makes_room(void **state)
{
    struct crowd crowd = {.appliance = *state};
    struct smtp_server *server = &crowd.appliance->workers[0].smtp;
    struct admission_entry other = {0};
    struct tcp_connection *sender;
    struct smtp_call call = {.server = server};

    make_senders(&crowd);
    leave(&crowd);
    crowd.appliance->config.limits.admission_wait_ns = 30 * SECOND_NS;
    sender = sender_open(&crowd.appliance->workers[0].endpoint);
    sender->prefix = 0xc6336401;
    fill_up_to(&server->store->admission, &other, smtp_admit_blocks(&call, 3000000));
    sender_say(sender,
               "MAIL FROM:<a@b.example> SIZE=3000000\r\nRCPT TO:<c@defer.example>\r\nDATA\r\n");
    assert_null(strstr(sender_heard(sender), "\r\n354 "));
    assert_int_equal(appliance_count(crowd.appliance, COUNTER_ADMISSION_WAITS), 1);
    call.stream = tcp_session(sender);
    call.session = stream_session(call.stream);
    call.now_ns = crowd.appliance->now_ns + SMTP_SHED_AFTER_NS - 1;
    smtp_admit_again(&call);
    assert_int_equal(appliance_count(crowd.appliance, COUNTER_SENDERS_SHED), 0);
    call.now_ns++;
    smtp_admit_again(&call);
    assert_true(was_shed(&crowd, STALLED));
    assert_int_equal(strncmp(sender_heard(sender), "354 ", 4), 0);
    assert_int_equal(appliance_count(crowd.appliance, COUNTER_SENDERS_SHED), 1);
    admission_leave(&server->store->admission, &other);
}

/* All of the small part is one more's that nothing can be said of, and counts as `client`'s. */
static void fill_small(struct admission *admission, struct admission_entry *other,
                       struct admission_client *client)
{
    struct admission_request request = {.sure = true, .small = true, .client = {client}};

    request.blocks = admission->small_capacity - admission->small_granted;
    request.claim = request.blocks;
    assert_true(admission_enter(admission, other, &request, 1));
}

/* Who waits for a first share makes room of small mail as well: but not because of what its own
 * client holds. */
static void test_who_waits_for_a_share(void **state)
{
    struct crowd crowd = {.appliance = *state};
    struct smtp_server *server = &crowd.appliance->workers[0].smtp;
    struct admission *admission = &server->store->admission;
    struct admission_entry large = {0};
    struct admission_entry small = {0};
    struct smtp_call call = {.server = server};
    struct tcp_connection *sender;

    make_senders(&crowd);
    leave(&crowd);
    crowd.appliance->config.limits.admission_wait_ns = 30 * SECOND_NS;
    sender_say(crowd.senders[STALLED], ".\r\n");
    for (unsigned second = 0; second < 30; second++) {
        crowd.appliance->now_ns += SECOND_NS;
        line(crowd.senders[STEADY], 8000);
    }
    sender = begin(&crowd, 0xc6336401);
    call.stream = tcp_session(sender);
    call.session = stream_session(call.stream);
    fill_up_to(admission, &large, 1);
    fill_small(admission, &small,
               senders_client(&server->store->senders, &call.session->message->place, 0));
    sender_say(sender, "DATA\r\n");
    assert_null(strstr(sender_heard(sender), "\r\n354 "));
    call.now_ns = crowd.appliance->now_ns + SMTP_SHED_AFTER_NS;
    smtp_admit_again(&call);
    assert_int_equal(appliance_count(crowd.appliance, COUNTER_SENDERS_SHED), 0);
    admission_leave(admission, &small);
    fill_small(admission, &small, NULL);
    look_from_the_first(&crowd);
    smtp_admit_again(&call);
    assert_int_equal(strncmp(sender_heard(sender), "354 ", 4), 0);
    assert_true(was_shed(&crowd, TRICKLE));
    assert_int_equal(appliance_count(crowd.appliance, COUNTER_SENDERS_SHED), 1);
    admission_leave(admission, &small);
    admission_leave(admission, &large);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, appliance_set_up, appliance_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slow_of_late),
        TEST(test_not_for_nothing),
        TEST(test_who_waits_makes_room),
        TEST(test_who_waits_for_a_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
