/* A sender's TCP, as small as will do on a link that loses nothing: what the appliance itself drops
 * comes again by a timer, and a window that is shut is asked after. */
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "platform/check.h"

#define CLIENT_SCALE       7u
#define CLIENT_FLIGHT      262144 /* bytes under way at most */
#define CLIENT_RTO_NS      CROWD_SECOND
#define CLIENT_RTO_MOST_NS (8 * CROWD_SECOND)
#define CLIENT_WINDOW      65535u
#define CLIENT_HEADERS     54u

static void client_set_timer(struct client *client, int64_t at_ns)
{
    client->timer_ns = at_ns;
    if (at_ns == 0 || (client->event_ns != 0 && client->event_ns <= at_ns))
        return;
    client->event_ns = at_ns;
    events_add(&client->crowd->events, at_ns, EVENT_PEER, client->index, NULL);
}

static void client_address(uint32_t number, uint8_t address[4])
{
    /* Another network for each: neighbourhoods count as clients, too. */
    address[0] = 10;
    address[1] = (uint8_t)(number >> 8);
    address[2] = (uint8_t)number;
    address[3] = 1;
}

static void client_send(struct client *client, uint8_t flags, int64_t position, const void *bytes,
                        uint32_t length)
{
    struct crowd *crowd = client->crowd;
    const struct ip_interface *interface = &crowd->workers[client->worker].ip.interfaces[0];
    struct wire_segment segment = {
        .source_port = client->port,
        .destination_port = CROWD_PORT,
        .seq = client->iss + (flags & WIRE_SYN ? 0 : 1 + (uint32_t)position),
        .ack = flags & WIRE_SYN ? 0 : client->irs + 1 + client->heard + client->heard_fin,
        .flags = flags,
        .window = client->plan.deaf ? 0 : CLIENT_WINDOW,
        .has_mss = flags & WIRE_SYN,
        .has_scale = flags & WIRE_SYN,
        .mss = client->plan.mss,
        .payload = bytes,
        .payload_length = length,
    };
    struct frame *frame = malloc(sizeof(*frame) + CLIENT_HEADERS + 20 + length);
    uint8_t built[WIRE_FRAME_BYTES_MAX];

    CHECK(frame != NULL);
    memcpy(segment.source_mac, (const uint8_t[]){2, 1, 0, 0, 0, 1}, 6);
    memcpy(segment.destination_mac, interface->mac, 6);
    client_address(client->plan.address, segment.source);
    memcpy(segment.destination, interface->address, 4);
    frame->length = wire_build(&segment, built);
    CHECK(frame->length <= CLIENT_HEADERS + 20 + length);
    memcpy(frame->bytes, built, frame->length);
    if (client->line_ns < crowd->now_ns)
        client->line_ns = crowd->now_ns;
    client->line_ns += (int64_t)frame->length * CROWD_SECOND / client->plan.rate;
    events_add(&crowd->events, client->line_ns + client->plan.delay_ns, EVENT_AT_SERVER,
               client->index, frame);
}

static void client_acknowledge(struct client *client)
{
    client_send(client, WIRE_ACK, client->next, NULL, 0);
}

static void client_segment(struct client *client, int64_t position, uint32_t length)
{
    static uint8_t bytes[CROWD_MTU];

    dialogue_bytes(client, position, length, bytes);
    client_send(client, WIRE_ACK | WIRE_PSH, position, bytes, length);
}

void client_push(struct client *client)
{
    int64_t before = client->next;

    while (client->next < client->end && client->next < client->edge &&
           client->next - client->una < CLIENT_FLIGHT) {
        int64_t length = client->end - client->next;

        if (length > client->plan.mss)
            length = client->plan.mss;
        if (length > client->edge - client->next)
            length = client->edge - client->next;
        client_segment(client, client->next, (uint32_t)length);
        client->next += length;
    }
    if (client->una == client->end)
        client_set_timer(client, 0);
    else if (client->timer_ns == 0 || client->next > before)
        client_set_timer(client, client->line_ns + 2 * client->plan.delay_ns + client->backoff_ns);
}

/* The first missing segment, again; or, where the window is shut, a byte to ask after it. */
void client_timer(struct client *client)
{
    int64_t now_ns = client->crowd->now_ns;

    client->event_ns = 0;
    if (client->timer_ns == 0 || client->state == CLIENT_GONE)
        return;
    if (client->timer_ns > now_ns) {
        client_set_timer(client, client->timer_ns);
        return;
    }
    client->timer_ns = 0;
    if (client->backoff_ns < CLIENT_RTO_MOST_NS)
        client->backoff_ns *= 2;
    if (client->state == CLIENT_SYN_SENT) {
        client_send(client, WIRE_SYN, 0, NULL, 0);
        client_set_timer(client, now_ns + client->backoff_ns);
        return;
    }
    if (client->una < client->next) {
        client->next = client->una;
        client_push(client);
    }
    if (client->una == client->next && client->next < client->end)
        client_segment(client, client->next, 1);
    if (client->timer_ns == 0)
        client_set_timer(client, now_ns + client->backoff_ns);
}

