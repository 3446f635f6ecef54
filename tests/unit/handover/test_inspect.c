/* Messages before the prefilter: settled, sent on, and never settled for engines it does not speak
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/handover/appliance.h"
#include "tests/unit/inspect/rig.h"

static struct peer scanners;
static struct peer control;
static struct rig rig;

/* A prefilter with one signature, in use by worker 0. */
static void begin(struct appliance *appliance, const char *fragment)
{
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_RAW | PREFILTER_TEXT, 1, fragment);
    rig_open(&rig);
    handover_use_prefilter(&appliance->workers[0].handover, rig.inspector, NULL, NULL);
}

/* What a scanner with the prefilter's database says of itself, but for what `spoil` does to it. */
static struct link_identity identity_of(void (*spoil)(struct link_identity *identity))
{
    struct link_identity identity = {.profile = PREFILTER_PROFILE,
                                     .recursion_max = 18,
                                     .files_max = 1000000,
                                     .scan_bytes = UINT64_C(1) << 40};

    memcpy(identity.database, rig.prefilter.header->database, sizeof(identity.database));
    memcpy(identity.library, PREFILTER_LIBRARY, sizeof(PREFILTER_LIBRARY));
    if (spoil != NULL)
        spoil(&identity);
    return identity;
}

static void connect_scanners(struct appliance *appliance, uint32_t count,
                             void (*spoil)(struct link_identity *identity))
{
    appliance_scanners(appliance, &scanners, count);
    scanners.identity = identity_of(spoil);
    /* Their next lives say so. */
    for (uint32_t slot = 0; slot < count; slot++)
        peer_gone(&scanners, slot);
    appliance_settle(appliance);
}

static void spoil_database(struct link_identity *identity)
{
    identity->database[31] ^= 1;
}

static void spoil_library(struct link_identity *identity)
{
    identity->library[4] = '7';
}

static void spoil_profile(struct link_identity *identity)
{
    identity->profile++;
}

static void spoil_limit(struct link_identity *identity)
{
    identity->scan_bytes = 1000;
}

static void end(struct appliance *appliance)
{
    handover_use_prefilter(&appliance->workers[0].handover, NULL, NULL, NULL);
    rig_close(&rig);
}

/* Control hears of the message, and the customer takes it. */
static void deliver(struct appliance *appliance, struct tcp_connection *sender)
{
    struct relay_job job;
    struct relay_result result;

    assert_true(peer_relay(&control, 0, &job));
    assert_int_equal(job.verdict, VERDICT_CLEAN);
    result = peer_relayed(&job, RELAY_ANSWERED, 250, "2.0.0 Ok");
    peer_answer_relay(&control, 0, &result);
    appliance_settle(appliance);
    appliance_expect(sender, "250 2.0.0 [");
}

/* A scanner has a job of worker 0, and answers it. */
static void answer(struct appliance *appliance, enum verdict_kind verdict, const char *name)
{
    struct scan_job job;
    struct scan_result result;
    uint32_t slot = 0;

    while (slot < APPLIANCE_SCANNERS && !peer_scan(&scanners, slot, 0, &job))
        slot++;
    assert_true(slot < APPLIANCE_SCANNERS);
    result = peer_result(&job, verdict, UNSCANNABLE_NONE, name);
    peer_answer(&scanners, slot, 0, &result);
    appliance_settle(appliance);
}

static void test_settled(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;

    begin(appliance, "neverinthismail");
    connect_scanners(appliance, 2, NULL);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    deliver(appliance, sender);
    assert_int_equal(appliance_count(appliance, COUNTER_SCAN_JOBS), 0);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 1);
    assert_string_equal(appliance_record(appliance)->decided_by, "prefilter");
    assert_string_equal(appliance_record(appliance)->sent_on, "");
    assert_string_equal(appliance_record(appliance)->engine, PEER_ENGINE);
    end(appliance);
}

static void test_sent_on(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;

    begin(appliance, "thebody.");
    connect_scanners(appliance, 2, NULL);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    answer(appliance, VERDICT_CLEAN, "");
    deliver(appliance, sender);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SENT_ON), 1);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_BY_SIGNATURE), 1);
    assert_string_equal(appliance_record(appliance)->decided_by, "scanner");
    assert_string_equal(appliance_record(appliance)->sent_on, "signature: Test.Vile");
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    answer(appliance, VERDICT_INFECTED, "Test.Vile");
    appliance_expect(sender, "554 5.7.1 [");
    end(appliance);
}

