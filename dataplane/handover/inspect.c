/* Messages before the prefilter: while they arrive, and until it has decided. See station.h. */
#include <string.h>

#include "dataplane/handover/station.h"
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
    struct passage *state = handover_passage(handover, message);

    if (state->listed)
        return;
    state->listed = true;
    state->at = STATION_INSPECT;
    message_list_append(&handover->inspecting, message);
}

static void inspect_unlist(struct handover *handover, struct message *message)
{
    struct passage *state = handover_passage(handover, message);

    if (!state->listed)
        return;
    state->listed = false;
    message_list_remove(&handover->inspecting, message);
}

/* Gives its inspection back; the next one starts at the message's first byte. */
static void inspect_drop(struct handover *handover, struct passage *state)
{
    if (state->inspection != NULL)
        inspection_give(handover->inspector, state->inspection);
    state->inspection = NULL;
    state->extent = 0;
    state->offset = 0;
    state->inspected_bytes = 0;
}

void handover_passage_clear(struct passage *passage)
{
    CHECK(!passage->listed && passage->inspection == NULL);
    passage->at = STATION_NONE;
    passage->again = false;
    passage->complete = false;
    passage->asked_bytes = 0;
    passage->result = (struct mail_result){0};
    passage->relay = NULL;
    passage->inspected.decision = INSPECT_UNDECIDED;
    passage->inspected.reason[0] = '\0';
    passage->inspected.key_count = 0;
}

static bool inspect_withdraw(struct handover *handover, struct message *message)
{
    inspect_unlist(handover, message);
    inspect_drop(handover, handover_passage(handover, message));
    return true;
}

static bool inspect_take(struct handover *handover, struct passage *state)
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
    struct passage *state = handover_passage(handover, message);

    if (handover->inspector == NULL ||
        message->shared->size - state->asked_bytes < HANDOVER_INSPECT_ARRIVED ||
        !inspect_take(handover, state))
        return;
    state->asked_bytes = message->shared->size;
    inspect_list(handover, message);
}

/* Feeds up to `most` bytes; returns how many there were. */
static uint32_t inspect_feed(struct handover *handover, const struct message *message,
                             struct passage *state, uint32_t most)
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

/* Nothing is left to look at: the message goes on. */
static enum station inspect_decided(struct handover *handover, const struct passage *state)
{
    inspect_count(handover, &state->inspected);
    return STATION_DECIDE;
}

static enum station inspect_start(struct handover *handover, struct message *message,
                                  int64_t now_ns)
{
    struct passage *state = handover_passage(handover, message);

    (void)now_ns;
    state->complete = true;
    if (handover->inspector != NULL) {
        inspect_list(handover, message);
        return STATION_INSPECT; /* the next poll, in this very round, looks at it */
    }
    inspect_absent(&state->inspected, "no prefilter");
    return inspect_decided(handover, state);
}

/* All of it was looked at. */
static enum station inspect_complete(struct handover *handover, struct message *message)
{
    struct passage *state = handover_passage(handover, message);

    inspection_end(handover->inspector, state->inspection, &state->inspected);
    inspect_unlist(handover, message);
    inspect_drop(handover, state);
    if (!handover->vouched) {
        bool clear = state->inspected.clear; /* which no database makes a difference to */

        inspect_absent(&state->inspected, "no prefilter: the scanners have another database");
        state->inspected.clear = clear;
    }
    return inspect_decided(handover, state);
}

void handover_inspect_begin(struct handover *handover)
{
    handover->inspect_turns = handover->inspecting.count;
    handover->inspect_left = HANDOVER_INSPECT_BYTES;
}

/* One message's turn. */
static bool inspect_work(struct handover *handover, struct station_step *step, int64_t now_ns)
{
    struct message *message = handover->inspecting.first;
    uint32_t left = handover->inspect_left;
    struct passage *state;

    (void)now_ns;
    if (message == NULL || handover->inspect_turns == 0 || left == 0)
        return false;
    handover->inspect_turns--;
    state = handover_passage(handover, message);
    /* Without an inspection everybody after it would have to wait as well, or needs none. */
    if (inspect_take(handover, state))
        handover->inspect_left -= inspect_feed(
            handover, message, state, left < HANDOVER_INSPECT_TURN ? left : HANDOVER_INSPECT_TURN);
    if (state->inspection == NULL || state->inspected_bytes < message->shared->size) {
        message_list_remove(&handover->inspecting, message);
        message_list_append(&handover->inspecting, message);
    } else if (state->complete) {
        *step = (struct station_step){message, inspect_complete(handover, message)};
    } else {
        inspect_unlist(handover, message);
    }
    return true;
}

void handover_inspect_vouch(struct handover *handover)
{
    const struct peer_slot *ready = NULL;
    bool agree = handover->inspector != NULL;

    for (uint32_t slot = 0; agree && slot < handover->peers->scanner_slots; slot++) {
        if (peer_state_of(handover->slots[slot].life) != PEER_READY)
            continue;
        ready = &handover->peers->slots[slot];
        agree = inspector_speaks_for(handover->inspector, &ready->identity);
    }
    if (agree && ready == NULL)
        return; /* nobody has said anything else since: what was settled a moment ago still is */
    handover->vouched = agree;
    if (!agree)
        return;
    memcpy(handover->vouched_engine, ready->engine, sizeof(handover->vouched_engine));
    handover->vouched_engine[sizeof(handover->vouched_engine) - 1] = '\0';
    handover->vouched_signatures = link_signatures(&ready->identity);
}

/* No scanner has been ready yet. What is expected of the first ones holds until they say what they
 * have. */
static void inspect_expect(struct handover *handover, const struct link_identity *expected)
{
    static const char words[] = "ClamAV ";

    if (handover->scanners_seen || link_signatures(expected) == 0 ||
        !inspector_speaks_for(handover->inspector, expected))
        return;
    _Static_assert(sizeof(words) + LINK_LIBRARY_BYTES <= PEERS_ENGINE_BYTES, "they fit");
    handover->vouched = true;
    handover->vouched_signatures = link_signatures(expected);
    memcpy(handover->vouched_engine, words, sizeof(words) - 1);
    memcpy(handover->vouched_engine + sizeof(words) - 1, expected->library, LINK_LIBRARY_BYTES);
    handover->vouched_engine[sizeof(words) - 1 + LINK_LIBRARY_BYTES - 1] = '\0';
}

void handover_inspect_use(struct handover *handover, struct inspector *inspector,
                          struct cache *cache, const struct link_identity *expected)
{
    for (uint32_t i = 0; i < handover->store->slot_count; i++)
        inspect_drop(handover, &handover->passages[i]);
    handover->inspector = inspector;
    handover->cache = cache;
    handover->vouched = false;
    handover_inspect_vouch(handover);
    if (inspector != NULL && expected != NULL)
        inspect_expect(handover, expected);
}

const struct station_row station_inspect = {
    .start = inspect_start,
    .work = inspect_work,
    .withdraw = inspect_withdraw,
};
