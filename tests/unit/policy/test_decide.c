/* Every combination of facts, against a table in which exactly one line speaks for each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/policy/decide.h"

#define BIT(value) (1u << (value))
#define ANY        (~0u)
#define NO         BIT(0)
#define YES        BIT(1)

#define NOT_SETTLED (BIT(INSPECT_UNDECIDED) | BIT(INSPECT_SENT_ON))
#define SETTLED     BIT(INSPECT_SETTLED)
#define CACHED      BIT(INSPECT_CACHED)

#define NONE        BIT(0)
#define CLEAN       BIT(VERDICT_CLEAN)
#define INFECTED    BIT(VERDICT_INFECTED)
#define UNSCANNABLE BIT(VERDICT_UNSCANNABLE)

#define DEFER   BIT(CONFIG_POLICY_DEFER)
#define REJECT  BIT(CONFIG_POLICY_REJECT)
#define DELIVER BIT(CONFIG_POLICY_DELIVER)

enum reason { NO_REASON, ITS_REASON };

/* The line holds where every fact is among its bits. */
static const struct {
    unsigned verdict;
    unsigned inspected;
    unsigned vouched;
    unsigned cached;
    unsigned policy;
    unsigned time_left;
    unsigned held;
    enum policy_action action;
    enum verdict_kind becomes;
    enum reason reason;
} lines[] = {
    /* Before a scan: only what is settled or known, and vouched for, needs none. */
    {NONE, ANY, NO, ANY, ANY, ANY, NO, POLICY_SCAN, 0, NO_REASON},
    {NONE, NOT_SETTLED, YES, ANY, ANY, ANY, NO, POLICY_SCAN, 0, NO_REASON},
    {NONE, SETTLED, YES, ANY, ANY, ANY, NO, POLICY_RELAY, VERDICT_CLEAN, NO_REASON},
    {NONE, CACHED, YES, CLEAN, ANY, ANY, NO, POLICY_RELAY, VERDICT_CLEAN, NO_REASON},
    {NONE, CACHED, YES, INFECTED, ANY, ANY, NO, POLICY_REJECT, VERDICT_INFECTED, NO_REASON},
    /* A scanner's verdict counts, whatever the prefilter thought. */
    {CLEAN, ANY, ANY, ANY, ANY, ANY, NO, POLICY_RELAY, VERDICT_CLEAN, NO_REASON},
    {INFECTED, ANY, ANY, ANY, ANY, ANY, NO, POLICY_REJECT, VERDICT_INFECTED, NO_REASON},
    {UNSCANNABLE, ANY, ANY, ANY, DEFER, ANY, NO, POLICY_DEFER, VERDICT_UNSCANNABLE, ITS_REASON},
    {UNSCANNABLE, ANY, ANY, ANY, REJECT, ANY, NO, POLICY_REJECT, VERDICT_UNSCANNABLE, ITS_REASON},
    {UNSCANNABLE, ANY, ANY, ANY, DELIVER, YES, NO, POLICY_RELAY_TAGGED, VERDICT_UNSCANNABLE,
     ITS_REASON},
    {UNSCANNABLE, ANY, ANY, ANY, DELIVER, NO, NO, POLICY_DEFER, VERDICT_UNSCANNABLE, ITS_REASON},
    /* While a peer still reads it nobody knows. */
    {UNSCANNABLE, ANY, ANY, ANY, ANY, ANY, YES, POLICY_DEFER, VERDICT_UNSCANNABLE, ITS_REASON},
};

static bool line_holds(size_t line, const struct policy_facts *facts)
{
    return (lines[line].verdict & BIT(facts->verdict)) != 0 &&
           (lines[line].inspected & BIT(facts->inspected)) != 0 &&
           (lines[line].vouched & BIT(facts->vouched)) != 0 &&
           (lines[line].cached & BIT(facts->cached)) != 0 &&
           (lines[line].policy & BIT(facts->unscannable[0])) != 0 &&
           (lines[line].time_left & BIT(facts->time_left)) != 0 &&
           (lines[line].held & BIT(facts->held)) != 0;
}

