/* DATA, up to its 354: it comes when there is room for the message, or for its first share when its
 * size is not announced (dataplane/message/admission.h). */
#include "dataplane/counting.h"
#include "dataplane/smtp/received.h"
#include "dataplane/smtp/state.h"
#include "platform/sums.h"

#define ADMIT_SHARE_BYTES 262144u /* with which a message of unknown size begins */
#define ADMIT_SHARE_MIN   4u      /* blocks; a store in which that is too much is not divided */

static enum status admit_trace(struct smtp_call *call, struct message *message)
{
    struct smtp_server *server = call->server;
    char text[SMTP_RECEIVED_BYTES];
    struct smtp_received received = {
        .helo = message->helo,
        .client = message->client,
        .host = smtp_config(call)->hostname,
        .id = message->id,
        .recipient = message->shared->recipient_count == 1 ? message->recipient : NULL,
        .esmtp = call->session->esmtp,
        .wall_seconds = server->service.wall_seconds(server->service.context, call->now_ns),
    };
    enum status status =
        message_append_bytes(server->store, message, text, smtp_received_write(&received, text));

    if (status == STATUS_OK)
        message_mark_trace(message);
    return status;
}

uint32_t smtp_admit_blocks(const struct smtp_call *call, uint64_t bytes)
{
    return (uint32_t)sums_message_blocks(bytes, call->server->window_bytes);
}

uint32_t smtp_admit_fits(const struct smtp_call *call, uint32_t blocks)
{
    uint32_t others = smtp_admit_blocks(call, 0);
    uint32_t data = blocks > others ? blocks - others : 0;

    return (data - (data + 1) / (uint32_t)(MESSAGE_EXTENTS_PER_BLOCK + 1)) * MESSAGE_BLOCK_BYTES;
}

/* What the message begins with. A first share is no more than the small part. */
static struct admission_request admit_request(const struct smtp_call *call)
{
    const struct admission *admission = &call->server->store->admission;
    uint64_t announced = call->session->announced_bytes;
    uint32_t share = smtp_admit_blocks(call, ADMIT_SHARE_BYTES);
    const struct message *message = call->session->message;
    struct admission_request request;

    if (share > admission->small_capacity)
        share = admission->small_capacity;
    request.claim = smtp_admit_blocks(call, announced > 0 ? announced : smtp_message_bytes(call));
    request.small = announced == 0 || request.claim <= share;
    request.sure = announced > 0 || request.claim <= share;
    request.blocks = request.sure ? request.claim : share;
    for (unsigned i = 0; i < 2; i++)
        request.client[i] = message->counted
                                ? senders_client(&call->server->store->senders, &message->place, i)
                                : NULL;
    return request;
}

/* False: there is no room yet. */
static bool admit_enter(struct smtp_call *call)
{
    struct store *store = call->server->store;
    struct admission_entry *entry = &call->session->message->admission;
    struct admission_request request = admit_request(call);

    if (store->admission.small_capacity < ADMIT_SHARE_MIN)
        return true;
    return (entry->stage != ADMISSION_NONE && entry->stage != ADMISSION_WAITING) ||
           admission_enter(&store->admission, entry, &request, call->now_ns);
}

void smtp_admit_fit(struct smtp_server *server)
{
    const struct config_limits *limits = &smtp_customers_config(server->customers)->limits;
    struct smtp_call call = {.server = server};
    struct admission *admission = &server->store->admission;
    uint64_t fits = 0;

    server->window_bytes = limits->window_bytes;
    admission_fit(admission, smtp_admit_blocks(&call, limits->message_bytes));
    server->message_bytes = UINT32_MAX;
    if (admission->small_capacity < ADMIT_SHARE_MIN)
        return;
    for (uint64_t step = UINT64_C(1) << 31; step > 0; step /= 2) {
        if (admission_possible(admission, smtp_admit_blocks(&call, fits + step)))
            fits += step;
    }
    server->message_bytes = fits;
}

static void admit_refuse(struct smtp_call *call)
{
    smtp_transaction_end(call, MAIL_NO_ROOM, smtp_refusal_text(MAIL_NO_ROOM, SMTP_FAULT_NONE));
    smtp_say(call, smtp_refusal_text(MAIL_NO_ROOM, SMTP_FAULT_NONE));
}

static void admit_wait(struct smtp_call *call)
{
    struct admission_entry *entry = &call->session->message->admission;

    if (entry->since_ns == 0)
        entry->since_ns = call->now_ns;
    if (entry->since_ns == call->now_ns)
        count(call->server->counters, COUNTER_ADMISSION_WAITS);
    if (admission_overdue(entry, smtp_config(call)->limits.admission_wait_ns, call->now_ns))
        admit_refuse(call);
    else
        stream_set_deadline(call->stream, call->now_ns + SMTP_ADMISSION_POLL_NS);
}

/* Somebody else's slow mail may make room, unless what it waits for is with its own client. */
static bool admit_shed(struct smtp_call *call)
{
    const struct admission_entry *entry = &call->session->message->admission;
    struct admission_request request = admit_request(call);

    if (entry->stage != ADMISSION_NONE)
        return smtp_shed(call, SMTP_SHED_FOR_ROOM);
    return !admission_crowds(&call->server->store->admission, &request) &&
           smtp_shed(call, SMTP_SHED_FOR_SHARE);
}

static bool admit_room(struct smtp_call *call)
{
    const struct admission_entry *entry = &call->session->message->admission;

    if (admit_enter(call))
        return true;
    return call->now_ns - entry->since_ns >= SMTP_SHED_AFTER_NS && admit_shed(call) &&
           admit_enter(call);
}

static bool admit_window(struct smtp_call *call)
{
    return stream_expect(call->stream, STREAM_EXPECT_DATA) ||
           (smtp_shed(call, SMTP_SHED_FOR_ANY) && stream_expect(call->stream, STREAM_EXPECT_DATA));
}

void smtp_admit_again(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    struct message *message = session->message;
    int64_t since_ns = message->admission.since_ns;

    if (!admit_room(call) || !admit_window(call)) {
        if (since_ns != 0)
            message->admission.since_ns = since_ns; /* for room or for a window: it is one wait */
        admit_wait(call);
        return;
    }
    message->admission.since_ns = 0;
    pace_begin(&message->pace, 0, call->now_ns);
    message->data_ns = call->now_ns;
    session->paid_ns = call->now_ns + smtp_config(call)->limits.data_timeout_ns;
    if (admit_trace(call, message) != STATUS_OK) {
        stream_expect(call->stream, STREAM_EXPECT_COMMANDS);
        admit_refuse(call);
        return;
    }
    smtp_move(call, SMTP_DATA);
    session->scan = SMTP_SCAN_LINE_START;
    session->in_header = true;
    session->field_match = 0;
    session->received_fields = 0;
    session->drained_bytes = 0;
    session->fault = SMTP_FAULT_NONE;
    smtp_say(call, "354 End data with <CR><LF>.<CR><LF>");
}

void smtp_admit(struct smtp_call *call)
{
    smtp_move(call, SMTP_ADMITTING);
    smtp_admit_again(call);
}
