/* Messages at the scanners: choosing one, checking what it says, retrying once. */
#include <string.h>

#include "dataplane/handover/internal.h"
#include "platform/check.h"

static bool scan_slot_busy(const struct handover_peer *peer)
{
    return atomic_load_explicit(peer->channel.busy, memory_order_relaxed) != 0;
}

/* A ready scanner this worker has no job at, or PEERS_SLOTS. The search goes round, so that
 * scanners wear evenly. */
static uint32_t scan_choose(struct handover *handover)
{
    for (uint32_t i = 0; i < LINK_SLOTS_MAX; i++) {
        uint32_t slot = (handover->next_slot + i) % LINK_SLOTS_MAX;
        const struct handover_peer *peer = &handover->slots[slot];

        if (peer_state_of(peer->life) == PEER_READY && peer->outstanding == 0 && !peer->broken) {
            handover->next_slot = slot + 1;
            return slot;
        }
    }
    return PEERS_SLOTS;
}

/* No more jobs there, and SIGKILL for the child: main forwards it, and its end comes back as
 * handover_scan_lost(). */
static void scan_kill(struct handover *handover, uint32_t slot)
{
    struct handover_peer *peer = &handover->slots[slot];

    peer->broken = true;
    atomic_store_explicit(&handover->peers->slots[slot].kill_epoch, peer_epoch_of(peer->life),
                          memory_order_relaxed);
}

/* It broke the protocol. An attempt of the message it had is spent, whatever was said about it. */
static void scan_broken(struct handover *handover, uint32_t slot, enum counter counter)
{
    count(handover->counters, counter);
    for (struct message *message = handover->scanning.first; message != NULL;
         message = message->next) {
        if (message->scanner_slot != slot)
            continue;
        message->started = true;
        message->reason = UNSCANNABLE_BAD_ANSWER;
    }
    scan_kill(handover, slot);
}

static bool scan_push(struct handover *handover, uint32_t slot, struct message *message,
                      int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[slot];
    struct scan_job job = {
        .job = ++handover->job,
        .message = message->index,
        .generation = message->generation,
        .length = message->shared->size,
        .tier = SCAN_TIER_FULL,
    };

    if (ring_push(&peer->channel.jobs, &job) != STATUS_OK) {
        /* One job at a time cannot fill the ring: the peer has scribbled over it. */
        scan_broken(handover, slot, COUNTER_SCAN_BROKEN);
        return false;
    }
    count(handover->counters, COUNTER_SCAN_JOBS);
    peer->outstanding++;
    message->job = job.job;
    message->scanner_slot = slot;
    message->started = false;
    message->handed_ns = now_ns;
    if (message->scan_ns == 0)
        message->scan_ns = now_ns;
    return true;
}

unsigned handover_scan_start(struct handover *handover, int64_t now_ns)
{
    unsigned started = 0;

    while (handover->waiting.first != NULL) {
        struct message *message = turns_next(&handover->turns);
        uint32_t slot = scan_choose(handover);

        if (slot == PEERS_SLOTS)
            break;
        if (!scan_push(handover, slot, message, now_ns))
            continue;
        turns_begin(&handover->turns, message);
        handover_wait_end(handover, message);
        handover_list_append(&handover->scanning, message);
        started++;
    }
    return started;
}

/* `to` ends with a zero whatever comes; longer words are cut. */
static void scan_copy_words(char *to, size_t size, const char *words)
{
    size_t length = strnlen(words, size - 1);

    memcpy(to, words, length);
    to[length] = '\0';
}

void handover_unscannable(struct handover *handover, struct message *message,
                          enum unscannable_reason reason, const char *words, int64_t now_ns)
{
    struct mail_result result = {
        .outcome = MAIL_UNSCANNABLE,
        .name = unscannable_text(reason),
        .policy = message->customer->config->unscannable,
    };

