/* decide.h: what becomes of a message. The only place that maps what is known of it to an action.
 *
 *   prefilter's result, scanner's verdict, customer's policy, time  ->  action, verdict, outcome
 *
 * The worker asks when the prefilter has come to its result and again when a scanner has; `postern
 * scan` asks the same. What an action means for the message's way is the stations' business
 * (dataplane/handover/station.h), which words the sender hears is reply.h's.
 *
 * Three rules hold whatever the facts are (the unit test asks for every one of them):
 *   - nothing is relayed but what is clean, or unscannable where the customer says `deliver`;
 *   - what is proven clean or known without a scan is so only while the prefilter speaks for the
 *     scanners (`vouched`);
 *   - while a peer still reads the message, its sender is deferred: nobody knows yet.
 *
 * A new rule (a hook, a list, quarantine) is a new fact and a new action here, nowhere else.
 *
 * Threads: any; pure functions of their arguments. Hot path.
 */
#ifndef DATAPLANE_POLICY_DECIDE_H
#define DATAPLANE_POLICY_DECIDE_H

#include <stdbool.h>

#include "dataplane/smtp/session.h"
#include "platform/config/config.h"
#include "platform/link/channel.h"
#include "signatures/content/inspect/inspect.h"

enum policy_action {
    POLICY_SCAN,         /* nobody has decided: a scanner has to */
    POLICY_RELAY,        /* clean: to the customer's server */
    POLICY_RELAY_TAGGED, /* unscannable, and the customer wants it all the same */
    POLICY_REJECT,       /* 5xx: not to be tried again */
    POLICY_DEFER,        /* 4xx: the sender comes again */
};

struct policy_facts {
    enum inspect_decision inspected;       /* the prefilter's result */
    enum verdict_kind cached;              /* INSPECT_CACHED: what is known of the part in doubt */
    bool vouched;                          /* every scanner has the prefilter's database */
    enum verdict_kind verdict;             /* of a scanner, or of its failure; 0: not asked yet */
    enum unscannable_reason reason;        /* VERDICT_UNSCANNABLE */
    const enum config_policy *unscannable; /* the customer's, by enum config_reason; null: defer */
    bool time_left;                        /* enough to begin a relay */
    bool held;                             /* a peer still reads the message */
};

struct policy_decision {
    enum policy_action action;
    enum verdict_kind verdict;      /* 0 with POLICY_SCAN */
    enum unscannable_reason reason; /* UNSCANNABLE_NONE unless the verdict is unscannable */
    enum mail_outcome outcome;      /* what POLICY_REJECT and POLICY_DEFER count as */
};

struct policy_decision policy_decide(const struct policy_facts *facts);

/* What a customer's policy calls the reason: what no retry can heal has a word of its own, all that
 * is our own fault is `failed`. */
enum config_reason policy_reason(enum unscannable_reason reason);

/* What control's answer counts as. `answer` has passed policy_relay_valid(). */
enum mail_outcome policy_relay_outcome(const struct relay_result *answer);

/* Whether a relay can have ended so: a known outcome with a code that a reply can have. */
bool policy_relay_valid(const struct relay_result *answer);

#endif