void client_start(struct client *client)
{
    struct crowd *crowd = client->crowd;

    client->state = CLIENT_SYN_SENT;
    client->port = ++crowd->last_port;
    if (client->port < 1024)
        client->port = crowd->last_port = 1024;
    crowd->by_port[client->port] = client->index;
    client->iss = (uint32_t)random_next(&crowd->random);
    client->una = client->next = client->end = 0;
    client->edge = 0;
    client->heard = 0;
    client->heard_fin = false;
    client->said_fin = false;
    client->duplicates = 0;
    client->backoff_ns = CLIENT_RTO_NS;
    client->tries++;
    client->begun_ns = crowd->now_ns;
    dialogue_begin(client);
    client_send(client, WIRE_SYN, 0, NULL, 0);
    client_set_timer(client, crowd->now_ns + client->backoff_ns);
}

static void client_gone(struct client *client)
{
    struct crowd *crowd = client->crowd;

    if (client->state == CLIENT_GONE || client->state == CLIENT_AWAY)
        return;
    client_set_timer(client, 0);
    crowd_live(crowd, client, false, false);
    client->data_ns = 0;
    client->state = CLIENT_GONE;
    if (client->plan.retry_ns > 0 && !crowd->ending &&
        (client->code / 100 == 4 || client->plan.grab != GRAB_NOTHING || client->plan.mute)) {
        client->state = CLIENT_AWAY;
        events_add(&crowd->events, crowd->now_ns + client->plan.retry_ns, EVENT_START,
                   client->index, NULL);
    }
    if (client->state == CLIENT_GONE)
        crowd->clients_left--;
}

void client_leave(struct client *client)
{
    if (client->state == CLIENT_OPEN)
        client_send(client, WIRE_RST | WIRE_ACK, client->next, NULL, 0);
    if (client->state == CLIENT_AWAY)
        client->crowd->clients_left--;
    client_gone(client);
    client->state = CLIENT_GONE;
}

static void client_connected(struct client *client, const struct wire_segment *segment)
{
    if (client->state != CLIENT_SYN_SENT || !(segment->flags & WIRE_SYN) ||
        segment->ack != client->iss + 1)
        return;
    client->state = CLIENT_OPEN;
    client->irs = segment->seq;
    client->scale = segment->has_scale ? segment->scale : 0;
    client->edge = segment->window;
    client->backoff_ns = CLIENT_RTO_NS;
    client_set_timer(client, 0);
    if (segment->has_mss && segment->mss < client->plan.mss)
        client->plan.mss = segment->mss;
    client_acknowledge(client);
    dialogue_grab(client);
    client_push(client);
}

static void client_acknowledged(struct client *client, const struct wire_segment *segment)
{
    int64_t acked =
        client->una + (int32_t)(segment->ack - (client->iss + 1 + (uint32_t)client->una));
    int64_t edge = acked + ((int64_t)segment->window << client->scale);

    if (acked > client->end + client->said_fin) {
        crowd_fail(client->crowd, "client %u: %lld bytes are acknowledged, %lld were said",
                   client->index, (long long)acked, (long long)client->end);
        return;
    }
    if (acked > client->una) {
        client->una = acked < client->end ? acked : client->end;
        client->duplicates = 0;
        client->backoff_ns = CLIENT_RTO_NS;
    } else if (acked == client->una && edge <= client->edge && client->una < client->next &&
               segment->payload_length == 0 && ++client->duplicates == 3) {
        client_segment(client, client->una,
                       (uint32_t)(client->next - client->una < client->plan.mss
                                      ? client->next - client->una
                                      : client->plan.mss));
    }
    if (client->next < client->una)
        client->next = client->una;
    dialogue_acknowledged(client);
    if (edge > client->edge) {
        client->edge = edge;
        client->backoff_ns = CLIENT_RTO_NS;
    }
}

static void client_replies(struct client *client, const struct wire_segment *segment)
{
    uint32_t expected = client->irs + 1 + client->heard;

    if (segment->payload_length == 0 && !(segment->flags & WIRE_FIN))
        return;
    if (segment->seq != expected || client->heard_fin || client->plan.deaf ||
        client->plan.grab == GRAB_REPLIES || (client->plan.mute && client->dot_ns != 0)) {
        client_acknowledge(client);
        return;
    }
    client->heard += segment->payload_length;
    client->heard_fin = segment->flags & WIRE_FIN;
    client_acknowledge(client);
    dialogue_heard(client, segment->payload, segment->payload_length);
    if (!client->heard_fin || client->state != CLIENT_OPEN)
        return;
    client->said_fin = true;
    client_send(client, WIRE_FIN | WIRE_ACK, client->next, NULL, 0);
    client_gone(client);
}

void client_input(struct client *client, const struct frame *frame)
{
    struct wire_segment segment;
    const char *wrong = wire_read(frame->bytes, frame->length, &segment);

    if (wrong != NULL) {
        crowd_fail(client->crowd, "client %u: a frame is %s", client->index, wrong);
        return;
    }
    if (segment.destination_port != client->port)
        return;
    if (segment.flags & WIRE_RST) {
        client_gone(client);
        return;
    }
    if (client->state == CLIENT_SYN_SENT)
        client_connected(client, &segment);
    else if (client->state == CLIENT_OPEN && !(segment.flags & WIRE_SYN)) {
        client_acknowledged(client, &segment);
        client_replies(client, &segment);
        if (client->state == CLIENT_OPEN)
            client_push(client);
    }
}
