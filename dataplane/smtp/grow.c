/* While a message comes in: it has the room it was granted, and asks for more in time. Who has to
 * wait gets no window beyond what was promised, which its grant covers. */
#include "dataplane/counting.h"
#include "dataplane/smtp/state.h"

#define GROW_STEP 8u /* blocks asked for beyond what is needed now */

/* False: not yet, or, when `*over`, never. */
static bool grow_ask(struct smtp_call *call, bool *over)
{
    struct admission *admission = &call->server->store->admission;
    struct message *message = call->session->message;
    struct admission_entry *entry = &message->admission;
    uint32_t claim = smtp_admit_blocks(call, smtp_message_bytes(call));
    uint32_t need = smtp_admit_blocks(call, message_size(message));
    uint32_t ask = need + GROW_STEP;

    *over = false;
    if (entry->stage == ADMISSION_NONE || need <= entry->granted)
        return true;
    if (entry->stage == ADMISSION_SURE && !admission_exceed(admission, entry, claim)) {
        *over = true;
        return false;
    }
    if (ask > entry->claim)
        ask = need > entry->claim ? need : entry->claim;
    return admission_grow(admission, entry, ask, call->now_ns);
}

/* Until then there is nothing to ask for. */
static void grow_note(const struct smtp_call *call)
{
    struct message *message = call->session->message;
    const struct admission_entry *entry = &message->admission;

    message->granted_bytes =
        entry->stage == ADMISSION_NONE ? UINT32_MAX : smtp_admit_fits(call, entry->granted);
}

static void grow_wait(struct smtp_call *call)
{
    count(call->server->counters, COUNTER_ADMISSION_WAITS);
    stream_expect(call->stream, STREAM_EXPECT_NOTHING);
}

void smtp_grow(struct smtp_call *call)
{
    bool over;

    if (message_size(call->session->message) <= call->session->message->granted_bytes ||
        smtp_grow_waits(call->session))
        return;
    if (grow_ask(call, &over))
        grow_note(call);
    else if (over)
        smtp_data_refuse(call, MAIL_NO_ROOM, SMTP_FAULT_NONE);
    else
        grow_wait(call);
}

void smtp_grow_again(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    struct admission_entry *entry = &session->message->admission;
    int64_t waited_ns = call->now_ns - entry->since_ns;
    int64_t since_ns = entry->since_ns;
    bool over;

    if (grow_ask(call, &over) && stream_expect(call->stream, STREAM_EXPECT_DATA)) {
        entry->since_ns = 0;
        session->paid_ns += waited_ns; /* it could not send */
        pace_begin(&session->message->pace, session->message->shared->size, call->now_ns);
        return;
    }
    entry->since_ns = since_ns;
    if (!over && waited_ns >= SMTP_SHED_AFTER_NS)
        (void)smtp_shed(call, SMTP_SHED_FOR_ROOM);
    if (over || admission_overdue(entry, smtp_config(call)->limits.admission_wait_ns, call->now_ns))
        smtp_data_refuse(call, MAIL_NO_ROOM, SMTP_FAULT_NONE);
}
