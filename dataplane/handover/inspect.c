/* Messages before the prefilter: while they arrive, and until it has decided. See handover.h. */
#include <string.h>

#include "dataplane/handover/internal.h"
#include "platform/check.h"

/* One poll's share of the core; a worker has packets to receive. */
#define HANDOVER_INSPECT_BYTES 131072u
/* A message's turn, and how much of it must have come before it is worth one. */
#define HANDOVER_INSPECT_TURN    32768u
#define HANDOVER_INSPECT_ARRIVED 8192u
/* Inspections that only complete messages may have: slow senders cannot take them all. */
#define HANDOVER_INSPECT_KEPT 4u

static void inspect_list(struct handover *handover, struct message *message)
{
    struct handover_inspection *state = handover_inspection_of(handover, message);

    if (state->listed)
        return;
    state->listed = true;
    handover_list_append(&handover->inspecting, message);
}

static void inspect_unlist(struct handover *handover, struct message *message)
{
    struct handover_inspection *state = handover_inspection_of(handover, message);

    if (!state->listed)
        return;
    state->listed = false;
    handover_list_remove(&handover->inspecting, message);
}

/* Gives its inspection back; the next one starts at the message's first byte. */
static void inspect_drop(struct handover *handover, struct handover_inspection *state)
{
    if (state->inspection != NULL)
        inspection_give(handover->inspector, state->inspection);
    state->inspection = NULL;
    state->extent = 0;
    state->offset = 0;
    state->inspected_bytes = 0;
}

void handover_inspect_forget(struct handover *handover, struct message *message)
{
    struct handover_inspection *state = handover_inspection_of(handover, message);

    inspect_unlist(handover, message);
    inspect_drop(handover, state);
    state->asked_bytes = 0;
    state->complete = false;
    state->result.decision = INSPECT_UNDECIDED;
    state->result.reason[0] = '\0';
    state->result.key_count = 0;
}

static bool inspect_take(struct handover *handover, struct handover_inspection *state)
{
    unsigned kept = state->complete ? 0 : HANDOVER_INSPECT_KEPT;

    if (state->inspection != NULL)
        return true;
    if (inspection_free_count(handover->inspector) <= kept)
        return false;
    state->inspection = inspection_take(handover->inspector);
    return state->inspection != NULL;
}

void handover_inspect_arrived(struct handover *handover, struct message *message)
{
    struct handover_inspection *state = handover_inspection_of(handover, message);

    if (handover->inspector == NULL ||
        message->shared->size - state->asked_bytes < HANDOVER_INSPECT_ARRIVED ||
        !inspect_take(handover, state))
        return;
    state->asked_bytes = message->shared->size;
    inspect_list(handover, message);
}

/* Feeds up to `most` bytes; returns how many there were. */
static uint32_t inspect_feed(struct handover *handover, const struct message *message,
                             struct handover_inspection *state, uint32_t most)
{
    const struct region *region = handover->store->region;
    uint32_t fed = 0;

    while (fed < most && state->inspected_bytes < message->shared->size) {
        struct message_extent extent =
            *message_extent_slot(handover->store, message, state->extent);
        uint32_t length = extent.length - state->offset;

        if (length == 0) {
            state->extent++;
            state->offset = 0;
            continue;
        }
        if (length > most - fed)
            length = most - fed;
        (void)inspection_feed(handover->inspector, state->inspection,
                              region_block(region, extent.block) + extent.offset + state->offset,
                              length);
        state->offset += length;
        state->inspected_bytes += length;
        fed += length;
    }
    return fed;
}

static void inspect_count(struct handover *handover, const struct inspect_result *result)
{
    static const enum counter causes[] = {
        [INSPECT_CAUSE_GATE] = COUNTER_PREFILTER_BY_GATE,
        [INSPECT_CAUSE_TYPE] = COUNTER_PREFILTER_BY_TYPE,
        [INSPECT_CAUSE_SIGNATURE] = COUNTER_PREFILTER_BY_SIGNATURE,
        [INSPECT_CAUSE_ALWAYS] = COUNTER_PREFILTER_BY_ALWAYS,
        [INSPECT_CAUSE_HASH] = COUNTER_PREFILTER_BY_HASH,
        [INSPECT_CAUSE_NAME] = COUNTER_PREFILTER_BY_NAME,
        [INSPECT_CAUSE_LIMIT] = COUNTER_PREFILTER_BY_LIMIT,
    };

    count_add(handover->counters, COUNTER_PREFILTER_BYTES, result->searched_bytes);
    switch (result->decision) {
    case INSPECT_UNDECIDED:
        break;
    case INSPECT_SETTLED:
        count(handover->counters, COUNTER_PREFILTER_SETTLED);
        break;
    case INSPECT_CACHED:
        count(handover->counters, COUNTER_PREFILTER_CACHED);
        break;
    case INSPECT_MALFORMED:
        count(handover->counters, COUNTER_PREFILTER_MALFORMED);
        break;
    case INSPECT_SENT_ON:
        if (result->cause == INSPECT_CAUSE_ABSENT) {
            count(handover->counters, COUNTER_PREFILTER_ABSENT);
            break;
        }
        count(handover->counters, COUNTER_PREFILTER_SENT_ON);
        count(handover->counters, causes[result->cause]);
        break;
    }
}

static void inspect_absent(struct inspect_result *result, const char *reason)
{
    *result = (struct inspect_result){
        .decision = INSPECT_SENT_ON,
        .cause = INSPECT_CAUSE_ABSENT,
    };
    memcpy(result->reason, reason, strlen(reason));
}

