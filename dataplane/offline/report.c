#include "dataplane/offline/report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"

static const char *report_verdict(const struct report *report)
{
    switch (report->verdict) {
    case VERDICT_CLEAN:
        return "clean";
    case VERDICT_INFECTED:
        return "infected";
    default:
        return "unscannable";
    }
}

/* Length of the UTF-8 sequence (RFC 3629) at `bytes`, or 0 when there is none. C1 controls count as
 * none: terminals obey them. */
static size_t report_utf8(const unsigned char *bytes)
{
    size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;

    if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((bytes[0] == 0xc2 && bytes[1] < 0xa0) || (bytes[0] == 0xe0 && bytes[1] < 0xa0) ||
        (bytes[0] == 0xed && bytes[1] > 0x9f) || (bytes[0] == 0xf0 && bytes[1] < 0x90) ||
        (bytes[0] == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return length;
}

static void report_put_path(const char *path, FILE *to)
{
    const unsigned char *at = (const unsigned char *)path;

    while (*at != '\0') {
        size_t length = *at >= 0x20 && *at < 0x7f && *at != '\\' ? 1 : report_utf8(at);

        if (length == 0) {
            fprintf(to, "\\x%02x", *at++);
            continue;
        }
        fwrite(at, 1, length, to);
        at += length;
    }
}

static double report_ms(uint64_t ns)
{
    return (double)ns / (double)CLOCK_NS_PER_MS;
}

static const char *report_decided_by(const struct report *report)
{
    if (report->scanned)
        return "scanner";
    if (report->inspected && report->inspection.decision == INSPECT_SETTLED)
        return "prefilter";
    if (report->inspected && report->inspection.decision == INSPECT_CACHED)
        return "cache";
    return "none";
}

/* Why the prefilter did not settle it. */
static const char *report_sent_on(const struct report *report)
{
    if (!report->inspected)
        return report->kind == MAIL_FILE_MESSAGE ? "no prefilter" : "not a mail";
    if (report->inspection.reason[0] == '\0')
        return "no prefilter: the scanner has another database";
    return report->inspection.reason;
}

void report_text(const struct report *report, FILE *to)
{
    report_put_path(report->path, to);
    fprintf(to, ": %s", report_verdict(report));
    if (report->verdict == VERDICT_INFECTED)
        fprintf(to, "(%s)", report->name);
    else if (report->verdict == VERDICT_UNSCANNABLE)
        fprintf(to, "(%s)", unscannable_text(report->reason));
    fprintf(to, " decided_by=%s", report_decided_by(report));
    if (report->scanned)
        fprintf(to, " time=%.1fms cpu=%.1fms", report_ms((uint64_t)report->scan_ns),
                report_ms(report->cpu_ns));
    if (report->inspected && report->scanned)
        fprintf(to, " sent_on=<%s>", report_sent_on(report));
    else if (report->inspected)
        fprintf(to, " time=%.3fms", report_ms(report->inspect_ns));
    if (report->doubt[0] != '\0')
        fprintf(to, " readings=%u reading=%u doubt=<%s>", report->readings, report->reading,
                report->doubt);
    fputc('\n', to);
}

static json_t *report_json_ms(uint64_t ns)
{
    return json_real(round(report_ms(ns) * 1000) / 1000);
}

/* The path as a JSON string; with its bytes beside it when it is not UTF-8. */
static bool report_json_path(json_t *object, const char *path)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen(path);
    const unsigned char *at = (const unsigned char *)path;
    json_t *plain = json_string(path);
    char *text;
    char *hex;
    size_t used = 0;
    bool ok;

    if (plain != NULL)
        return json_object_set_new(object, "path", plain) == 0;
    text = malloc(length * 3 + 1);
    hex = malloc(length * 2 + 1);
    if (text == NULL || hex == NULL) {
        free(text);
        free(hex);
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        hex[i * 2] = digits[at[i] >> 4];
        hex[i * 2 + 1] = digits[at[i] & 15];
    }
    hex[length * 2] = '\0';
    while (*at != '\0') {
        size_t sequence = *at < 0x80 ? 1 : report_utf8(at);
        const char *from = sequence == 0 ? "\xef\xbf\xbd" : (const char *)at;

        memcpy(text + used, from, sequence == 0 ? 3 : sequence);
        used += sequence == 0 ? 3 : sequence;
        at += sequence == 0 ? 1 : sequence;
    }
    ok = json_object_set_new(object, "path", json_stringn(text, used)) == 0 &&
         json_object_set_new(object, "path_hex", json_string(hex)) == 0;
    free(text);
    free(hex);
    return ok;
}

static bool report_json_verdict(json_t *object, const struct report *report)
{
    if (json_object_set_new(object, "verdict", json_string(report_verdict(report))) != 0)
        return false;
    if (report->verdict == VERDICT_INFECTED)
        return json_object_set_new(object, "name", json_string(report->name)) == 0;
    if (report->verdict != VERDICT_UNSCANNABLE)
        return true;
    if (json_object_set_new(object, "reason", json_string(unscannable_text(report->reason))) != 0)
        return false;
    return report->name[0] == '\0' ||
           json_object_set_new(object, "detail", json_string(report->name)) == 0;
}

static bool report_json_parts(json_t *object, const struct inspect_result *inspection)
{
    json_t *parts = json_array();
    unsigned count = inspection->part_count;

    if (parts == NULL || json_object_set_new(object, "parts", parts) != 0)
        return false;
    if (count > INSPECT_PARTS_MAX)
        count = INSPECT_PARTS_MAX;
    for (unsigned i = 0; i < count; i++) {
        const struct inspect_part *part = &inspection->parts[i];
        json_t *entry = json_pack("{s:s, s:I}", "type", part->type[0] != '\0' ? part->type : "-",
                                  "bytes", (json_int_t)part->bytes);

        if (entry == NULL || json_array_append_new(parts, entry) != 0)
            return false;
    }
    return true;
}

static bool report_json_inspection(json_t *object, const struct report *report)
{
    const struct inspect_result *inspection = &report->inspection;

    return !report->inspected ||
           (json_object_set_new(object, "prefilter_ms", report_json_ms(report->inspect_ns)) == 0 &&
            json_object_set_new(object, "searched_bytes",
                                json_integer((json_int_t)inspection->searched_bytes)) == 0 &&
            json_object_set_new(object, "hashed_bytes",
                                json_integer((json_int_t)inspection->hashed_bytes)) == 0 &&
            json_object_set_new(object, "part_count", json_integer(inspection->part_count)) == 0 &&
            report_json_parts(object, inspection));
}

static bool report_json_readings(json_t *object, const struct report *report)
{
    return report->doubt[0] == '\0' ||
           (json_object_set_new(object, "readings", json_integer(report->readings)) == 0 &&
            json_object_set_new(object, "reading", json_integer(report->reading)) == 0 &&
            json_object_set_new(object, "doubt", json_string(report->doubt)) == 0);
}

static bool report_json_scan(json_t *object, const struct report *report)
{
    return !report->scanned ||
           (json_object_set_new(object, "sent_on_because", json_string(report_sent_on(report))) ==
                0 &&
            json_object_set_new(object, "scan_ms", report_json_ms((uint64_t)report->scan_ns)) ==
                0 &&
            json_object_set_new(object, "cpu_ms", report_json_ms(report->cpu_ns)) == 0 &&
            report_json_readings(object, report) &&
            json_object_set_new(object, "engine", json_string(report->engine)) == 0);
}

static bool report_json_decision(json_t *object, const struct report *report)
{
    return json_object_set_new(object, "decided_by", json_string(report_decided_by(report))) == 0 &&
           report_json_inspection(object, report) && report_json_scan(object, report);
}

enum status report_json(const struct report *report, FILE *to)
{
    json_t *object = json_object();
    enum status status = STATUS_NO_MEMORY;
    const char *kind = report->kind == MAIL_FILE_MESSAGE ? "message" : "file";

    if (object != NULL && report_json_path(object, report->path) &&
        json_object_set_new(object, "type", json_string(kind)) == 0 &&
        json_object_set_new(object, "size", json_integer((json_int_t)report->size)) == 0 &&
        report_json_verdict(object, report) && report_json_decision(object, report) &&
        json_dumpf(object, to, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0) {
        fputc('\n', to);
        status = STATUS_OK;
    }
    json_decref(object);
    return status;
}
