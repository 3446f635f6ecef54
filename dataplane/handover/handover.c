/* The stations of a message after its last byte. See handover.h. */
#include "dataplane/handover/handover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/handover/internal.h"
#include "platform/check.h"
#include "platform/clock.h"

void handover_list_append(struct message_list *list, struct message *message)
{
    message->next = NULL;
    message->previous = list->last;
    if (list->last != NULL)
        list->last->next = message;
    else
        list->first = message;
    list->last = message;
    list->count++;
}

static void handover_list_prepend(struct message_list *list, struct message *message)
{
    message->previous = NULL;
    message->next = list->first;
    if (list->first != NULL)
        list->first->previous = message;
    else
        list->last = message;
    list->first = message;
    list->count++;
}

void handover_list_remove(struct message_list *list, struct message *message)
{
    if (message->previous != NULL)
        message->previous->next = message->next;
    else
        list->first = message->next;
    if (message->next != NULL)
        message->next->previous = message->previous;
    else
        list->last = message->previous;
    message->next = NULL;
    message->previous = NULL;
    list->count--;
}

void handover_wait(struct handover *handover, struct message *message, bool first)
{
    if (first)
        handover_list_prepend(&handover->waiting, message);
    else
        handover_list_append(&handover->waiting, message);
    turns_add(&handover->turns, message, first);
    message->waiting = true;
}

void handover_wait_end(struct handover *handover, struct message *message)
{
    handover_list_remove(&handover->waiting, message);
    turns_remove(&handover->turns, message);
    message->waiting = false;
}

/* Tells the sender, if one still waits, and ends the message. */
void handover_answer(struct handover *handover, struct message *message,
                     const struct mail_result *result, const char *relay, int64_t now_ns)
{
    struct tcp_connection *connection;
    char reply[HANDOVER_REPLY_BYTES];
    size_t length;

    if (message->concluded)
        return;
    connection = tcp_find(handover->endpoint, message->owner);
    if (connection != NULL)
        smtp_finish(handover->smtp, connection, message, result, now_ns);
    length = smtp_result_reply(message, result, reply, sizeof(reply) - 1);
    reply[length] = '\0';
    handover_conclude(handover, message, result->outcome, reply, relay, now_ns);
}

static void service_submit(void *context, struct message *message, int64_t now_ns)
{
    struct handover *handover = context;

    message->received_ns = now_ns;
    message->stage = MESSAGE_SCANNING;
    message->deadline_ns = now_ns + handover->verdict_limit_ns;
    handover_inspect_submit(handover, message, now_ns);
}

static void service_arrived(void *context, struct message *message, int64_t now_ns)
{
    (void)now_ns;
    handover_inspect_arrived(context, message);
}

static void service_abandon(void *context, struct message *message, int64_t now_ns)
{
    struct handover *handover = context;

    message->owner = (struct connection_handle){0, 0};
    if (message->stage == MESSAGE_RELAYING || message->concluded)
        return; /* on its way already: what becomes of it is still counted */
    handover_conclude(handover, message, MAIL_ABANDONED, "sender left before the verdict", NULL,
                      now_ns);
}

static void service_conclude(void *context, struct message *message, enum mail_outcome outcome,
                             const char *status, int64_t now_ns)
{
    handover_conclude(context, message, outcome, status, NULL, now_ns);
}

static int64_t service_wall_seconds(void *context, int64_t now_ns)
{
    const struct handover *handover = context;

    return (now_ns + handover->wall_offset_ns) / CLOCK_NS_PER_SECOND;
}

enum status handover_init(struct handover *handover, struct store *store, struct smtp_server *smtp,
                          struct tcp_endpoint *endpoint, struct region_counters *counters,
                          struct peers *peers, struct ring *log, uint32_t worker,
                          const struct config *config)
{
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
    turns_init(&handover->turns);
    handover->inspections = calloc(store->slot_count, sizeof(*handover->inspections));
    if (handover->inspections == NULL)
        return STATUS_NO_MEMORY;
    handover_configure(handover, config);
    smtp->service = (struct smtp_service){
        .context = handover,
        .arrived = service_arrived,
        .submit = service_submit,
        .abandon = service_abandon,
        .conclude = service_conclude,
        .rejected = handover_log_rejected,
        .wall_seconds = service_wall_seconds,
    };
    return STATUS_OK;
}

