#include "dataplane/policy/decide.h"

#include <stddef.h>

#include "platform/check.h"

/* The verdict, from whoever has one. */
static enum verdict_kind decide_verdict(const struct policy_facts *facts,
                                        enum unscannable_reason *reason)
{
    *reason = UNSCANNABLE_NONE;
    if (facts->verdict == VERDICT_UNSCANNABLE) {
        *reason = facts->reason;
        return VERDICT_UNSCANNABLE;
    }
    if (facts->verdict != 0 || !facts->vouched)
        return facts->verdict;
    switch (facts->inspected) {
    case INSPECT_SETTLED:
        return VERDICT_CLEAN;
    case INSPECT_CACHED:
        return facts->cached;
    case INSPECT_UNDECIDED:
    case INSPECT_SENT_ON:
        break;
    }
    return 0;
}

enum config_reason policy_reason(enum unscannable_reason reason)
{
    switch (reason) {
    case UNSCANNABLE_ENCRYPTED:
        return CONFIG_REASON_ENCRYPTED_ARCHIVE;
    case UNSCANNABLE_ENCRYPTED_MAIL:
        return CONFIG_REASON_ENCRYPTED_MAIL;
    case UNSCANNABLE_ENCRYPTED_DOCUMENT:
        return CONFIG_REASON_ENCRYPTED_DOCUMENT;
    case UNSCANNABLE_MALFORMED:
        return CONFIG_REASON_MALFORMED;
    case UNSCANNABLE_UNSUPPORTED:
        return CONFIG_REASON_UNSUPPORTED;
    case UNSCANNABLE_PARTIAL:
        return CONFIG_REASON_PARTIAL;
    case UNSCANNABLE_LIMIT:
        return CONFIG_REASON_LIMIT;
    case UNSCANNABLE_NONE:
    case UNSCANNABLE_TIME:
    case UNSCANNABLE_NO_ENGINE:
    case UNSCANNABLE_ENGINE_ERROR:
    case UNSCANNABLE_SCANNER_DIED:
    case UNSCANNABLE_BAD_ANSWER:
    case UNSCANNABLE_BUSY:
    case UNSCANNABLE_COUNT:
        break;
    }
    return CONFIG_REASON_FAILED;
}

static enum policy_action decide_unscannable(const struct policy_facts *facts,
                                             enum unscannable_reason reason)
{
    if (facts->held || facts->unscannable == NULL)
        return POLICY_DEFER;
    switch (facts->unscannable[policy_reason(reason)]) {
    case CONFIG_POLICY_REJECT:
        return POLICY_REJECT;
    case CONFIG_POLICY_DELIVER:
        /* Without time left there is none to relay in: then even what may be delivered has to come
         * again, for want of a scanner most of the time. */
        return facts->time_left ? POLICY_RELAY_TAGGED : POLICY_DEFER;
    case CONFIG_POLICY_DEFER:
        break;
    }
    return POLICY_DEFER;
}

struct policy_decision policy_decide(const struct policy_facts *facts)
{
    struct policy_decision decision = {.action = POLICY_SCAN};

    CHECK(!facts->held || facts->verdict == VERDICT_UNSCANNABLE);
    decision.verdict = decide_verdict(facts, &decision.reason);
    switch (decision.verdict) {
    case VERDICT_CLEAN:
        decision.action = POLICY_RELAY;
        break;
    case VERDICT_INFECTED:
        decision.action = POLICY_REJECT;
        decision.outcome = MAIL_INFECTED;
        break;
    case VERDICT_UNSCANNABLE:
        CHECK(decision.reason != UNSCANNABLE_NONE);
        decision.action = decide_unscannable(facts, decision.reason);
        decision.outcome = MAIL_UNSCANNABLE;
        break;
    default: /* none yet */
        break;
    }
    return decision;
}

enum mail_outcome policy_relay_outcome(const struct relay_result *answer)
{
    if (answer->outcome != RELAY_ANSWERED)
        return MAIL_NO_RELAY;
    if (answer->code < 300)
        return MAIL_DELIVERED;
    return answer->code < 500 ? MAIL_RELAY_TEMPORARY : MAIL_RELAY_PERMANENT;
}

bool policy_relay_valid(const struct relay_result *answer)
{
    bool final =
        (answer->code >= 200 && answer->code < 300) || (answer->code >= 400 && answer->code < 600);

    return answer->outcome >= RELAY_ANSWERED && answer->outcome <= RELAY_REFUSED && final &&
           (answer->outcome == RELAY_ANSWERED || answer->code >= 400);
}
