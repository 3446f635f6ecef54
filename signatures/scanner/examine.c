#include "signatures/scanner/examine.h"

#include <string.h>

#include "platform/clock.h"
#include "signatures/content/readings/canonical.h"
#include "signatures/content/readings/clear.h"
#include "signatures/content/readings/readings.h"
#include "signatures/scanner/opened.h"
#include "signatures/scanner/verdict.h"

/* What is in a mail of ours is scanned as it is written, decoded, and in normal forms. */
#define EXAMINE_SHARE 8u

struct examination {
    struct engine *engine;
    int64_t end_ns; /* its time is over */
    struct scan_result *result;
    const struct readings *readings;
    struct canonical mail;
    unsigned first; /* reading in the mail */
    struct opened opened;
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
    if (result->verdict == VERDICT_INFECTED)
        return 3;
    if (result->verdict != VERDICT_UNSCANNABLE)
        return 0;
    return result->reason == UNSCANNABLE_ENCRYPTED_MAIL ? 1 : 2; /* which may be delivered */
}

/* Keeps the worse of the two, the first of equal ones. `reading`: whose the other one is, from 1.
 */
static void examine_worst(struct scan_result *result, const struct scan_result *other,
                          unsigned reading)
{
    result->cpu_ns += other->cpu_ns;
    if (examine_weight(other) <= examine_weight(result))
        return;
    result->verdict = other->verdict;
    result->reason = other->reason;
    result->reading = reading;
    memcpy(result->name, other->name, sizeof(result->name));
}

static void examine_unscannable(struct scan_result *result, enum unscannable_reason reason,
                                const char *text)
{
    struct scan_result other = {0};

    verdict_unscannable(&other, reason, text);
    examine_worst(result, &other, 0);
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

/* Writes the readings from the first of the mail up to `end` and scans them. */
static void examine_mail(struct examination *examination, unsigned first, unsigned end,
                         struct scan_result *result)
{
    struct canonical *mail = &examination->mail;
    enum status status = canonical_begin(mail);

    for (unsigned i = first; i < end && status == STATUS_OK; i++) {
        const struct reading_part part = readings_part(examination->readings, i);

        status = canonical_add(mail, &part);
    }
    if (status == STATUS_OK)
        status = canonical_end(mail);
    if (status == STATUS_OK)
        examine_bytes(examination, mail->bytes, mail->length, result);
    else
        verdict_unscannable(result, UNSCANNABLE_ENGINE_ERROR, "no memory for a reading");
}

/* Many readings in one mail may be over a limit that none of them is over; and which of them is
 * infected is worth to be known. So each is looked at alone. */
static void examine_singly(struct examination *examination, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end && examination->result->verdict != VERDICT_INFECTED; i++) {
        struct scan_result other = {0};

        examine_mail(examination, i, i + 1, &other);
        examine_worst(examination->result, &other, i + 1);
    }
}

static void examine_together(struct examination *examination, unsigned first, unsigned end)
{
    struct scan_result other = {0};
    bool limit;

    examine_mail(examination, first, end, &other);
    limit = other.verdict == VERDICT_UNSCANNABLE && other.reason == UNSCANNABLE_LIMIT;
    if (end - first > 1 && (limit || other.verdict == VERDICT_INFECTED))
        examine_singly(examination, first, end);
    if (limit && end - first > 1)
        examination->result->cpu_ns += other.cpu_ns;
    else
        examine_worst(examination->result, &other, first + 1);
}

/* As many of the readings from `first` on as go into one mail. */
static unsigned examine_fill(const struct examination *examination, unsigned first)
{
    unsigned count = readings_count(examination->readings);
    uint64_t room = engine_scan_bytes(examination->engine) / EXAMINE_SHARE;
    uint64_t bytes = readings_part(examination->readings, first).length;
    unsigned end = first + 1;

    if (room > CANONICAL_BYTES)
        room = CANONICAL_BYTES;
    while (end < count && end - first < CANONICAL_PARTS) {
        bytes += readings_part(examination->readings, end).length;
        if (bytes > room)
            break;
        end++;
    }
    return end;
}

