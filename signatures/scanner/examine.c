#include "signatures/scanner/examine.h"

#include <string.h>

#include "platform/clock.h"
#include "signatures/content/readings/canonical.h"
#include "signatures/content/readings/readings.h"
#include "signatures/scanner/verdict.h"

struct examination {
    struct engine *engine;
    int64_t end_ns; /* its time is over */
    struct canonical mail;
    struct scan_result *result;
};

struct examine_bytes {
    const uint8_t *bytes;
    size_t length;
};

static off_t examine_read(void *context, void *to, size_t count, off_t offset)
{
    const struct examine_bytes *from = context;

    if (offset < 0)
        return -1;
    if ((size_t)offset >= from->length)
        return 0;
    if (count > from->length - (size_t)offset)
        count = from->length - (size_t)offset;
    memcpy(to, from->bytes + offset, count);
    return (off_t)count;
}

static bool examine_goes_on(void *context)
{
    const struct examination *examination = context;

    return clock_monotonic_ns() < examination->end_ns;
}

/* How bad a verdict is. */
static unsigned examine_weight(const struct scan_result *result)
{
    return result->verdict == VERDICT_INFECTED ? 2 : result->verdict == VERDICT_UNSCANNABLE;
}

/* Keeps the worse of the two, the first of equal ones. */
static void examine_worst(struct scan_result *result, const struct scan_result *other)
{
    result->cpu_ns += other->cpu_ns;
    if (examine_weight(other) <= examine_weight(result))
        return;
    result->verdict = other->verdict;
    result->reason = other->reason;
    memcpy(result->name, other->name, sizeof(result->name));
}

static void examine_unscannable(struct scan_result *result, enum unscannable_reason reason,
                                const char *text)
{
    struct scan_result other = {0};

    verdict_unscannable(&other, reason, text);
    examine_worst(result, &other);
}

/* In what is left of its time. */
static void examine_bytes(struct examination *examination, const uint8_t *bytes, size_t length,
                          struct scan_result *result)
{
    struct examine_bytes from = {bytes, length};
    const struct engine_input input = {examine_read, &from, (uint32_t)length};
    int64_t left_ns = examination->end_ns - clock_monotonic_ns();

    if (left_ns < CLOCK_NS_PER_MS) {
        verdict_unscannable(result, UNSCANNABLE_TIME, "no time was left for a reading");
        return;
    }
    engine_limit_time(examination->engine, left_ns);
    engine_scan(examination->engine, &input, result);
}

/* Scans what has been written so far. False: nothing can make it worse. */
static bool examine_mail(struct examination *examination)
{
    struct scan_result other = {0};

    if (examination->mail.parts == 0)
        return true;
    if (canonical_end(&examination->mail) != STATUS_OK)
        verdict_unscannable(&other, UNSCANNABLE_ENGINE_ERROR, "no memory for a reading");
    else
        examine_bytes(examination, examination->mail.bytes, examination->mail.length, &other);
    examine_worst(examination->result, &other);
    return examination->result->verdict != VERDICT_INFECTED;
}

static bool examine_part(struct examination *examination, const struct reading_part *part)
{
    struct canonical *mail = &examination->mail;

    if (mail->parts == 0 || canonical_full(mail, part->length)) {
        if (!examine_mail(examination))
            return false;
        if (canonical_begin(mail) != STATUS_OK) {
            examine_unscannable(examination->result, UNSCANNABLE_ENGINE_ERROR,
                                "no memory for a reading");
            return false;
        }
    }
    if (canonical_add(mail, part) != STATUS_OK) {
        examine_unscannable(examination->result, UNSCANNABLE_ENGINE_ERROR,
                            "no memory for a reading");
        return false;
    }
    examination->result->readings++;
    return true;
}

static void examine_parts(struct examination *examination, const struct readings *readings)
{
    unsigned count = readings_count(readings);

    for (unsigned i = 0; i < count; i++) {
        struct reading_part part = readings_part(readings, i);

        if (!examine_part(examination, &part))
            return;
    }
    (void)examine_mail(examination);
}

/* What the collecting itself says of the message. */
static void examine_outcome(struct scan_result *result, enum status status,
                            const struct readings *readings)
{
    if (status == STATUS_NO_SPACE)
        examine_unscannable(result, UNSCANNABLE_MALFORMED, "more readings than are looked at");
    else if (status == STATUS_TIMED_OUT)
        examine_unscannable(result, UNSCANNABLE_TIME, "no time was left for a reading");
    else if (status != STATUS_OK)
        examine_unscannable(result, UNSCANNABLE_ENGINE_ERROR, "no memory for a reading");
    else if (readings_report(readings)->finding != UNSCANNABLE_NONE)
        examine_unscannable(result, readings_report(readings)->finding,
                            readings_report(readings)->kind);
}

static void examine_readings(struct examination *examination, const uint8_t *bytes, size_t length)
{
    struct readings_limits limits = readings_limits(length);
    struct readings *readings;
    enum status status;
    int64_t started_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);

    limits.go_on = examine_goes_on;
    limits.context = examination;
    status = readings_collect(bytes, length, &limits, &readings);
    examination->result->cpu_ns += (uint64_t)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - started_ns);
    if (readings != NULL)
        examine_parts(examination, readings);
    examine_outcome(examination->result, status, readings);
    canonical_free(&examination->mail);
    readings_free(readings);
}

void examine_message(struct engine *engine, const uint8_t *bytes, uint32_t length, uint32_t flags,
                     struct scan_result *result)
{
    struct examination examination = {
        .engine = engine,
        .end_ns = clock_monotonic_ns() + engine_time_limit(engine),
        .result = result,
    };

    result->flags = flags;
    result->readings = 0;
    examine_bytes(&examination, bytes, length, result);
    if ((flags & SCAN_READINGS) != 0 && result->verdict != VERDICT_INFECTED)
        examine_readings(&examination, bytes, length);
}
