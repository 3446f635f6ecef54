/* Messages at control: handing over, and checking the customer's answer. See station.h. */
#include <string.h>

#include "dataplane/handover/station.h"
#include "dataplane/policy/decide.h"
#include "platform/check.h"

/* The sender hears why it is not relayed, and comes again. `text` is fixed. */
static enum station relay_refuse(struct handover *handover, const struct message *message,
                                 enum mail_outcome outcome, const char *text)
{
    struct passage *passage = handover_passage(handover, message);

    passage->result = (struct mail_result){.outcome = outcome, .code = 451, .text = text};
    passage->relay = NULL;
    return STATION_ANSWER;
}

/* Nothing it says counts any more. Main ends its link, which fails what is there with 451 and lets
 * control begin anew. */
static void relay_broken(struct handover *handover)
{
    count(handover->counters, COUNTER_RELAY_BROKEN);
    handover_peer_break(handover, peers_control(handover->peers));
}

/* "clean", or "unscannable(reason)" where the policy is to deliver; every envelope has room for it.
 */
static void relay_write_envelope(struct handover *handover, struct message *message)
{
    char verdict[MESSAGE_VERDICT_BYTES] = "clean";
    enum status status;

    if (message->verdict == VERDICT_UNSCANNABLE) {
        char *at = stpcpy(verdict, "unscannable(");

        at = stpncpy(at, unscannable_text((enum unscannable_reason)message->reason), 40);
        (void)stpcpy(at, ")");
    }
    status =
        message_envelope_put(handover->store, message, ENVELOPE_VERDICT, verdict, strlen(verdict));
    CHECK(status == STATUS_OK);
    status = message_envelope_put(handover->store, message, ENVELOPE_ENGINE, message->engine,
                                  strlen(message->engine));
    CHECK(status == STATUS_OK);
}

static enum status relay_push(struct handover *handover, const struct message *message,
                              enum job_kind kind, uint64_t number)
{
    struct relay_job job = {
        .job = number,
        .message = message->index,
        .generation = message->generation,
        .length = message->shared->size,
        .verdict = message->verdict,
        .kind = kind,
        .deadline_ns = message->received_ns + handover->verdict_limit_ns,
        .signatures = message->signatures,
    };

    return ring_push(&handover->slots[peers_control(handover->peers)].channel.jobs, &job);
}

/* Tells control that nobody waits for the answer any more: a "no" to the sender, or its leaving,
 * should be a "no". A ring that is full now is tried again by the next sweep. */
static void relay_tell_unwanted(struct handover *handover, const struct message *message)
{
    struct passage *passage = handover_passage(handover, message);

    CHECK(message->job != 0);
    passage->unwanted = true;
    if (passage->withdrawn ||
        !handover_peer_usable(&handover->slots[peers_control(handover->peers)]) ||
        relay_push(handover, message, JOB_WITHDRAW, message->job) != STATUS_OK)
        return;
    passage->withdrawn = true;
    count(handover->counters, COUNTER_RELAY_WITHDRAWN);
}

static enum station relay_start(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[peers_control(handover->peers)];
    enum status status;

    CHECK(message->job == 0);
    CHECK(message->verdict == VERDICT_CLEAN || message->verdict == VERDICT_UNSCANNABLE);
    message->stage = MESSAGE_RELAYING;
    message->relay_ns = now_ns;
    /* The sender would hear 451 in any case; to deliver as well makes a copy with each try. */
    if (!handover_time_left(handover, message, now_ns))
        return relay_refuse(handover, message, MAIL_NO_RELAY, "no answer in time");
    if (!handover_peer_usable(peer))
        return relay_refuse(handover, message, MAIL_NO_RELAY, "relay not ready");
    relay_write_envelope(handover, message);
    status = relay_push(handover, message, JOB_RELAY, ++handover->job);
    if (status == STATUS_BROKEN_PEER)
        relay_broken(handover);
    if (status != STATUS_OK)
        return relay_refuse(handover, message, MAIL_NO_RELAY, "relay busy");
    count(handover->counters, COUNTER_RELAY_JOBS);
    message->job = handover->job;
    handover_passage(handover, message)->unwanted = false;
    handover_passage(handover, message)->withdrawn = false;
    peer->outstanding++;
    message->deadline_ns = message->received_ns + handover->verdict_limit_ns;
    message_list_append(&handover->relaying, message);
    return STATION_RELAY;
}

/* Control has answered, or is no more: nobody reads the message. */
static void relay_end(struct handover *handover, struct message *message)
{
    struct handover_peer *peer = &handover->slots[peers_control(handover->peers)];

    CHECK(peer->outstanding > 0 && message->job != 0);
    peer->outstanding--;
    message_list_remove(&handover->relaying, message);
    message->job = 0;
}