static void examine_all(struct examination *examination)
{
    unsigned count = readings_count(examination->readings);
    unsigned end;

    for (unsigned first = 0; first < count; first = end) {
        end = examine_fill(examination, first);
        examine_together(examination, first, end);
        examination->result->readings = end;
        if (examination->result->verdict == VERDICT_INFECTED)
            return;
    }
}

/* What nobody can read, or not from this message. */
static void examine_finding(struct scan_result *result, enum unscannable_reason reason,
                            const char *kind)
{
    if (reason == UNSCANNABLE_ENCRYPTED)
        reason = verdict_encrypted(kind);
    if (reason != UNSCANNABLE_NONE)
        examine_unscannable(result, reason, kind);
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
    else
        examine_finding(result, readings_report(readings)->finding,
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
    examination->readings = readings;
    if (readings != NULL)
        examine_all(examination);
    examine_outcome(examination->result, status, readings);
    canonical_free(&examination->mail);
    readings_free(readings);
}

static void examine_look(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    opened_look(context, bytes, length, name);
}

/* What was opened is scanned as a file of that name, or read as a mail. */
static void examine_item(struct examination *examination, const struct opened_item *item)
{
    const struct reading_part part = {item->bytes, item->length, "", item->name};
    struct scan_result other = {0};
    enum status status;

    if (item->mail) {
        examine_readings(examination, item->bytes, item->length);
        return;
    }
    status = canonical_begin(&examination->mail);
    if (status == STATUS_OK)
        status = canonical_add(&examination->mail, &part);
    if (status == STATUS_OK)
        status = canonical_end(&examination->mail);
    if (status == STATUS_OK)
        examine_bytes(examination, examination->mail.bytes, examination->mail.length, &other);
    else
        verdict_unscannable(&other, UNSCANNABLE_ENGINE_ERROR, "no memory for what was opened");
    examine_worst(examination->result, &other, 0);
    canonical_free(&examination->mail);
}

/* Also what is opened on the way. Which readings there are is said of the message alone. */
static void examine_opened(struct examination *examination)
{
    struct opened *opened = &examination->opened;
    struct scan_result *result = examination->result;
    uint32_t readings = result->readings;
    uint32_t reading = result->reading;

    for (unsigned i = 0; i < opened->count && result->verdict != VERDICT_INFECTED; i++) {
        struct opened_item item = opened->items[i]; /* they may move */

        opened->depth = item.depth;
        examine_item(examination, &item);
    }
    result->readings = readings;
    result->reading = reading;
    examine_finding(result, opened->finding.reason, opened->finding.kind);
    if (opened->no_memory)
        examine_unscannable(result, UNSCANNABLE_ENGINE_ERROR, "no memory for what was opened");
}

void examine_message(struct engine *engine, const uint8_t *bytes, uint32_t length, uint32_t flags,
                     struct scan_result *result)
{
    struct examination examination = {
        .engine = engine,
        .end_ns = clock_monotonic_ns() + engine_time_limit(engine),
        .result = result,
    };
    const char *doubt = NULL;

    result->flags = flags;
    result->readings = 0;
    result->reading = 0;
    opened_begin(&examination.opened);
    engine_watch(engine, examine_look, &examination.opened);
    examine_bytes(&examination, bytes, length, result);
    if (result->verdict != VERDICT_INFECTED)
        doubt = clear_doubt(bytes, length, (flags & SCAN_READINGS) == 0);
    verdict_printable(result->doubt, sizeof(result->doubt), doubt != NULL ? doubt : "");
    if (doubt != NULL)
        examine_readings(&examination, bytes, length);
    examine_opened(&examination);
    engine_watch(engine, NULL, NULL);
    opened_end(&examination.opened);
}