    message->verdict = VERDICT_UNSCANNABLE;
    message->reason = reason;
    message->verdict_ns = now_ns;
    scan_copy_words(message->verdict_name, sizeof(message->verdict_name), words);
    /* Without time left there is none to relay in: then even what may be delivered has to come
     * again, for want of a scanner most of the time. */
    if (result.policy == CONFIG_POLICY_DELIVER && handover_time_left(handover, message, now_ns))
        handover_relay_start(handover, message, now_ns);
    else
        handover_answer(handover, message, &result, NULL, now_ns);
}

static void scan_verdict(struct handover *handover, struct message *message,
                         const struct scan_result *answer, int64_t now_ns)
{
    struct mail_result infected = {.outcome = MAIL_INFECTED, .name = message->verdict_name};

    message->verdict = answer->verdict;
    message->verdict_ns = now_ns;
    scan_copy_words(message->engine, sizeof(message->engine),
                    handover->peers->slots[message->scanner_slot].engine);
    if (message->concluded) {
        handover_release(handover, message);
        return;
    }
    handover_inspect_learn(handover, message, answer);
    switch ((enum verdict_kind)answer->verdict) {
    case VERDICT_CLEAN:
        /* Clean as libclamav reads it; others may read another mail. */
        if (handover_inspection_of(handover, message)->result.decision == INSPECT_MALFORMED)
            handover_unscannable(handover, message, UNSCANNABLE_MALFORMED,
                                 handover_inspection_of(handover, message)->result.reason, now_ns);
        else
            handover_relay_start(handover, message, now_ns);
        break;
    case VERDICT_INFECTED:
        memcpy(message->verdict_name, answer->name, sizeof(message->verdict_name));
        handover_answer(handover, message, &infected, NULL, now_ns);
        break;
    case VERDICT_UNSCANNABLE:
        handover_unscannable(handover, message, (enum unscannable_reason)answer->reason,
                             answer->name, now_ns);
        break;
    }
}

