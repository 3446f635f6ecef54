/* Messages for a scanner: whose turn it is, what the scanner says, and when its time is over. The
 * rules of one attempt are dataplane/policy/attempt.h's. See station.h. */
#include <string.h>

#include "dataplane/handover/station.h"
#include "dataplane/policy/attempt.h"
#include "platform/check.h"

/* -- waiting ----------------------------------------------------------------------------------- */

/* The list is in the order of deadlines, which the sweep relies on: what `message` goes before. One
 * that comes again is seldom behind many, a new one seldom before any. */
static struct message *scan_place(const struct handover *handover, const struct message *message,
                                  bool again)
{
    struct message *next = again ? handover->waiting.first : NULL;
    struct message *previous = again ? NULL : handover->waiting.last;

    while (next != NULL && next->deadline_ns < message->deadline_ns)
        next = next->next;
    while (previous != NULL && previous->deadline_ns > message->deadline_ns) {
        next = previous;
        previous = previous->previous;
    }
    return next;
}

static enum station scan_start(struct handover *handover, struct message *message, int64_t now_ns)
{
    bool again = handover_passage(handover, message)->again;

    (void)now_ns;
    CHECK(message->job == 0 && !message->waiting);
    message->deadline_ns = message->received_ns + handover->verdict_limit_ns;
    message_list_insert(&handover->waiting, message, scan_place(handover, message, again));
    turns_add(&handover->turns, message, again);
    message->waiting = true;
    return STATION_SCAN;
}

static void scan_wait_end(struct handover *handover, struct message *message)
{
    CHECK(message->waiting);
    message_list_remove(&handover->waiting, message);
    turns_remove(&handover->turns, message);
    message->waiting = false;
}

static bool scan_withdraw(struct handover *handover, struct message *message)
{
    if (message->waiting)
        scan_wait_end(handover, message);
    return true;
}

static _Atomic uint32_t *scan_jobs(const struct handover *handover, uint32_t slot)
{
    return &handover->peers->slots[slot].jobs;
}

/* Of the ready scanners this worker has no job at, one with the fewest of other workers, or
 * PEERS_NO_SLOT: behind another's large message it would wait, beside an idle scanner, for all of
 * that. The search goes round, so that scanners wear evenly. */
static uint32_t scan_choose(struct handover *handover)
{
    uint32_t first = handover->next_slot;
    uint32_t fewest = UINT32_MAX;
    uint32_t chosen = PEERS_NO_SLOT;

    for (uint32_t i = 0; i < handover->peers->scanner_slots && fewest > 0; i++) {
        uint32_t slot = (first + i) % handover->peers->scanner_slots;
        const struct handover_peer *peer = &handover->slots[slot];
        uint32_t jobs;

        if (!handover_peer_usable(peer) || peer->outstanding != 0)
            continue;
        jobs = atomic_load_explicit(scan_jobs(handover, slot), memory_order_relaxed);
        if (jobs < fewest) {
            fewest = jobs;
            chosen = slot;
            handover->next_slot = slot + 1;
        }
    }
    return chosen;
}

/* It broke the protocol: the attempt of the message it had is spent. */
static void scan_broken(struct handover *handover, uint32_t slot, enum counter counter)
{
    count(handover->counters, counter);
    for (struct message *message = handover->scanning.first; message != NULL;
         message = message->next) {
        if (message->scanner_slot == slot)
            attempt_spoil(message);
    }
    handover_peer_break(handover, slot);
}

/* Gives the next free scanner the message whose turn it is. */
static bool scan_work(struct handover *handover, struct station_step *step, int64_t now_ns)
{
    struct message *message = turns_next(&handover->turns);
    uint32_t slot = message == NULL ? PEERS_NO_SLOT : scan_choose(handover);

    (void)step;
    if (slot == PEERS_NO_SLOT)
        return false;
    CHECK(message->waiting);
    message->signatures = link_signatures(&handover->peers->slots[slot].identity);
    if (!attempt_begin(message, &handover->slots[slot].channel, ++handover->job, slot, now_ns)) {
        scan_broken(handover, slot, COUNTER_SCAN_BROKEN);
        return true;
    }
    count(handover->counters, COUNTER_SCAN_JOBS);
    count_add(handover->counters, COUNTER_SCAN_READINGS, message->all_readings);
    handover->slots[slot].outstanding++;
    atomic_fetch_add_explicit(scan_jobs(handover, slot), 1, memory_order_relaxed);
    turns_begin(&handover->turns, message);
    scan_wait_end(handover, message);
    message_list_append(&handover->scanning, message);
    return true;
}

/* -- at a scanner ------------------------------------------------------------------------------ */

/* The scanner has answered, or is no more: nobody reads the message. */
static void scan_end(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[message->scanner_slot];

    CHECK(peer->outstanding > 0 && message->job != 0);
    peer->outstanding--;
    atomic_fetch_sub_explicit(scan_jobs(handover, message->scanner_slot), 1, memory_order_relaxed);
    if (peer_state_of(peer->life) == PEER_LEAVING)
        handover_peer_acknowledge(handover, message->scanner_slot);
    message_list_remove(&handover->scanning, message);
    turns_end(&handover->turns, message, now_ns - message->handed_ns);
    message->job = 0;
}