static void inspect_scan(struct handover *handover, struct message *message, int64_t now_ns)
{
    handover_wait(handover, message, false);
    (void)handover_scan_start(handover, now_ns);
}

/* Words for X-Virus-Scanned: the engine whose verdict it is, or would have been. */
static void inspect_engine(const struct handover *handover, struct message *message)
{
    for (uint32_t slot = 0; slot < LINK_SLOTS_MAX; slot++) {
        if (peer_state_of(handover->slots[slot].life) != PEER_READY)
            continue;
        memcpy(message->engine, handover->peers->slots[slot].engine, sizeof(message->engine));
        message->engine[sizeof(message->engine) - 1] = '\0';
        return;
    }
}

/* The message has left the list and its inspection is given back. */
static void inspect_decide(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct inspect_result *result = &handover_inspection_of(handover, message)->result;
    struct mail_result infected = {.outcome = MAIL_INFECTED, .name = message->verdict_name};

    inspect_count(handover, result);
    switch (result->decision) {
    case INSPECT_SETTLED:
        result->verdict = VERDICT_CLEAN;
        break;
    case INSPECT_CACHED:
        break;
    case INSPECT_UNDECIDED:
    case INSPECT_SENT_ON:
    case INSPECT_MALFORMED:
        inspect_scan(handover, message, now_ns);
        return;
    }
    message->verdict = result->verdict;
    message->verdict_ns = now_ns;
    inspect_engine(handover, message);
    if (result->verdict == VERDICT_CLEAN) {
        handover_relay_start(handover, message, now_ns);
        return;
    }
    memcpy(message->verdict_name, result->name, sizeof(message->verdict_name));
    handover_answer(handover, message, &infected, NULL, now_ns);
}

void handover_inspect_submit(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct handover_inspection *state = handover_inspection_of(handover, message);

    state->complete = true;
    if (handover->inspector != NULL) {
        inspect_list(handover, message);
        return; /* the next poll, in this very round, looks at it */
    }
    inspect_absent(&state->result, "no prefilter");
    inspect_decide(handover, message, now_ns);
}

/* All of it was looked at. */
static void inspect_complete(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct handover_inspection *state = handover_inspection_of(handover, message);

    inspection_end(handover->inspector, state->inspection, &state->result);
    inspect_unlist(handover, message);
    inspect_drop(handover, state);
    if (!handover->vouched && state->result.decision != INSPECT_MALFORMED)
        inspect_absent(&state->result, "no prefilter: the scanners have another database");
    inspect_decide(handover, message, now_ns);
}

unsigned handover_inspect_poll(struct handover *handover, int64_t now_ns)
{
    uint32_t left = HANDOVER_INSPECT_BYTES;
    unsigned done = 0;

    for (uint32_t turns = handover->inspecting.count; turns > 0 && left > 0; turns--) {
        struct message *message = handover->inspecting.first;
        struct handover_inspection *state = handover_inspection_of(handover, message);
        uint32_t turn = left < HANDOVER_INSPECT_TURN ? left : HANDOVER_INSPECT_TURN;

        if (!inspect_take(handover, state)) {
            /* Everybody after it would have to wait as well, or needs none. */
            handover_list_remove(&handover->inspecting, message);
            handover_list_append(&handover->inspecting, message);
            continue;
        }
        left -= inspect_feed(handover, message, state, turn);
        done++;
        if (state->inspected_bytes == message->shared->size) {
            if (state->complete)
                inspect_complete(handover, message, now_ns);
            else
                inspect_unlist(handover, message);
        } else {
            handover_list_remove(&handover->inspecting, message);
            handover_list_append(&handover->inspecting, message);
        }
        /* Answering one may have brought in, or ended, others. */
        if (handover->inspecting.first == NULL)
            break;
    }
    return done;
}

void handover_inspect_vouch(struct handover *handover)
{
    bool any = false;

    handover->vouched = false;
    for (uint32_t slot = 0; handover->inspector != NULL && slot < LINK_SLOTS_MAX; slot++) {
        if (peer_state_of(handover->slots[slot].life) != PEER_READY)
            continue;
        if (!inspector_speaks_for(handover->inspector, &handover->peers->slots[slot].identity))
            return;
        any = true;
    }
    handover->vouched = any;
}

void handover_use_prefilter(struct handover *handover, struct inspector *inspector,
                            struct cache *cache)
{
    for (uint32_t i = 0; i < handover->store->slot_count; i++)
        inspect_drop(handover, &handover->inspections[i]);
    handover->inspector = inspector;
    handover->cache = cache;
    handover_inspect_vouch(handover);
    if (inspector != NULL)
        return;
    while (handover->inspecting.first != NULL) {
        struct message *message = handover->inspecting.first;

        inspect_unlist(handover, message);
        if (handover_inspection_of(handover, message)->complete)
            handover_inspect_submit(handover, message, message->received_ns);
    }
}

/* Only what is final. Which part is infected is known only when no other was in doubt. */
void handover_inspect_learn(struct handover *handover, const struct message *message,
                            const struct scan_result *answer)
{
    struct inspect_result *result = &handover_inspection_of(handover, message)->result;
    bool clean = answer->verdict == VERDICT_CLEAN;

    if (handover->cache == NULL || result->decision != INSPECT_SENT_ON || !handover->vouched ||
        (!clean && (answer->verdict != VERDICT_INFECTED || result->key_count != 1)))
        return;
    for (unsigned i = 0; i < result->key_count; i++) {
        if (cache_store(handover->cache, &result->keys[i], clean ? VERDICT_CLEAN : VERDICT_INFECTED,
                        clean ? NULL : answer->name))
            count(handover->counters, COUNTER_CACHE_STORED);
    }
    result->key_count = 0;
}