/* The scanner's words, made safe. False when they make no sense. */
static bool scan_answer_valid(struct scan_result *answer)
{
    if (answer->verdict < VERDICT_CLEAN || answer->verdict > VERDICT_UNSCANNABLE)
        return false;
    if (answer->verdict == VERDICT_UNSCANNABLE &&
        (answer->reason == UNSCANNABLE_NONE || answer->reason >= UNSCANNABLE_COUNT))
        return false;
    answer->name[SCAN_NAME_BYTES - 1] = '\0';
    for (char *c = answer->name; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    return answer->verdict != VERDICT_INFECTED || answer->name[0] != '\0';
}

static void scan_answer(struct handover *handover, uint32_t slot, struct scan_result *answer,
                        int64_t now_ns)
{
    struct message *message = message_find(handover->store, answer->message, answer->generation);

    if (message == NULL || message->stage != MESSAGE_SCANNING || message->job != answer->job ||
        message->scanner_slot != slot) {
        scan_broken(handover, slot, COUNTER_HAND_OVER_STALE);
        return;
    }
    if (!scan_answer_valid(answer)) {
        scan_broken(handover, slot, COUNTER_SCAN_BROKEN);
        return;
    }
    handover->slots[slot].outstanding--;
    handover_list_remove(&handover->scanning, message);
    turns_end(&handover->turns, message, now_ns - message->handed_ns);
    message->job = 0;
    scan_verdict(handover, message, answer, now_ns);
}

unsigned handover_scan_answers(struct handover *handover, int64_t now_ns)
{
    unsigned taken = 0;

    for (uint32_t slot = 0; slot < LINK_SLOTS_MAX && taken < HANDOVER_ANSWERS_A_POLL; slot++) {
        struct handover_peer *peer = &handover->slots[slot];
        struct scan_result answer;
        enum status status;

        if (peer_state_of(peer->life) != PEER_READY || peer->outstanding == 0 || peer->broken)
            continue;
        status = ring_pop(&peer->channel.results, &answer);
        if (status == STATUS_AGAIN)
            continue;
        taken++;
        if (status == STATUS_OK)
            scan_answer(handover, slot, &answer, now_ns);
        else
            scan_broken(handover, slot, COUNTER_SCAN_BROKEN);
    }
    return taken;
}

/* What becomes of a message whose scanner is no more. An attempt counts only when the scanner was
 * at work on it: waiting behind somebody else's bomb is no fault of this message. */
static void scan_retry(struct handover *handover, struct message *message, int64_t now_ns)
{
    enum unscannable_reason reason = (enum unscannable_reason)message->reason;

    message->job = 0;
    if (message->concluded) {
        handover_release(handover, message);
        return;
    }
    if (message->started)
        message->scan_attempts++;
    if (message->scan_attempts < HANDOVER_SCAN_ATTEMPTS_MAX &&
        handover_time_left(handover, message, now_ns)) {
        count(handover->counters, COUNTER_SCAN_RETRIES);
        message->reason = UNSCANNABLE_NONE;
        message->deadline_ns = message->received_ns + handover->verdict_limit_ns;
        handover_wait(handover, message, true);
        return;
    }
    if (reason == UNSCANNABLE_NONE)
        reason = UNSCANNABLE_SCANNER_DIED;
    handover_unscannable(handover, message, reason, unscannable_text(reason), now_ns);
}

void handover_scan_lost(struct handover *handover, uint32_t slot, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[slot];
    struct message *next;

    for (struct message *message = handover->scanning.first; message != NULL; message = next) {
        next = message->next;
        if (message->scanner_slot != slot)
            continue;
        /* The mapping is still there until we say so: see whether it was at work on ours. */
        message->started = message->started || scan_slot_busy(peer);
        handover_list_remove(&handover->scanning, message);
        turns_end(&handover->turns, message, now_ns - message->handed_ns);
        peer->outstanding--;
        scan_retry(handover, message, now_ns);
    }
    peer->broken = false;
}

/* The watchdog: the clock of a job starts when its scanner is seen at work on it. */
static void scan_watch(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[message->scanner_slot];

    if (!message->started && scan_slot_busy(peer)) {
        message->started = true;
        if (message->deadline_ns > now_ns + handover->scan_limit_ns)
            message->deadline_ns = now_ns + handover->scan_limit_ns;
    }
    if (now_ns < message->deadline_ns || peer->broken)
        return;
    count(handover->counters, COUNTER_SCAN_TIMEOUTS);
    message->reason = UNSCANNABLE_TIME;
    scan_kill(handover, message->scanner_slot);
}

static bool scan_any_ready(const struct handover *handover)
{
    for (uint32_t slot = 0; slot < LINK_SLOTS_MAX; slot++) {
        if (peer_state_of(handover->slots[slot].life) == PEER_READY)
            return true;
    }
    return false;
}

void handover_scan_sweep(struct handover *handover, int64_t now_ns)
{
    enum unscannable_reason reason =
        scan_any_ready(handover) ? UNSCANNABLE_BUSY : UNSCANNABLE_NO_ENGINE;
    struct message *next;

    for (struct message *message = handover->scanning.first; message != NULL; message = next) {
        next = message->next;
        scan_watch(handover, message, now_ns);
        /* Should the kill itself never come to pass, the sender is answered all the same; the
         * memory waits for the scanner's end. */
        if (now_ns - message->received_ns > handover->verdict_limit_ns + handover->scan_limit_ns &&
            !message->concluded) {
            struct mail_result result = {.outcome = MAIL_UNSCANNABLE,
                                         .name = unscannable_text(UNSCANNABLE_TIME),
                                         .policy = CONFIG_POLICY_DEFER};

            message->verdict = VERDICT_UNSCANNABLE;
            message->reason = UNSCANNABLE_TIME;
            handover_answer(handover, message, &result, NULL, now_ns);
        }
    }
    /* Oldest first (a retry goes to the front), so the head is the next to run out. Answering one
     * may bring in another, so no place in the list is remembered. */
    while (handover->waiting.first != NULL && now_ns >= handover->waiting.first->deadline_ns) {
        struct message *message = handover->waiting.first;

        handover_wait_end(handover, message);
        handover_unscannable(handover, message, reason, unscannable_text(reason), now_ns);
    }
}
