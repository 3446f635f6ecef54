/* Messages whose outcome is known: the sender, if one still waits, hears it. See station.h. */
#include "dataplane/handover/station.h"
#include "dataplane/policy/reply.h"
#include "platform/check.h"

static enum station answer_start(struct handover *handover, struct message *message, int64_t now_ns)
{
    struct passage *passage = handover_passage(handover, message);
    struct stream *stream = stream_find(handover->endpoint, message->owner);
    char reply[SMTP_RESULT_BYTES + 1];
    size_t length = policy_reply(message, &passage->result, reply, SMTP_RESULT_BYTES);

    reply[length] = '\0';
    /* Concluded first: what the sender said behind it is heard from within smtp_finish(). */
    handover_conclude(handover, message, passage->result.outcome, reply, passage->relay, now_ns);
    if (stream != NULL)
        smtp_finish(handover->smtp, stream, message, reply, length, now_ns);
    return STATION_NONE;
}

const struct station_row station_answer = {.start = answer_start};
