/* What a sender's mail is: a subject that says whose it is, then lines that are each another. Made
 * where it is needed: sixty of 45 MB are not kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "platform/link/message_view.h"

#define BODY_HEAD_BYTES  21u /* "Subject: 12345678" and an empty line */
#define BODY_LINE_BYTES  64u
#define BODY_CHECK_BYTES 65536u

/* Line `number`, the last one cut so that the mail ends with CRLF. */
static void body_line(const struct client *client, uint32_t number, uint8_t line[BODY_LINE_BYTES])
{
    uint64_t value =
        ((uint64_t)client->index + 1) * 2654435761u + number * UINT64_C(11400714819323198485);

    for (unsigned i = 0; i < 16; i++)
        line[i] = (uint8_t)('a' + (value >> (4 * i) & 15));
    memset(line + 16, 'q', BODY_LINE_BYTES - 18);
    line[BODY_LINE_BYTES - 2] = '\r';
    line[BODY_LINE_BYTES - 1] = '\n';
}

void body_bytes(const struct client *client, uint32_t from, uint32_t length, uint8_t *to)
{
    uint32_t total = client->plan.body_bytes;
    uint8_t line[BODY_LINE_BYTES];
    char head[32];

    (void)snprintf(head, sizeof(head), "Subject: %08u\r\n\r\n", client->index);
    while (length > 0) {
        uint32_t part = 1;

        if (from < BODY_HEAD_BYTES) {
            *to = (uint8_t)head[from];
        } else if (from >= total - 2) {
            *to = (uint8_t)(from == total - 2 ? '\r' : '\n');
        } else {
            uint32_t at = (from - BODY_HEAD_BYTES) % BODY_LINE_BYTES;

            body_line(client, (from - BODY_HEAD_BYTES) / BODY_LINE_BYTES, line);
            part = BODY_LINE_BYTES - at;
            if (part > length)
                part = length;
            if (part > total - 2 - from)
                part = total - 2 - from;
            memcpy(to, line + at, part);
            /* Its last line may end where a CR of it would stand alone. */
            if (from + part == total - 2 && to[part - 1] == '\r')
                to[part - 1] = 'q';
        }
        to += part;
        from += part;
        length -= part;
    }
}

static struct client *body_owner(struct crowd *crowd, const struct message_view *view)
{
    char head[BODY_HEAD_BYTES + 1] = {0};
    unsigned long index;

    if (message_view_read(view, view->trace_size, head, BODY_HEAD_BYTES) != BODY_HEAD_BYTES)
        return NULL;
    index = strtoul(head + 9, NULL, 10);
    return index < crowd->client_count ? &crowd->clients[index] : NULL;
}

static bool body_same(const struct client *client, const struct message_view *view)
{
    static uint8_t got[BODY_CHECK_BYTES];
    static uint8_t wanted[BODY_CHECK_BYTES];
    uint32_t at = 0;

    if (view->size - view->trace_size != client->plan.body_bytes)
        return false;
    while (at < client->plan.body_bytes) {
        uint32_t left = client->plan.body_bytes - at;
        uint32_t part = left < BODY_CHECK_BYTES ? left : BODY_CHECK_BYTES;

        if (message_view_read(view, view->trace_size + at, got, part) != part)
            return false;
        body_bytes(client, at, part, wanted);
        if (memcmp(got, wanted, part) != 0)
            return false;
        at += part;
    }
    return true;
}

struct client *body_check(struct crowd *crowd, uint32_t message, uint32_t generation,
                          uint32_t length)
{
    struct message_view view;
    struct client *client;

    if (message_view_open(&view, &crowd->region, message, generation, length) != STATUS_OK) {
        crowd_fail(crowd, "message %u is not what was handed over", message);
        return NULL;
    }
    client = body_owner(crowd, &view);
    if (client == NULL || !body_same(client, &view)) {
        crowd_fail(crowd, "message %u of %u bytes is not what was sent", message, length);
        client = NULL;
    }
    message_view_close(&view);
    return client;
}