static void scan_believe(struct handover *handover, struct message *message, uint32_t slot,
                         const struct scan_result *answer)
{
    message->verdict = answer->verdict;
    message->reason = answer->verdict == VERDICT_UNSCANNABLE ? answer->reason : UNSCANNABLE_NONE;
    memcpy(message->verdict_name, answer->name, sizeof(message->verdict_name));
    message->readings = answer->readings;
    message->reading = answer->reading;
    memcpy(message->doubt, answer->doubt, sizeof(message->doubt));
    memcpy(message->engine, handover->peers->slots[slot].engine, sizeof(message->engine));
    message->engine[sizeof(message->engine) - 1] = '\0';
}

static void scan_take(struct handover *handover, uint32_t slot, struct station_step *step,
                      int64_t now_ns)
{
    struct scan_result answer;
    struct message *message;

    if (ring_pop(&handover->slots[slot].channel.results, &answer) != STATUS_OK) {
        scan_broken(handover, slot, COUNTER_SCAN_BROKEN);
        return;
    }
    message = message_find(handover->store, answer.message, answer.generation);
    if (!attempt_named(message, &answer, slot) || message->stage != MESSAGE_SCANNING) {
        scan_broken(handover, slot, COUNTER_HAND_OVER_STALE);
        return;
    }
    if (!attempt_sensible(&answer)) {
        scan_broken(handover, slot, COUNTER_SCAN_BROKEN);
        return;
    }
    scan_end(handover, message, now_ns);
    if (!message->concluded)
        scan_believe(handover, message, slot, &answer);
    *step = (struct station_step){message, STATION_DECIDE};
}

/* The search goes round here, too: so that it ends after one look at each. */
static bool scan_answer(struct handover *handover, struct station_step *step, int64_t now_ns)
{
    for (uint32_t i = 0; i < handover->peers->scanner_slots; i++) {
        uint32_t slot = (handover->answer_slot + i) % handover->peers->scanner_slots;
        const struct handover_peer *peer = &handover->slots[slot];

        if (!handover_peer_reads(peer->life) || peer->broken || peer->outstanding == 0 ||
            !ring_pending(&peer->channel.results))
            continue;
        handover->answer_slot = slot + 1;
        scan_take(handover, slot, step, now_ns);
        return true;
    }
    return false;
}

static bool scan_lost(struct handover *handover, uint32_t slot, struct station_step *step,
                      int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[slot];
    struct message *message = handover->scanning.first;

    while (message != NULL && message->scanner_slot != slot)
        message = message->next;
    if (message == NULL) {
        peer->broken = false;
        return false;
    }
    /* The mapping is still there until we say so: see whether it was at work on ours. */
    message->started = message->started || attempt_busy(&peer->channel);
    scan_end(handover, message, now_ns);
    *step = (struct station_step){message, STATION_SCAN};
    if (message->concluded)
        return true;
    if (attempt_again(message, handover_time_left(handover, message, now_ns))) {
        count(handover->counters, COUNTER_SCAN_RETRIES);
        handover_passage(handover, message)->again = true;
        return true;
    }
    message->verdict = VERDICT_UNSCANNABLE;
    step->next = STATION_DECIDE;
    return true;
}

/* -- time -------------------------------------------------------------------------------------- */

static bool scan_any_ready(const struct handover *handover)
{
    for (uint32_t slot = 0; slot < handover->peers->scanner_slots; slot++) {
        if (peer_state_of(handover->slots[slot].life) == PEER_READY)
            return true;
    }
    return false;
}

static void scan_watch(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[message->scanner_slot];

    if (!attempt_overdue(message, &peer->channel, handover->scan_limit_ns, now_ns) || peer->broken)
        return;
    count(handover->counters, COUNTER_SCAN_TIMEOUTS);
    message->reason = UNSCANNABLE_TIME;
    handover_peer_break(handover, message->scanner_slot);
}

/* Its sender is answered in time, whoever is still at it; the memory waits for the scanner's end.
 */
static bool scan_late(const struct handover *handover, const struct message *message,
                      int64_t now_ns)
{
    return !message->concluded && now_ns - message->received_ns > handover->verdict_limit_ns;
}

static bool scan_sweep(struct handover *handover, struct station_step *step, int64_t now_ns)
{
    struct message *message = handover->scanning.first;

    for (; message != NULL; message = message->next) {
        scan_watch(handover, message, now_ns);
        if (scan_late(handover, message, now_ns))
            break;
    }
    if (message == NULL) {
        /* The head is the next to run out. */
        message = handover->waiting.first;
        if (message == NULL || now_ns < message->deadline_ns)
            return false;
        scan_wait_end(handover, message);
        message->reason = scan_any_ready(handover) ? UNSCANNABLE_BUSY : UNSCANNABLE_NO_ENGINE;
    } else {
        message->reason = UNSCANNABLE_TIME;
    }
    message->verdict = VERDICT_UNSCANNABLE;
    *step = (struct station_step){message, STATION_DECIDE};
    return true;
}

const struct station_row station_scan = {
    .start = scan_start,
    .work = scan_work,
    .answer = scan_answer,
    .lost = scan_lost,
    .sweep = scan_sweep,
    .withdraw = scan_withdraw,
};