static enum unscannable_reason line_reason(size_t line, const struct policy_facts *facts)
{
    return lines[line].reason == ITS_REASON ? facts->reason : UNSCANNABLE_NONE;
}

static void check_rules(const struct policy_facts *facts, const struct policy_decision *decision)
{
    bool relayed = decision->action == POLICY_RELAY || decision->action == POLICY_RELAY_TAGGED;

    assert_int_equal(decision->verdict == 0, decision->action == POLICY_SCAN);
    assert_int_equal(decision->verdict == VERDICT_UNSCANNABLE,
                     decision->reason != UNSCANNABLE_NONE);
    /* Nothing goes out but clean mail, and tagged mail to those who asked for it. */
    if (decision->action == POLICY_RELAY)
        assert_int_equal(decision->verdict, VERDICT_CLEAN);
    if (decision->action == POLICY_RELAY_TAGGED)
        assert_true(decision->verdict == VERDICT_UNSCANNABLE &&
                    facts->unscannable[0] == CONFIG_POLICY_DELIVER && facts->time_left);
    if (relayed)
        assert_false(facts->held);
    /* Nothing is clean that neither a scanner nor a prefilter it agrees with has called so. */
    if (decision->verdict == VERDICT_CLEAN && facts->verdict == 0)
        assert_true(facts->vouched);
    if (decision->action == POLICY_REJECT || decision->action == POLICY_DEFER)
        assert_int_equal(decision->outcome,
                         decision->verdict == VERDICT_INFECTED ? MAIL_INFECTED : MAIL_UNSCANNABLE);
}

static size_t check_facts(const struct policy_facts *facts, unsigned used[])
{
    struct policy_decision decision = policy_decide(facts);
    size_t found = 0;

    for (size_t line = 0; line < sizeof(lines) / sizeof(lines[0]); line++) {
        if (!line_holds(line, facts))
            continue;
        found++;
        used[line]++;
        assert_int_equal(decision.action, lines[line].action);
        assert_int_equal(decision.verdict, lines[line].becomes);
        assert_int_equal(decision.reason, line_reason(line, facts));
    }
    assert_int_equal(found, 1);
    check_rules(facts, &decision);
    return 1;
}

/* The rest of the facts, for a verdict and its reason. */
static size_t check_verdict(enum verdict_kind verdict, enum unscannable_reason reason,
                            unsigned used[])
{
    size_t count = 0;

    for (unsigned bits = 0; bits < 16; bits++) {
        for (unsigned inspected = INSPECT_UNDECIDED; inspected <= INSPECT_SENT_ON; inspected++) {
            for (unsigned policy = CONFIG_POLICY_DEFER; policy <= CONFIG_POLICY_DELIVER; policy++) {
                enum config_policy policies[CONFIG_REASONS];
                const struct policy_facts facts = {
                    .inspected = (enum inspect_decision)inspected,
                    .cached = (bits & 1) != 0 ? VERDICT_INFECTED : VERDICT_CLEAN,
                    .vouched = (bits & 2) != 0,
                    .verdict = verdict,
                    .reason = reason,
                    .unscannable = policies,
                    .time_left = (bits & 4) != 0,
                    .held = (bits & 8) != 0,
                };

                for (unsigned kind = 0; kind < CONFIG_REASONS; kind++)
                    policies[kind] = (enum config_policy)policy;
                if (!facts.held || verdict == VERDICT_UNSCANNABLE)
                    count += check_facts(&facts, used);
            }
        }
    }
    return count;
}

static void test_every_combination(void **state)
{
    unsigned used[sizeof(lines) / sizeof(lines[0])] = {0};
    size_t count = 0;

    (void)state;
    count += check_verdict((enum verdict_kind)0, UNSCANNABLE_NONE, used);
    count += check_verdict(VERDICT_CLEAN, UNSCANNABLE_NONE, used);
    count += check_verdict(VERDICT_INFECTED, UNSCANNABLE_NONE, used);
    for (unsigned reason = UNSCANNABLE_NONE + 1; reason < UNSCANNABLE_COUNT; reason++)
        count += check_verdict(VERDICT_UNSCANNABLE, (enum unscannable_reason)reason, used);
    /* 8 x 4 x 3 without a peer that reads, thrice; twice as many for each reason. */
    assert_int_equal(count, 3 * 96 + (UNSCANNABLE_COUNT - 1) * 192);
    for (size_t line = 0; line < sizeof(lines) / sizeof(lines[0]); line++)
        assert_true(used[line] > 0);
}