/* Printable ASCII and line feeds only, and ended. */
static void relay_clean_text(char *text, size_t size, bool lines)
{
    text[size - 1] = '\0';
    for (char *c = text; *c != '\0'; c++) {
        if ((*c < ' ' || *c > '~') && !(lines && *c == '\n'))
            *c = '?';
    }
}

static struct message *relay_named(struct handover *handover, const struct relay_result *answer)
{
    struct message *message = message_find(handover->store, answer->message, answer->generation);

    if (message == NULL || message->stage != MESSAGE_RELAYING || message->job != answer->job ||
        message->job == 0)
        return NULL;
    return message;
}

/* What became of a message that nobody waits for: stopped in time, or delivered to no one's
 * knowledge; then its sender comes again, and the customer has it twice. */
static void relay_unwanted_answer(struct handover *handover, struct passage *passage,
                                  const struct relay_result *answer)
{
    if (passage->result.outcome == MAIL_DELIVERED)
        count(handover->counters, COUNTER_RELAY_UNHEARD);
    else if (answer->outcome == RELAY_REFUSED)
        passage->result = (struct mail_result){
            .outcome = MAIL_ABANDONED, .code = 451, .text = "sender left before the relay"};
}

/* What control says of a customer's servers, unasked. */
static void relay_news(struct handover *handover, struct relay_result *news)
{
    relay_clean_text(news->text, sizeof(news->text), false);
    routes_set(&handover->routes, news->text, news->code != 0);
}

static bool relay_answer(struct handover *handover, struct station_step *step, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[peers_control(handover->peers)];
    struct relay_result *answer = &handover->relay_answer;
    struct passage *passage;
    enum status status;

    (void)now_ns;
    if (!handover_peer_reads(peer->life) || peer->broken)
        return false;
    status = ring_pop(&peer->channel.results, answer);
    if (status == STATUS_AGAIN)
        return false;
    if (status != STATUS_OK) {
        relay_broken(handover);
        return true;
    }
    if (answer->kind == JOB_ROUTE) {
        relay_news(handover, answer);
        return true;
    }
    step->message = relay_named(handover, answer);
    if (step->message == NULL) {
        count(handover->counters, COUNTER_HAND_OVER_STALE);
        return true;
    }
    if (answer->kind != JOB_RELAY)
        count(handover->counters, COUNTER_RELAY_BROKEN);
    if (answer->kind != JOB_RELAY || !policy_relay_valid(answer))
        *answer = (struct relay_result){.outcome = RELAY_REFUSED, .code = 451};
    relay_clean_text(answer->text, sizeof(answer->text), true);
    relay_clean_text(answer->relay, sizeof(answer->relay), false);
    relay_end(handover, step->message);
    passage = handover_passage(handover, step->message);
    passage->result = (struct mail_result){
        .outcome = policy_relay_outcome(answer), .code = answer->code, .text = answer->text};
    passage->relay = answer->relay;
    if (passage->unwanted)
        relay_unwanted_answer(handover, passage, answer);
    step->next = STATION_ANSWER;
    return true;
}

static bool relay_lost(struct handover *handover, uint32_t slot, struct station_step *step,
                       int64_t now_ns)
{
    struct message *message = handover->relaying.first;

    (void)now_ns;
    CHECK(slot == peers_control(handover->peers));
    if (message == NULL) {
        routes_clear(&handover->routes);
        handover->slots[slot].broken = false;
        return false;
    }
    relay_end(handover, message);
    *step = (struct station_step){message,
                                  relay_refuse(handover, message, MAIL_NO_RELAY, "relay ended")};
    return true;
}

/* The sender does not wait for ever. The memory stays: control may still be reading it. */
static bool relay_sweep(struct handover *handover, struct station_step *step, int64_t now_ns)
{
    for (struct message *message = handover->relaying.first; message != NULL;
         message = message->next) {
        if (handover_passage(handover, message)->unwanted)
            relay_tell_unwanted(handover, message);
        if (message->concluded || now_ns < message->deadline_ns)
            continue;
        relay_tell_unwanted(handover, message);
        *step = (struct station_step){
            message, relay_refuse(handover, message, MAIL_NO_RELAY, "no answer in time")};
        return true;
    }
    return false;
}

/* On its way already: control stops what can be stopped, and what becomes of it is still counted.
 */
static bool relay_withdraw(struct handover *handover, struct message *message)
{
    relay_tell_unwanted(handover, message);
    return false;
}

const struct station_row station_relay = {
    .start = relay_start,
    .answer = relay_answer,
    .lost = relay_lost,
    .sweep = relay_sweep,
    .withdraw = relay_withdraw,
};
