/* Messages of which something new is known: what becomes of them. The decision itself is
 * dataplane/policy/decide.h; this collects its facts and keeps what follows. See station.h. */
#include <string.h>

#include "dataplane/handover/station.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/learn.h"
#include "platform/check.h"

/* `to` ends with a zero whatever comes; longer words are cut. */
static void decide_copy_words(char *to, size_t size, const char *words)
{
    size_t length = strnlen(words, size - 1);

    memcpy(to, words, length);
    to[length] = '\0';
}

/* A verdict that no scanner gave: in the name of those it was vouched for by. */
static void decide_prefiltered(const struct handover *handover, struct message *message,
                               struct passage *passage, enum verdict_kind verdict)
{
    CHECK(handover->vouched);
    passage->inspected.verdict = verdict;
    decide_copy_words(message->engine, sizeof(message->engine), handover->vouched_engine);
    message->signatures = handover->vouched_signatures;
    if (verdict == VERDICT_INFECTED)
        decide_copy_words(message->verdict_name, sizeof(message->verdict_name),
                          passage->inspected.name);
}

static struct policy_facts decide_facts(const struct handover *handover,
                                        const struct message *message,
                                        const struct passage *passage, int64_t now_ns)
{
    return (struct policy_facts){
        .inspected = passage->inspected.decision,
        .cached = passage->inspected.verdict,
        .vouched = handover->vouched,
        .verdict = (enum verdict_kind)message->verdict,
        .reason = (enum unscannable_reason)message->reason,
        .unscannable = message->customer->config->unscannable,
        .time_left = handover_time_left(handover, message, now_ns),
        .held = message->job != 0,
    };
}

static enum station decide_start(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct passage *passage = handover_passage(handover, message);
    struct policy_facts facts = decide_facts(handover, message, passage, now_ns);
    struct policy_decision decision = policy_decide(&facts);

    if (decision.action == POLICY_SCAN) {
        message->all_readings = !passage->inspected.clear;
        return STATION_SCAN;
    }
    if (facts.verdict == 0)
        decide_prefiltered(handover, message, passage, decision.verdict);
    else
        count_add(handover->counters, COUNTER_CACHE_STORED,
                  policy_learn(handover->cache, &passage->inspected, handover->vouched,
                               facts.verdict, message->verdict_name));
    message->verdict = decision.verdict;
    message->reason = decision.reason;
    message->verdict_ns = now_ns;
    if (decision.action == POLICY_RELAY || decision.action == POLICY_RELAY_TAGGED)
        return STATION_RELAY;
    passage->result = (struct mail_result){
        .outcome = decision.outcome,
        .action = decision.action,
        .reason = decision.reason,
        .name = decision.verdict == VERDICT_INFECTED ? message->verdict_name
                                                     : unscannable_text(decision.reason),
    };
    return STATION_ANSWER;
}

const struct station_row station_decide = {.start = decide_start};