void handover_fini(struct handover *handover)
{
    free(handover->inspections);
    handover->inspections = NULL;
}

void handover_configure(struct handover *handover, const struct config *config)
{
    handover->scan_limit_ns = config->scanner.time_limit_ns + config->scanner.time_limit_ns / 2;
    handover->verdict_limit_ns = config->limits.verdict_timeout_ns;
    handover->turns.debt_max_ns = handover->verdict_limit_ns / HANDOVER_DEBT_SHARE;
}

/* A peer came or went: attach, or fail what it had. */
static void handover_notice(struct handover *handover, uint32_t slot, uint64_t life, int64_t now_ns)
{
    struct handover_peer *peer = &handover->slots[slot];
    bool scanner = slot != PEERS_CONTROL_SLOT;
    bool was_ready = peer_state_of(peer->life) == PEER_READY;

    /* Answering a sender may bring in its next message at once: nothing goes there any more. */
    peer->life = peer_life(peer_epoch_of(peer->life), PEER_GONE);
    if (was_ready) {
        if (scanner)
            handover_scan_lost(handover, slot, now_ns);
        else
            handover_relay_lost(handover, now_ns);
        CHECK(peer->outstanding == 0);
    }
    peer->life = life;
    if (peer_state_of(life) == PEER_READY)
        channel_attach(&peer->channel, &handover->peers->slots[slot].memory, handover->worker);
    atomic_store_explicit(&handover->peers->seen[handover->worker][slot], life,
                          memory_order_release);
}

static void handover_publish_ready(struct handover *handover)
{
    uint64_t scanners = 0;

    for (uint32_t slot = 0; slot < PEERS_CONTROL_SLOT; slot++)
        scanners += peer_state_of(handover->slots[slot].life) == PEER_READY;
    count_set(handover->counters, COUNTER_SCANNERS_READY, scanners);
    count_set(handover->counters, COUNTER_CONTROL_READY,
              peer_state_of(handover->slots[PEERS_CONTROL_SLOT].life) == PEER_READY);
}

static unsigned handover_notice_changes(struct handover *handover, int64_t now_ns)
{
    uint32_t changes = atomic_load_explicit(&handover->peers->changes, memory_order_acquire);

    if (changes == handover->changes)
        return 0;
    handover->changes = changes;
    for (uint32_t slot = 0; slot < PEERS_SLOTS; slot++) {
        uint64_t life =
            atomic_load_explicit(&handover->peers->slots[slot].life, memory_order_acquire);

        if (life != handover->slots[slot].life)
            handover_notice(handover, slot, life, now_ns);
    }
    handover_publish_ready(handover);
    handover_inspect_vouch(handover);
    return 1;
}

/* Deadlines are seconds; looking at all messages in flight every HANDOVER_SWEEP_NS is bounded by
 * the worker's message slots and costs next to nothing. */
static void handover_sweep(struct handover *handover, int64_t now_ns)
{
    if (now_ns < handover->sweep_ns)
        return;
    handover->sweep_ns = now_ns + HANDOVER_SWEEP_NS;
    handover_scan_sweep(handover, now_ns);
    handover_relay_sweep(handover, now_ns);
}

unsigned handover_poll(struct handover *handover, int64_t now_ns)
{
    unsigned did = handover_notice_changes(handover, now_ns);

    did += handover_scan_answers(handover, now_ns);
    did += handover_relay_answers(handover, now_ns);
    did += handover_inspect_poll(handover, now_ns);
    did += handover_scan_start(handover, now_ns);
    handover_sweep(handover, now_ns);
    return did;
}

uint32_t handover_pending(const struct handover *handover)
{
    return handover->inspecting.count + handover->waiting.count + handover->scanning.count +
           handover->relaying.count;
}
