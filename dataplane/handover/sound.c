/* What must hold between two polls: each message on exactly one list, what is out at a peer counted
 * once. See handover.h, handover_sound(). */
#include "dataplane/handover/station.h"
#include "platform/check.h"

/* How many are on the list; each is linked both ways and stands at `at`. */
static uint32_t sound_list(const struct handover *handover, const struct message_list *list,
                           enum station at)
{
    const struct message *previous = NULL;
    uint32_t count = 0;

    for (const struct message *message = list->first; message != NULL; message = message->next) {
        const struct passage *passage =
            &handover->passages[message->index - handover->store->slot_first];

        CHECK(message->previous == previous);
        CHECK(message->stage != MESSAGE_FREE);
        CHECK(passage->at == at && passage->listed == (at == STATION_INSPECT));
        CHECK(count < list->count);
        previous = message;
        count++;
    }
    CHECK(list->last == previous && list->count == count);
    return count;
}

static uint32_t sound_inspecting(const struct handover *handover)
{
    uint32_t submitted = 0;

    (void)sound_list(handover, &handover->inspecting, STATION_INSPECT);
    for (const struct message *message = handover->inspecting.first; message != NULL;
         message = message->next) {
        CHECK(message->job == 0 && !message->waiting && !message->concluded);
        submitted += message->stage != MESSAGE_RECEIVING;
    }
    return submitted;
}

static uint32_t sound_waiting(const struct handover *handover)
{
    for (const struct message *message = handover->waiting.first; message != NULL;
         message = message->next) {
        CHECK(message->waiting && message->job == 0 && !message->concluded);
        CHECK(message->stage == MESSAGE_SCANNING);
        CHECK(message->next == NULL || message->deadline_ns <= message->next->deadline_ns);
    }
    return sound_list(handover, &handover->waiting, STATION_SCAN);
}

static uint32_t sound_scanning(const struct handover *handover)
{
    uint32_t outstanding = 0;

    for (const struct message *message = handover->scanning.first; message != NULL;
         message = message->next) {
        CHECK(!message->waiting && message->job != 0 && message->job <= handover->job);
        CHECK(message->stage == MESSAGE_SCANNING &&
              message->scanner_slot < handover->peers->scanner_slots);
        CHECK(handover->slots[message->scanner_slot].outstanding == 1);
    }
    for (uint32_t slot = 0; slot < handover->peers->scanner_slots; slot++) {
        const struct handover_peer *peer = &handover->slots[slot];

        CHECK(peer->outstanding <= 1);
        outstanding += peer->outstanding;
        CHECK(peer->outstanding == 0 || handover_peer_reads(peer->life));
    }
    /* One each, and none for nobody. */
    CHECK(outstanding == handover->scanning.count);
    return sound_list(handover, &handover->scanning, STATION_SCAN);
}

static uint32_t sound_relaying(const struct handover *handover)
{
    uint32_t count = sound_list(handover, &handover->relaying, STATION_RELAY);

    for (const struct message *message = handover->relaying.first; message != NULL;
         message = message->next) {
        CHECK(!message->waiting && message->job != 0 && message->job <= handover->job);
        CHECK(message->stage == MESSAGE_RELAYING);
    }
    CHECK(handover->slots[peers_control(handover->peers)].outstanding == count);
    return count;
}

bool handover_sound(const struct handover *handover)
{
    const struct store *store = handover->store;
    uint32_t listed = sound_inspecting(handover) + sound_waiting(handover) +
                      sound_scanning(handover) + sound_relaying(handover);
    uint32_t submitted = 0;

    for (uint32_t i = 0; i < store->slot_count; i++) {
        const struct message *message = &store->messages[i];

        submitted += message->stage == MESSAGE_SCANNING || message->stage == MESSAGE_RELAYING;
        /* An end is an end, but for what a peer still reads. */
        CHECK(message->stage == MESSAGE_FREE || !message->concluded || message->job != 0);
    }
    CHECK(listed == submitted);
    return turns_sound(&handover->turns, handover->waiting.count, handover->scanning.count);
}
