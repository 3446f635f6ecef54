/* The one outcome of every message, and the lines it leaves in the log. See station.h. */
#include <string.h>

#include "dataplane/handover/station.h"
#include "dataplane/smtp/address.h"
#include "platform/check.h"

_Static_assert(SMTP_PATH_BYTES < LOG_RECIPIENTS_BYTES, "every recipient fits a record");

static const enum counter conclude_counters[] = {
    [MAIL_DELIVERED] = COUNTER_MESSAGE_DELIVERED,
    [MAIL_INFECTED] = COUNTER_MESSAGE_INFECTED,
    [MAIL_UNSCANNABLE] = COUNTER_MESSAGE_UNSCANNABLE,
    [MAIL_RELAY_TEMPORARY] = COUNTER_MESSAGE_RELAY_TEMPORARY,
    [MAIL_RELAY_PERMANENT] = COUNTER_MESSAGE_RELAY_PERMANENT,
    [MAIL_NO_RELAY] = COUNTER_MESSAGE_NO_RELAY,
    [MAIL_TOO_LARGE] = COUNTER_MESSAGE_TOO_LARGE,
    [MAIL_NO_ROOM] = COUNTER_MESSAGE_NO_ROOM,
    [MAIL_MALFORMED] = COUNTER_MESSAGE_MALFORMED,
    [MAIL_CUT_OFF] = COUNTER_MESSAGE_CUT_OFF,
    [MAIL_ABANDONED] = COUNTER_MESSAGE_ABANDONED,
};

/* Copies a string into a fixed field of a zeroed record, cut to fit. */
static void record_text(char *to, size_t size, const char *from)
{
    if (from != NULL)
        memcpy(to, from, strcspn(from, "\r\n") < size ? strcspn(from, "\r\n") : size - 1);
}

static void record_push(struct handover *handover, const struct log_record *record)
{
    if (log_rings_push(handover->log, record) == STATUS_OK)
        return;
    count(handover->counters,
          record->kind == LOG_REJECT ? COUNTER_LOG_REJECTS_LOST : COUNTER_LOG_LOST);
}

/* Microseconds from one station to the next; 0 when either was not reached. */
static uint32_t record_delay(int64_t from_ns, int64_t to_ns)
{
    int64_t us = (to_ns - from_ns) / CLOCK_NS_PER_US;

    if (from_ns == 0 || to_ns == 0 || us < 0)
        return 0;
    return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* Who came to the verdict. A message may end before its inspection does: then `result` is empty. */
static const char *conclude_decided_by(const struct message *message,
                                       const struct inspect_result *result)
{
    if (message->verdict == 0)
        return "none";
    switch (result->decision) {
    case INSPECT_SETTLED:
        return "prefilter";
    case INSPECT_CACHED:
        return "cache";
    case INSPECT_UNDECIDED:
    case INSPECT_SENT_ON:
        break;
    }
    return "scanner";
}

/* The recipients behind the first, as many a record as it holds. `first` is the message's. */
static void conclude_log_more(struct handover *handover, const struct message *message,
                              const struct log_record *first)
{
    struct envelope_cursor at = {0};
    struct log_record record = *first;
    uint32_t seen = 0;
    uint32_t used = 0;

    record.kind = LOG_RECIPIENTS;
    record.recipients = 0;
    while (message_envelope_next(handover->store, message, &at)) {
        if (at.field != ENVELOPE_RECIPIENT || seen++ == 0)
            continue;
        CHECK(at.length < sizeof(record.more));
        if (used + at.length + 1 > sizeof(record.more)) {
            record_push(handover, &record);
            record.recipients = 0;
            used = 0;
        }
        memcpy(record.more + used, at.value, at.length);
        used += at.length;
        record.more[used++] = '\0';
        record.recipients++;
    }
    record_push(handover, &record);
}

static void conclude_log(struct handover *handover, const struct message *message,
                         enum mail_outcome outcome, const char *status, const char *relay,
                         int64_t now_ns)
{
    const struct inspect_result *result = &handover_passage(handover, message)->inspected;
    struct log_record record = {
        .wall_ns = now_ns + handover->wall_offset_ns,
        .kind = LOG_MESSAGE,
        .worker = handover->worker,
        .size = message_size(message),
        .recipients = message->shared->recipient_count,
        .outcome = outcome,
        .verdict = message->verdict,
        .scan_attempts = message->scan_attempts,
        .readings = message->readings,
        .reading = message->reading,
        .delay_envelope_us = record_delay(message->started_ns, message->data_ns),
        .delay_data_us = record_delay(message->data_ns, message->received_ns),
        .delay_scan_us = record_delay(message->received_ns, message->verdict_ns),
        .delay_relay_us = record_delay(message->relay_ns, now_ns),
    };

    record_text(record.id, sizeof(record.id), message->id);
    record_text(record.decided_by, sizeof(record.decided_by), conclude_decided_by(message, result));
    if (result->decision != INSPECT_SETTLED && result->decision != INSPECT_CACHED)
        record_text(record.sent_on, sizeof(record.sent_on), result->reason);
    record_text(record.doubt, sizeof(record.doubt), message->doubt);
    record_text(record.client, sizeof(record.client), message->client);
    record_text(record.helo, sizeof(record.helo), message->helo);
    record_text(record.from, sizeof(record.from), message->sender);
    record_text(record.to, sizeof(record.to), message->recipient);
    if (message->verdict == VERDICT_INFECTED)
        record_text(record.name, sizeof(record.name), message->verdict_name);
    else if (message->verdict == VERDICT_UNSCANNABLE)
        record_text(record.name, sizeof(record.name),
                    unscannable_text((enum unscannable_reason)message->reason));
    record_text(record.relay, sizeof(record.relay), relay);
    record_text(record.engine, sizeof(record.engine), message->engine);
    record_text(record.status, sizeof(record.status), status);
    record_push(handover, &record);
    if (record.recipients > 1)
        conclude_log_more(handover, message, &record);
}

void handover_conclude(struct handover *handover, struct message *message,
                       enum mail_outcome outcome, const char *status, const char *relay,
                       int64_t now_ns)
{
    CHECK((size_t)outcome < sizeof(conclude_counters) / sizeof(conclude_counters[0]));
    CHECK(!message->concluded);
    message->concluded = true;
    count(handover->counters, conclude_counters[outcome]);
    if (message->verdict_ns != 0)
        count_time(handover->counters, HISTOGRAM_VERDICT_TIME,
                   message->verdict_ns - message->received_ns);
    if (message->received_ns != 0 && outcome != MAIL_ABANDONED)
        count_time(handover->counters, HISTOGRAM_REPLY_TIME, now_ns - message->received_ns);
    conclude_log(handover, message, outcome, status, relay, now_ns);
}

void handover_log_rejected(void *context, const char *command, const char *client, const char *helo,
                           const char *sender, const char *recipient, const char *reply,
                           int64_t now_ns)
{
    struct handover *handover = context;
    struct log_record record = {
        .wall_ns = now_ns + handover->wall_offset_ns,
        .kind = LOG_REJECT,
        .worker = handover->worker,
    };

    record_text(record.command, sizeof(record.command), command);
    record_text(record.client, sizeof(record.client), client);
    record_text(record.helo, sizeof(record.helo), helo);
    record_text(record.from, sizeof(record.from), sender);
    record_text(record.to, sizeof(record.to), recipient);
    record_text(record.status, sizeof(record.status), reply);
    record_push(handover, &record);
}
