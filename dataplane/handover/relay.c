/* Clean messages at control: handing over, and checking the customer's answer. */
#include <string.h>

#include "dataplane/handover/internal.h"
#include "platform/check.h"

static void relay_refuse(struct handover *handover, struct message *message,
                         enum mail_outcome outcome, const char *text, int64_t now_ns)
{
    struct mail_result result = {.outcome = outcome, .code = 451, .text = text};

    handover_answer(handover, message, &result, NULL, now_ns);
}

/* Nothing it says counts any more. Main ends its link, which fails what is there with 451 and lets
 * control begin anew. */
static void relay_broken(struct handover *handover)
{
    struct handover_peer *peer = &handover->slots[PEERS_CONTROL_SLOT];

    count(handover->counters, COUNTER_RELAY_BROKEN);
    peer->broken = true;
    atomic_store_explicit(&handover->peers->slots[PEERS_CONTROL_SLOT].kill_epoch,
                          peer_epoch_of(peer->life), memory_order_relaxed);
}

/* "clean", or "unscannable(reason)" where the policy is to deliver. */
static bool relay_write_envelope(struct handover *handover, struct message *message)
{
    char verdict[64] = "clean";

    if (message->verdict == VERDICT_UNSCANNABLE) {
        char *at = stpcpy(verdict, "unscannable(");

        at = stpncpy(at, unscannable_text((enum unscannable_reason)message->reason), 40);
        (void)stpcpy(at, ")");
    }
    return message_envelope_put(handover->store, message, ENVELOPE_VERDICT, verdict,
                                strlen(verdict)) == STATUS_OK &&
           message_envelope_put(handover->store, message, ENVELOPE_ENGINE, message->engine,
                                strlen(message->engine)) == STATUS_OK;
}

/* `message` is on no list. */
void handover_relay_start(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[PEERS_CONTROL_SLOT];
    struct relay_job job = {
        .job = ++handover->job,
        .message = message->index,
        .generation = message->generation,
        .length = message->shared->size,
        .verdict = message->verdict,
    };
    enum status status;

    message->stage = MESSAGE_RELAYING;
    message->relay_ns = now_ns;
    /* The sender would hear 451 in any case; to deliver as well makes a copy with each try. */
    if (!handover_time_left(handover, message, now_ns)) {
        relay_refuse(handover, message, MAIL_NO_RELAY, "no answer in time", now_ns);
        return;
    }
    if (peer_state_of(peer->life) != PEER_READY || peer->broken) {
        relay_refuse(handover, message, MAIL_NO_RELAY, "relay not ready", now_ns);
        return;
    }
    if (!relay_write_envelope(handover, message)) {
        relay_refuse(handover, message, MAIL_NO_ROOM, "out of memory", now_ns);
        return;
    }
    status = ring_push(&peer->channel.jobs, &job);
    if (status == STATUS_BROKEN_PEER)
        relay_broken(handover);
    if (status != STATUS_OK) {
        relay_refuse(handover, message, MAIL_NO_RELAY, "relay busy", now_ns);
        return;
    }
    count(handover->counters, COUNTER_RELAY_JOBS);
    peer->outstanding++;
    message->job = job.job;
    message->deadline_ns = message->received_ns + handover->verdict_limit_ns;
    handover_list_append(&handover->relaying, message);
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

static enum mail_outcome relay_outcome(const struct relay_result *answer)
{
    if (answer->outcome != RELAY_ANSWERED)
        return MAIL_NO_RELAY;
    if (answer->code < 300)
        return MAIL_DELIVERED;
    return answer->code < 500 ? MAIL_RELAY_TEMPORARY : MAIL_RELAY_PERMANENT;
}

static bool relay_answer_valid(const struct relay_result *answer)
{
    bool final =
        (answer->code >= 200 && answer->code < 300) || (answer->code >= 400 && answer->code < 600);

    return answer->outcome >= RELAY_ANSWERED && answer->outcome <= RELAY_REFUSED && final &&
           (answer->outcome == RELAY_ANSWERED || answer->code >= 400);
}

static void relay_answer(struct handover *handover, struct relay_result *answer, int64_t now_ns)
{
    struct message *message = message_find(handover->store, answer->message, answer->generation);
    struct mail_result result;

    if (message == NULL || message->stage != MESSAGE_RELAYING || message->job != answer->job ||
        message->job == 0) {
        count(handover->counters, COUNTER_HAND_OVER_STALE);
        return;
    }
    if (!relay_answer_valid(answer))
        *answer = (struct relay_result){.outcome = RELAY_REFUSED, .code = 451};
    relay_clean_text(answer->text, sizeof(answer->text), true);
    relay_clean_text(answer->relay, sizeof(answer->relay), false);
    handover->slots[PEERS_CONTROL_SLOT].outstanding--;
    handover_list_remove(&handover->relaying, message);
    message->job = 0;
    if (message->concluded) {
        handover_release(handover, message);
        return;
    }
    result = (struct mail_result){
        .outcome = relay_outcome(answer), .code = answer->code, .text = answer->text};
    handover_answer(handover, message, &result, answer->relay, now_ns);
}

unsigned handover_relay_answers(struct handover *handover, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[PEERS_CONTROL_SLOT];
    unsigned taken = 0;

    while (peer_state_of(peer->life) == PEER_READY && peer->outstanding > 0 && !peer->broken &&
           taken < HANDOVER_ANSWERS_A_POLL) {
        struct relay_result answer;
        enum status status = ring_pop(&peer->channel.results, &answer);

        if (status == STATUS_AGAIN)
            break;
        taken++;
        if (status == STATUS_OK)
            relay_answer(handover, &answer, now_ns);
        else
            relay_broken(handover);
    }
    return taken;
}

void handover_relay_lost(struct handover *handover, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[PEERS_CONTROL_SLOT];

    while (handover->relaying.first != NULL) {
        struct message *message = handover->relaying.first;

        handover_list_remove(&handover->relaying, message);
        peer->outstanding--;
        message->job = 0;
        if (message->concluded)
            handover_release(handover, message);
        else
            relay_refuse(handover, message, MAIL_NO_RELAY, "relay ended", now_ns);
    }
    peer->broken = false;
}

/* The sender does not wait for ever. The memory stays: control may still be reading it. */
void handover_relay_sweep(struct handover *handover, int64_t now_ns)
{
    struct message *next;

    for (struct message *message = handover->relaying.first; message != NULL; message = next) {
        next = message->next;
        if (now_ns >= message->deadline_ns && !message->concluded)
            relay_refuse(handover, message, MAIL_NO_RELAY, "no answer in time", now_ns);
    }
}
