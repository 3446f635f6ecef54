#include "dataplane/policy/attempt.h"

#include "platform/check.h"

static uint32_t attempt_flags(const struct message *message)
{
    return message->all_readings ? SCAN_READINGS : 0;
}

bool attempt_begin(struct message *message, struct channel *channel, uint64_t job, uint32_t slot,
                   int64_t now_ns)
{
    struct scan_job item = {
        .job = job,
        .message = message->index,
        .generation = message->generation,
        .length = message->shared->size,
        .tier = SCAN_TIER_FULL,
        .kind = JOB_SCAN,
        .flags = attempt_flags(message),
        .deadline_ns = message->deadline_ns,
        .signatures = message->signatures,
    };

    CHECK(message->job == 0 && job != 0);
    CHECK(message->scan_attempts < ATTEMPTS_MAX);
    /* One job at a time cannot fill the ring. */
    if (ring_push(&channel->jobs, &item) != STATUS_OK)
        return false;
    message->job = job;
    message->scanner_slot = slot;
    message->started = false;
    message->reason = UNSCANNABLE_NONE;
    message->handed_ns = now_ns;
    if (message->scan_ns == 0)
        message->scan_ns = now_ns;
    return true;
}

bool attempt_busy(const struct channel *channel)
{
    return atomic_load_explicit(channel->busy, memory_order_relaxed) != 0;
}

bool attempt_named(const struct message *message, const struct scan_result *answer, uint32_t slot)
{
    return message != NULL && message->job != 0 && message->job == answer->job &&
           message->index == answer->message && message->generation == answer->generation &&
           message->scanner_slot == slot && answer->kind == JOB_SCAN &&
           answer->flags == attempt_flags(message) && answer->signatures == message->signatures;
}

static void attempt_printable(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

bool attempt_sensible(struct scan_result *answer)
{
    if (answer->verdict < VERDICT_CLEAN || answer->verdict > VERDICT_UNSCANNABLE)
        return false;
    if (answer->verdict == VERDICT_UNSCANNABLE &&
        (answer->reason == UNSCANNABLE_NONE || answer->reason >= UNSCANNABLE_COUNT))
        return false;
    if (answer->reading > answer->readings)
        return false;
    attempt_printable(answer->name, sizeof(answer->name));
    attempt_printable(answer->doubt, sizeof(answer->doubt));
    return answer->verdict != VERDICT_INFECTED || answer->name[0] != '\0';
}

bool attempt_overdue(struct message *message, const struct channel *channel, int64_t limit_ns,
                     int64_t now_ns)
{
    CHECK(message->job != 0);
    if (!message->started && attempt_busy(channel)) {
        message->started = true;
        message->deadline_ns = now_ns + limit_ns;
    }
    return now_ns >= message->deadline_ns + (message->started ? 0 : limit_ns);
}

void attempt_spoil(struct message *message)
{
    message->started = true;
    message->reason = UNSCANNABLE_BAD_ANSWER;
}

bool attempt_again(struct message *message, bool time_left)
{
    CHECK(message->job == 0);
    if (message->started)
        message->scan_attempts++;
    CHECK(message->scan_attempts <= ATTEMPTS_MAX);
    if (message->scan_attempts < ATTEMPTS_MAX && time_left) {
        message->reason = UNSCANNABLE_NONE;
        return true;
    }
    if (message->reason == UNSCANNABLE_NONE)
        message->reason = UNSCANNABLE_SCANNER_DIED;
    return false;
}