/* One scanner with another database, library or limits is enough. */
static void test_not_vouched(void **state)
{
    struct appliance *appliance = *state;

    static void (*const spoils[])(struct link_identity *) = {spoil_database, spoil_library,
                                                             spoil_profile, spoil_limit};

    for (unsigned i = 0; i < 4; i++) {
        struct tcp_connection *sender;

        begin(appliance, "neverinthismail");
        connect_scanners(appliance, 2, spoils[i]);
        appliance_control(appliance, &control);
        sender = appliance_mail(appliance, 0, "defer.example");
        appliance_settle(appliance);
        answer(appliance, VERDICT_CLEAN, "");
        deliver(appliance, sender);
        assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 0);
        assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_ABSENT), i + 1);
        assert_string_equal(appliance_record(appliance)->sent_on,
                            "no prefilter: the scanners have another database");
        end(appliance);
        appliance_lose(appliance, &scanners);
        appliance_lose(appliance, &control);
    }
}

/* Nobody has said which signatures count: the mail waits. */
static void test_no_scanner(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;

    begin(appliance, "neverinthismail");
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    appliance_silent(sender);
    connect_scanners(appliance, 1, NULL);
    answer(appliance, VERDICT_CLEAN, "");
    deliver(appliance, sender);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 0);
    end(appliance);
}

/* No scanner yet, and the first ones will have the prefilter's database: mail it settles does not
 * wait for them. Once one has been ready, only what scanners say counts. */
static void test_expected(void **state)
{
    struct appliance *appliance = *state;
    struct handover *handover = &appliance->workers[0].handover;
    struct link_identity expected;
    struct tcp_connection *sender;

    begin(appliance, "neverinthismail");
    expected = identity_of(NULL);
    handover_use_prefilter(handover, rig.inspector, NULL, &expected);
    appliance_control(appliance, &control);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    deliver(appliance, sender);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 1);
    assert_string_equal(appliance_record(appliance)->engine, "ClamAV " PREFILTER_LIBRARY);
    connect_scanners(appliance, 1, spoil_database);
    appliance_lose(appliance, &scanners);
    handover_use_prefilter(handover, rig.inspector, NULL, &expected);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    appliance_silent(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 1);
    end(appliance);
}

/* ... and not when they will have something else, or it is not known what. */
static void test_not_expected(void **state)
{
    struct appliance *appliance = *state;
    static void (*const spoils[])(struct link_identity *) = {spoil_database, spoil_library,
                                                             spoil_profile, spoil_limit};
    struct tcp_connection *sender;

    begin(appliance, "neverinthismail");
    appliance_control(appliance, &control);
    for (unsigned i = 0; i <= 4; i++) {
        struct link_identity expected = i < 4 ? identity_of(spoils[i]) : (struct link_identity){0};

        handover_use_prefilter(&appliance->workers[0].handover, rig.inspector, NULL, &expected);
        sender = appliance_mail(appliance, 0, "defer.example");
        appliance_settle(appliance);
        appliance_silent(sender);
    }
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 0);
    connect_scanners(appliance, 1, NULL);
    end(appliance);
}

/* While the scanners start anew, what the prefilter settles does not wait for them; until one has
 * another database. */
static void test_scanners_away(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;

    begin(appliance, "neverinthismail");
    connect_scanners(appliance, 2, NULL);
    appliance_control(appliance, &control);
    appliance_lose(appliance, &scanners);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    deliver(appliance, sender);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 1);
    assert_string_equal(appliance_record(appliance)->engine, PEER_ENGINE);
    connect_scanners(appliance, 2, spoil_database);
    appliance_lose(appliance, &scanners);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    appliance_silent(sender);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_SETTLED), 1);
    end(appliance);
}

/* Taken out of use and back. */
static void test_switched(void **state)
{
    struct appliance *appliance = *state;
    struct tcp_connection *sender;

    begin(appliance, "thebody.");
    connect_scanners(appliance, 1, NULL);
    appliance_control(appliance, &control);
    handover_use_prefilter(&appliance->workers[0].handover, NULL, NULL, NULL);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    answer(appliance, VERDICT_CLEAN, "");
    deliver(appliance, sender);
    assert_int_equal(appliance_count(appliance, COUNTER_PREFILTER_ABSENT), 1);
    assert_string_equal(appliance_record(appliance)->sent_on, "no prefilter");
    handover_use_prefilter(&appliance->workers[0].handover, rig.inspector, NULL, NULL);
    sender = appliance_mail(appliance, 0, "defer.example");
    appliance_settle(appliance);
    answer(appliance, VERDICT_INFECTED, "Test.Vile");
    appliance_expect(sender, "554 5.7.1 [");
    end(appliance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_settled, appliance_set_up, appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_sent_on, appliance_set_up, appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_not_vouched, appliance_set_up, appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_no_scanner, appliance_set_up, appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_expected, appliance_set_up, appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_not_expected, appliance_set_up, appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_scanners_away, appliance_set_up, appliance_tear_down),
        cmocka_unit_test_setup_teardown(test_switched, appliance_set_up, appliance_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