/* Each reason goes by the word the customer has for its kind, and by no other. */
static void test_each_reason_has_its_word(void **state)
{
    static const enum config_reason kinds[UNSCANNABLE_COUNT] = {
        [UNSCANNABLE_NO_ENGINE] = CONFIG_REASON_FAILED,
        [UNSCANNABLE_ENCRYPTED] = CONFIG_REASON_ENCRYPTED_ARCHIVE,
        [UNSCANNABLE_ENCRYPTED_MAIL] = CONFIG_REASON_ENCRYPTED_MAIL,
        [UNSCANNABLE_ENCRYPTED_DOCUMENT] = CONFIG_REASON_ENCRYPTED_DOCUMENT,
        [UNSCANNABLE_LIMIT] = CONFIG_REASON_LIMIT,
        [UNSCANNABLE_TIME] = CONFIG_REASON_FAILED,
        [UNSCANNABLE_ENGINE_ERROR] = CONFIG_REASON_FAILED,
        [UNSCANNABLE_SCANNER_DIED] = CONFIG_REASON_FAILED,
        [UNSCANNABLE_BAD_ANSWER] = CONFIG_REASON_FAILED,
        [UNSCANNABLE_BUSY] = CONFIG_REASON_FAILED,
        [UNSCANNABLE_MALFORMED] = CONFIG_REASON_MALFORMED,
        [UNSCANNABLE_UNSUPPORTED] = CONFIG_REASON_UNSUPPORTED,
        [UNSCANNABLE_PARTIAL] = CONFIG_REASON_PARTIAL,
    };

    (void)state;
    for (unsigned reason = UNSCANNABLE_NONE + 1; reason < UNSCANNABLE_COUNT; reason++) {
        for (unsigned kind = 0; kind < CONFIG_REASONS; kind++) {
            enum config_policy policies[CONFIG_REASONS] = {0};
            const struct policy_facts facts = {
                .inspected = INSPECT_SENT_ON,
                .verdict = VERDICT_UNSCANNABLE,
                .reason = (enum unscannable_reason)reason,
                .unscannable = policies,
                .time_left = true,
            };

            policies[kind] = CONFIG_POLICY_REJECT;
            assert_int_equal(policy_decide(&facts).action,
                             kind == kinds[reason] ? POLICY_REJECT : POLICY_DEFER);
        }
    }
}

static void test_nobody_s_mail_is_deferred(void **state)
{
    const struct policy_facts facts = {.inspected = INSPECT_SENT_ON,
                                       .verdict = VERDICT_UNSCANNABLE,
                                       .reason = UNSCANNABLE_LIMIT,
                                       .time_left = true};

    (void)state;
    assert_int_equal(policy_decide(&facts).action, POLICY_DEFER);
}

/* Every outcome and every code control might name, and some it might not. */
static void test_relay_answers(void **state)
{
    (void)state;
    for (unsigned outcome = 0; outcome < 8; outcome++) {
        for (unsigned code = 0; code < 700; code++) {
            struct relay_result answer = {.outcome = outcome, .code = code};
            bool answered = outcome == RELAY_ANSWERED;
            bool good = code >= 200 && code <= 299;
            bool bad = code >= 400 && code <= 599;

            assert_int_equal(policy_relay_valid(&answer),
                             (answered && (good || bad)) ||
                                 (outcome > RELAY_ANSWERED && outcome <= RELAY_REFUSED && bad));
            if (!policy_relay_valid(&answer))
                continue;
            assert_int_equal(policy_relay_outcome(&answer), !answered    ? MAIL_NO_RELAY
                                                            : good       ? MAIL_DELIVERED
                                                            : code < 500 ? MAIL_RELAY_TEMPORARY
                                                                         : MAIL_RELAY_PERMANENT);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_each_reason_has_its_word),
        cmocka_unit_test(test_nobody_s_mail_is_deferred),
        cmocka_unit_test(test_relay_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
