/* The driver: moves messages from station to station, and ends them. See handover.h, station.h. */
#include "dataplane/handover/handover.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/handover/station.h"
#include "dataplane/message/share.h"
#include "platform/check.h"
#include "platform/clock.h"

static const struct station_row *const stations[STATION_COUNT] = {
    [STATION_INSPECT] = &station_inspect, [STATION_DECIDE] = &station_decide,
    [STATION_SCAN] = &station_scan,       [STATION_RELAY] = &station_relay,
    [STATION_ANSWER] = &station_answer,
};

/* -- moving messages on ------------------------------------------------------------------------ */

/* The one place where a message's memory goes back. */
static void handover_release(struct handover *handover, struct message *message)
{
    CHECK(message->job == 0 && message->concluded && !message->waiting);
    handover_passage_clear(handover_passage(handover, message));
    message_give(handover->store, message);
}

/* The one way a message goes: to `next`, and on from there until it stays somewhere or has ended.
 */
static void handover_move(struct handover *handover, struct message *message, enum station next,
                          int64_t now_ns)
{
    struct passage *passage = handover_passage(handover, message);
    enum station at = STATION_NONE;

    while (!message->concluded && next != at) {
        CHECK(next > STATION_NONE && next < STATION_COUNT);
        at = next;
        /* What a peer still reads stays on its list there, though its sender be answered. */
        if (message->job == 0)
            passage->at = at;
        next = stations[at]->start(handover, message, now_ns);
    }
    if (message->concluded && message->job == 0)
        handover_release(handover, message);
}

typedef bool station_function(struct handover *handover, struct station_step *step, int64_t now_ns);

/* Calls one station's function until there is nothing to do, or `most` times. */
static unsigned handover_steps(struct handover *handover, station_function *function, unsigned most,
                               int64_t now_ns)
{
    struct station_step step = {NULL, STATION_NONE};
    unsigned steps = 0;

    while (steps < most && function(handover, &step, now_ns)) {
        steps++;
        if (step.message != NULL)
            handover_move(handover, step.message, step.next, now_ns);
        step.message = NULL;
    }
    return steps;
}

/* Ends a message from outside, wherever it is; false when what becomes of it still counts. */
static bool handover_withdraw(struct handover *handover, struct message *message,
                              enum mail_outcome outcome, const char *status, int64_t now_ns)
{
    enum station at = handover_passage(handover, message)->at;

    if (at != STATION_NONE && !stations[at]->withdraw(handover, message))
        return false;
    handover_conclude(handover, message, outcome, status, NULL, now_ns);
    if (message->job == 0)
        handover_release(handover, message);
    return true;
}

/* -- what sessions ask for --------------------------------------------------------------------- */

static void service_submit(void *context, struct message *message, int64_t now_ns)
{
    struct handover *handover = context;

    message->received_ns = now_ns;
    message->stage = MESSAGE_SCANNING;
    share_complete(handover->store, message);
    message->deadline_ns = now_ns + handover->verdict_limit_ns;
    handover_move(handover, message, STATION_INSPECT, now_ns);
}

static void service_arrived(void *context, struct message *message, int64_t now_ns)
{
    (void)now_ns;
    handover_inspect_arrived(context, message);
}

static void service_abandon(void *context, struct message *message, int64_t now_ns)
{
    message->owner = (struct connection_handle){0, 0};
    if (!message->concluded)
        (void)handover_withdraw(context, message, MAIL_ABANDONED, "sender left before the verdict",
                                now_ns);
}

static void service_conclude(void *context, struct message *message, enum mail_outcome outcome,
                             const char *status, int64_t now_ns)
{
    bool ended;

    CHECK(message->stage == MESSAGE_RECEIVING);
    ended = handover_withdraw(context, message, outcome, status, now_ns);
    CHECK(ended);
}

static bool service_route_down(void *context, const struct smtp_customer *customer)
{
    const struct handover *handover = context;

    return routes_down(&handover->routes, customer->config->name);
}

static int64_t service_wall_seconds(void *context, int64_t now_ns)
{
    const struct handover *handover = context;

    return (now_ns + handover->wall_offset_ns) / CLOCK_NS_PER_SECOND;
}

/* -- set-up ------------------------------------------------------------------------------------ */

enum status handover_init(struct handover *handover, struct store *store, struct smtp_server *smtp,
                          struct tcp_endpoint *endpoint, struct region_counters *counters,
                          struct peers *peers, struct log_rings *log, uint32_t worker,
                          const struct config *config)
{
    enum status status;

    *handover = (struct handover){
        .store = store,
        .smtp = smtp,
        .endpoint = endpoint,
        .counters = counters,
        .peers = peers,
        .log = log,
        .worker = worker,
        .wall_offset_ns = clock_wall_ns() - clock_monotonic_ns(),
    };
    handover->passages = calloc(store->slot_count, sizeof(*handover->passages));
    handover->slots = calloc(peers->slot_count, sizeof(*handover->slots));
    if (handover->passages == NULL || handover->slots == NULL) {
        handover_fini(handover);
        return STATUS_NO_MEMORY;
    }
    status = turns_init(&handover->turns, store->slot_count);
    if (status != STATUS_OK) {
        handover_fini(handover);
        return status;
    }
    handover_configure(handover, config);
    smtp->service = (struct smtp_service){
        .context = handover,
        .arrived = service_arrived,
        .submit = service_submit,
        .abandon = service_abandon,
        .conclude = service_conclude,
        .rejected = handover_log_rejected,
        .route_down = service_route_down,
        .wall_seconds = service_wall_seconds,
    };
    return STATUS_OK;
}

void handover_fini(struct handover *handover)
{
    turns_fini(&handover->turns);
    free(handover->passages);
    free(handover->slots);
    handover->passages = NULL;
    handover->slots = NULL;
}

