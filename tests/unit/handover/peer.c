#include "tests/unit/handover/peer.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/check.h"

void peer_connect(struct peer *peer, const char *path, enum link_kind kind, uint32_t slots,
                  uint32_t flags)
{
    struct link_message hello = {.type = LINK_HELLO, .kind = kind, .slots = slots, .flags = flags};

    memset(peer, 0, sizeof(*peer));
    peer->region.fd = -1;
    peer->kind = kind;
    for (uint32_t i = 0; i < LINK_SLOTS_MAX; i++) {
        peer->slots[i].memory.fd = -1;
        peer->slots[i].memory.kind = kind == LINK_KIND_CONTROL ? CHANNEL_CONTROL : CHANNEL_SCANNER;
    }
    CHECK(link_connect(path, &peer->fd) == STATUS_OK);
    CHECK(link_send(peer->fd, &hello, -1) == STATUS_OK);
}

static void peer_channel(struct peer *peer, const struct link_message *message, int fd)
{
    struct peer_channels *slot = &peer->slots[message->slot];
    enum channel_kind kind = slot->memory.kind;

    CHECK(peer->welcomed && message->slot < LINK_SLOTS_MAX && fd >= 0);
    CHECK(message->epoch > slot->epoch); /* a new incarnation each time */
    channel_memory_close(&slot->memory);
    CHECK(channel_memory_open(&slot->memory, kind, peer->workers, fd) == STATUS_OK);
    slot->epoch = message->epoch;
    slot->ready = false;
    for (uint32_t i = 0; i < peer->workers; i++)
        channel_attach(&slot->channel[i], &slot->memory, i);
    if (!peer->passive) {
        slot->ready = true;
        peer_say(peer, LINK_READY, message->slot, slot->epoch, PEER_ENGINE);
    }
}

void peer_hear(struct peer *peer)
{
    while (!peer->ended) {
        struct link_message message;
        int fd;
        enum status status = link_receive(peer->fd, &message, &fd);

        if (status == STATUS_AGAIN)
            return;
        if (status != STATUS_OK) {
            peer->ended = true;
            if (!peer->holds)
                (void)shutdown(peer->fd, SHUT_RDWR);
            return;
        }
        switch ((enum link_type)message.type) {
        case LINK_WELCOME:
            CHECK(!peer->welcomed && message.workers <= PEER_WORKERS_MAX);
            CHECK((fd < 0) == (peer->kind == LINK_KIND_SUPERVISOR));
            CHECK(fd < 0 || region_open(&peer->region, fd) == STATUS_OK);
            peer->welcomed = true;
            peer->workers = message.workers;
            break;
        case LINK_CHANNEL:
            peer_channel(peer, &message, fd);
            break;
        case LINK_KILL:
            CHECK(fd < 0 && message.slot < LINK_SLOTS_MAX);
            peer->slots[message.slot].kills++;
            peer->slots[message.slot].kill_epoch = message.epoch;
            break;
        case LINK_SERVE:
            CHECK(fd < 0);
            peer->serve_count++;
            peer->serving = message.slots;
            break;
        default:
            CHECK(message.type == LINK_WELCOME); /* the dataplane says nothing else */
        }
    }
}

void peer_say(struct peer *peer, enum link_type type, uint32_t slot, uint32_t epoch,
              const char *text)
{
    struct link_message message = {.type = type, .slot = slot, .epoch = epoch};

    strncpy(message.text, text, sizeof(message.text) - 1);
    if (type == LINK_READY)
        message.identity = peer->identity;
    CHECK(link_send(peer->fd, &message, -1) == STATUS_OK);
}

void peer_gone(struct peer *peer, uint32_t slot)
{
    peer_say(peer, LINK_GONE, slot, peer->slots[slot].epoch, "signal 9");
}

void peer_close(struct peer *peer)
{
    for (uint32_t i = 0; i < LINK_SLOTS_MAX; i++)
        channel_memory_close(&peer->slots[i].memory);
    region_close(&peer->region);
    close(peer->fd);
    peer->ended = true;
}

bool peer_scan(struct peer *peer, uint32_t slot, uint32_t worker, struct scan_job *job)
{
    struct channel *channel = &peer->slots[slot].channel[worker];

    if (peer->slots[slot].epoch == 0 || ring_pop(&channel->jobs, job) != STATUS_OK)
        return false;
    atomic_store(channel->busy, 1);
    return true;
}

struct scan_result peer_result(const struct scan_job *job, enum verdict_kind verdict,
                               enum unscannable_reason reason, const char *name)
{
    struct scan_result result = {.job = job->job,
                                 .message = job->message,
                                 .generation = job->generation,
                                 .verdict = verdict,
                                 .reason = reason,
                                 .kind = job->kind,
                                 .flags = job->flags,
                                 .signatures = job->signatures};

    strncpy(result.name, name, sizeof(result.name) - 1);
    return result;
}

void peer_answer(struct peer *peer, uint32_t slot, uint32_t worker,
                 const struct scan_result *result)
{
    struct channel *channel = &peer->slots[slot].channel[worker];

    CHECK(ring_push(&channel->results, result) == STATUS_OK);
    atomic_store(channel->busy, 0);
}

bool peer_relay(struct peer *peer, uint32_t worker, struct relay_job *job)
{
    return peer->slots[0].epoch != 0 &&
           ring_pop(&peer->slots[0].channel[worker].jobs, job) == STATUS_OK;
}

struct relay_result peer_relayed(const struct relay_job *job, enum relay_outcome outcome,
                                 uint32_t code, const char *text)
{
    struct relay_result result = {.job = job->job,
                                  .message = job->message,
                                  .generation = job->generation,
                                  .outcome = outcome,
                                  .code = code,
                                  .kind = job->kind,
                                  .relay = "mail.acme.example[198.18.0.9]:25"};

    strncpy(result.text, text, sizeof(result.text) - 1);
    return result;
}

void peer_answer_relay(struct peer *peer, uint32_t worker, const struct relay_result *result)
{
    CHECK(ring_push(&peer->slots[0].channel[worker].results, result) == STATUS_OK);
}