void handover_configure(struct handover *handover, const struct config *config)
{
    handover->scan_limit_ns = config->scanner.time_limit_ns + config->scanner.time_limit_ns / 2;
    handover->verdict_limit_ns = config->limits.verdict_timeout_ns;
    share_configure(handover->store, config->customer_count);
    handover->turns.debt_max_ns = handover->verdict_limit_ns / HANDOVER_DEBT_SHARE;
}

void handover_use_prefilter(struct handover *handover, struct inspector *inspector,
                            struct cache *cache, const struct link_identity *expected)
{
    handover_inspect_use(handover, inspector, cache, expected);
    while (inspector == NULL && handover->inspecting.first != NULL) {
        struct message *message = handover->inspecting.first;
        bool complete = handover_passage(handover, message)->complete;

        (void)station_inspect.withdraw(handover, message);
        if (complete)
            handover_move(handover, message, STATION_INSPECT, message->received_ns);
    }
}

/* -- peers that come and go -------------------------------------------------------------------- */

static void handover_lose(struct handover *handover, uint32_t slot, int64_t now_ns)
{
    const struct station_row *row =
        slot == peers_control(handover->peers) ? &station_relay : &station_scan;
    struct handover_peer *peer = &handover->slots[slot];
    struct station_step step;

    /* What it has said before its end counts: a customer's server may have the mail. As much as a
     * ring holds, in case it is not as dead as it seems and goes on talking. */
    (void)handover_steps(handover, row->answer, RELAY_JOBS_PER_RING, now_ns);
    /* Answering a sender may bring in its next message at once: nothing goes there any more. */
    peer->life = peer_life(peer_epoch_of(peer->life), PEER_GONE);
    while (row->lost(handover, slot, &step, now_ns))
        handover_move(handover, step.message, step.next, now_ns);
    CHECK(peer->outstanding == 0);
}

/* A peer came or went: attach, or fail what it had. */
static void handover_notice(struct handover *handover, uint32_t slot, uint64_t life, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[slot];
    bool read = handover_peer_reads(peer->life);

    if (read && !handover_peer_reads(life))
        handover_lose(handover, slot, now_ns);
    peer->life = life;
    /* Also one that is leaving already when it is first seen. */
    if (!read && handover_peer_reads(life))
        channel_attach(&peer->channel, &handover->peers->slots[slot].memory, handover->worker);
    handover_peer_acknowledge(handover, slot);
}

static void handover_publish_ready(struct handover *handover)
{
    uint64_t scanners = 0;
    uint64_t candidates = 0;

    for (uint32_t slot = 0; slot < handover->peers->scanner_slots; slot++) {
        scanners += peer_state_of(handover->slots[slot].life) == PEER_READY;
        candidates += peer_state_of(handover->slots[slot].life) == PEER_CANDIDATE;
    }
    handover->scanners_seen = handover->scanners_seen || scanners > 0;
    count_set(handover->counters, COUNTER_SCANNERS_READY, scanners);
    count_set(handover->counters, COUNTER_SCANNERS_CANDIDATE, candidates);
    count_set(handover->counters, COUNTER_PEERS_REFUSED,
              atomic_load_explicit(&handover->peers->refused, memory_order_relaxed));
    count_set(handover->counters, COUNTER_CONTROL_READY,
              peer_state_of(handover->slots[peers_control(handover->peers)].life) == PEER_READY);
}

static unsigned handover_notice_changes(struct handover *handover, int64_t now_ns)
{
    uint32_t changes = atomic_load_explicit(&handover->peers->changes, memory_order_acquire);

    if (changes == handover->changes)
        return 0;
    handover->changes = changes;
    for (uint32_t slot = 0; slot < handover->peers->slot_count; slot++) {
        uint64_t life =
            atomic_load_explicit(&handover->peers->slots[slot].life, memory_order_acquire);

        if (life != handover->slots[slot].life)
            handover_notice(handover, slot, life, now_ns);
    }
    handover_publish_ready(handover);
    handover_inspect_vouch(handover);
    return 1;
}

/* -- a poll ------------------------------------------------------------------------------------ */

/* Deadlines are seconds; looking at all messages in flight every HANDOVER_SWEEP_NS is bounded by
 * the worker's message slots and costs next to nothing. */
static void handover_sweep(struct handover *handover, int64_t now_ns)
{
    if (now_ns < handover->sweep_ns)
        return;
    handover->sweep_ns = now_ns + HANDOVER_SWEEP_NS;
    for (enum station at = STATION_INSPECT; at < STATION_COUNT; at++) {
        if (stations[at]->sweep != NULL)
            (void)handover_steps(handover, stations[at]->sweep, UINT_MAX, now_ns);
    }
}

unsigned handover_poll(struct handover *handover, int64_t now_ns)
{
    unsigned did = handover_notice_changes(handover, now_ns);

    for (enum station at = STATION_INSPECT; at < STATION_COUNT; at++) {
        if (stations[at]->answer != NULL)
            did +=
                handover_steps(handover, stations[at]->answer, HANDOVER_ANSWERS_PER_POLL, now_ns);
    }
    handover_inspect_begin(handover);
    for (enum station at = STATION_INSPECT; at < STATION_COUNT; at++) {
        if (stations[at]->work != NULL)
            did += handover_steps(handover, stations[at]->work, UINT_MAX, now_ns);
    }
    handover_sweep(handover, now_ns);
    CHECK_SLOW(did == 0 || (handover_sound(handover) && store_sound(handover->store, NULL)));
    return did;
}

uint32_t handover_pending(const struct handover *handover)
{
    return handover->inspecting.count + handover->waiting.count + handover->scanning.count +
           handover->relaying.count;
}
