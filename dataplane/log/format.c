#include "dataplane/log/format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "platform/check.h"
#include "platform/clock.h"
#include "platform/link/verdict.h"

/* One byte becomes at most six (\u00XX); keys and numbers fit into the rest. */
_Static_assert(sizeof(struct log_record) * 6 + CONFIG_NAME_BYTES * 6 + 1024 <= LOG_LINE_BYTES,
               "a line must hold a record whose every byte is escaped");

struct log_line {
    char *to;
    size_t room; /* bytes for text; the newline and the zero come on top */
    size_t used;
};

static void log_put(struct log_line *line, const char *bytes, size_t length)
{
    if (length > line->room - line->used)
        length = line->room - line->used;
    memcpy(line->to + line->used, bytes, length);
    line->used += length;
}

static void log_print(struct log_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For texts of our own and numbers only: whatever a peer sent goes through an escaping function. */
static void log_print(struct log_line *line, const char *format, ...)
{
    char text[128];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof(text));
    log_put(line, text, (size_t)length);
}

/* Printable ASCII as it is; the backslash, the bytes in `special` and all others as \xHH. */
static void log_put_escaped(struct log_line *line, const char *from, size_t size,
                            const char *special)
{
    size_t length = strnlen(from, size);

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)from[i];

        if (byte >= 0x20 && byte < 0x7f && byte != '\\' && strchr(special, byte) == NULL)
            log_put(line, from + i, 1);
        else
            log_print(line, "\\x%02x", byte);
    }
}

/* key=<value>: no value can end its brackets early. */
static void log_put_bracketed(struct log_line *line, const char *key, const char *value,
                              size_t size)
{
    log_print(line, "%s=<", key);
    log_put_escaped(line, value, size, "<>");
    log_print(line, ">");
}

/* key=value, "-" when empty: no value can begin another key. */
static void log_put_word(struct log_line *line, const char *key, const char *value, size_t size)
{
    log_print(line, "%s=", key);
    if (strnlen(value, size) == 0)
        log_print(line, "-");
    else
        log_put_escaped(line, value, size, " ,()=");
}

/* A reply: the lines of a longer one are joined by a space, as Postfix does. */
static void log_put_reply(struct log_line *line, const char *reply, size_t size)
{
    size_t length = strnlen(reply, size);
    size_t begin = 0;

    for (size_t i = 0; i <= length; i++) {
        if (i < length && reply[i] != '\n')
            continue;
        if (begin > 0)
            log_print(line, " ");
        log_put_escaped(line, reply + begin, i - begin, "");
        begin = i + 1;
    }
}

static unsigned log_digit(char c)
{
    return c >= '0' && c <= '9' ? (unsigned)(c - '0') : 10u;
}

/* The code a reply begins with, or 0. */
static unsigned log_reply_code(const char *reply)
{
    unsigned code = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (log_digit(reply[i]) > 9)
            return 0;
        code = code * 10 + log_digit(reply[i]);
    }
    return code >= 200 && code <= 599 ? code : 0;
}

/* The enhanced status code (RFC 3463) of a reply, or one made from its class, or "-". */
static void log_reply_dsn(const char *reply, size_t reply_size, char *to, size_t size)
{
    unsigned code = log_reply_code(reply);
    char head[32] = "";
    unsigned class;
    unsigned subject;
    unsigned detail;
    int used = 0;

    if (code == 0) {
        snprintf(to, size, "-");
        return;
    }
    memcpy(head, reply, strnlen(reply, reply_size < sizeof(head) ? reply_size : sizeof(head) - 1));
    // NOLINTNEXTLINE(cert-err34-c): widths bound the numbers
    if (head[3] != '\0' &&
        sscanf(head + 4, "%1u.%3u.%3u%n", &class, &subject, &detail, &used) == 3 &&
        class == code / 100 && (head[4 + used] == ' ' || head[4 + used] == '\0'))
        snprintf(to, size, "%u.%u.%u", class, subject, detail);
    else
        snprintf(to, size, "%u.0.0", code / 100);
}

static const char *log_status_word(const struct log_record *record)
{
    unsigned class = log_reply_code(record->status) / 100;

    switch (record->outcome) {
    case MAIL_DELIVERED:
        return "sent";
    case MAIL_CUT_OFF:
        return "cut_off";
    case MAIL_ABANDONED:
        return "abandoned";
    case MAIL_RELAY_TEMPORARY:
    case MAIL_NO_RELAY:
    case MAIL_NO_ROOM:
        return "deferred";
    case MAIL_UNSCANNABLE:
        return class == 5 ? "rejected" : "deferred";
    default:
        return class == 4 ? "deferred" : "rejected";
    }
}

static const char *log_verdict_word(uint32_t verdict)
{
    switch (verdict) {
    case VERDICT_CLEAN:
        return "clean";
    case VERDICT_INFECTED:
        return "infected";
    case VERDICT_UNSCANNABLE:
        return "unscannable";
    default:
        return "-";
    }
}

static uint64_t log_delay_us(const struct log_record *record)
{
    return (uint64_t)record->delay_envelope_us + record->delay_data_us + record->delay_scan_us +
           record->delay_relay_us;
}

static double log_seconds(uint64_t us)
{
    return (double)us / 1e6;
}

/* Never the process's locale: parsers know these names. */
static const char log_months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void log_text_head(struct log_line *line, const struct log_record *record,
                          const char *hostname)
{
    time_t seconds = (time_t)(record->wall_ns / CLOCK_NS_PER_SECOND);
    struct tm tm = {0};
    char date[32];

    localtime_r(&seconds, &tm);
    snprintf(date, sizeof(date), "%s %2d %02d:%02d:%02d", log_months[(unsigned)tm.tm_mon % 12],
             tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
    log_print(line, "%s ", date);
    log_put_escaped(line, hostname, strcspn(hostname, "."), " ");
    log_print(line, " postern/smtpd[worker%" PRIu32 "]: ", record->worker);
}

static void log_text_verdict(struct log_line *line, const struct log_record *record)
{
    log_print(line, ", verdict=%s", log_verdict_word(record->verdict));
    if (record->verdict == VERDICT_UNSCANNABLE) {
        log_print(line, "(");
        log_put_escaped(line, record->name, sizeof(record->name), "()");
        log_print(line, ")");
    }
    log_print(line, ", ");
    log_put_word(line, "sig", record->verdict == VERDICT_INFECTED ? record->name : "",
                 sizeof(record->name));
    log_print(line, ", ");
    log_put_word(line, "decided_by", record->decided_by, sizeof(record->decided_by));
    if (record->sent_on[0] != '\0') {
        log_print(line, ", ");
        log_put_bracketed(line, "sent_on", record->sent_on, sizeof(record->sent_on));
    }
    if (record->doubt[0] != '\0') {
        log_print(line, ", readings=%" PRIu32 ", reading=%" PRIu32 ", ", record->readings,
                  record->reading);
        log_put_bracketed(line, "doubt", record->doubt, sizeof(record->doubt));
    }
}

static void log_text_message(struct log_line *line, const struct log_record *record)
{
    char dsn[16];

    log_reply_dsn(record->status, sizeof(record->status), dsn, sizeof(dsn));
    log_put_escaped(line, record->id, sizeof(record->id), " :");
    log_print(line, ": ");
    log_put_word(line, "client", record->client, sizeof(record->client));
    log_print(line, ", ");
    log_put_bracketed(line, "helo", record->helo, sizeof(record->helo));
    log_print(line, ", ");
    log_put_bracketed(line, "from", record->from, sizeof(record->from));
    log_print(line, ", ");
    log_put_bracketed(line, "to", record->to, sizeof(record->to));
    log_print(line, ", nrcpt=%" PRIu32 ", size=%" PRIu32 ", tls=-", record->recipients,
              record->size);
    log_print(line, ", delay=%.2f", log_seconds(log_delay_us(record)));
    log_print(line, ", delays=%.2f/%.2f/%.2f/%.2f", log_seconds(record->delay_envelope_us),
              log_seconds(record->delay_data_us), log_seconds(record->delay_scan_us),
              log_seconds(record->delay_relay_us));
    log_text_verdict(line, record);
    log_print(line, ", ");
    log_put_word(line, "relay", record->relay, sizeof(record->relay));
    log_print(line, ", dsn=%s, status=%s (", dsn, log_status_word(record));
    log_put_reply(line, record->status, sizeof(record->status));
    log_print(line, ")");
}

/* The others of a message: so that whoever looks for an address finds it, and by the id the rest.
 */
static void log_text_recipients(struct log_line *line, const struct log_record *record)
{
    char dsn[16];
    size_t at = 0;

    log_reply_dsn(record->status, sizeof(record->status), dsn, sizeof(dsn));
    log_put_escaped(line, record->id, sizeof(record->id), " :");
    log_print(line, ": ");
    for (uint32_t i = 0; i < record->recipients && at < sizeof(record->more); i++) {
        log_put_bracketed(line, "to", record->more + at, sizeof(record->more) - at);
        log_print(line, ", ");
        at += strnlen(record->more + at, sizeof(record->more) - at) + 1;
    }
    log_print(line, "dsn=%s, status=%s (", dsn, log_status_word(record));
    log_put_reply(line, record->status, sizeof(record->status));
    log_print(line, ")");
}

static void log_text_reject(struct log_line *line, const struct log_record *record)
{
    log_print(line, "NOQUEUE: reject: ");
    log_put_escaped(line, record->command, sizeof(record->command), " ");
    log_print(line, " from [");
    log_put_escaped(line, record->client, sizeof(record->client), " []");
    log_print(line, "]: ");
    log_put_reply(line, record->status, sizeof(record->status));
    log_print(line, "; ");
    log_put_bracketed(line, "from", record->from, sizeof(record->from));
    log_print(line, " ");
    log_put_bracketed(line, "to", record->to, sizeof(record->to));
    log_print(line, " ");
    log_put_bracketed(line, "helo", record->helo, sizeof(record->helo));
}

/* A JSON string (RFC 8259). A byte above 0x7f stands for the code point of the same number: the
 * line is valid whatever encoding the peer used, and nothing is lost. */
static void log_json_value(struct log_line *line, const char *value, size_t size)
{
    size_t length = strnlen(value, size);

    log_print(line, "\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)value[i];

        if (byte == '"' || byte == '\\')
            log_print(line, "\\%c", byte);
        else if (byte >= 0x20 && byte < 0x7f)
            log_put(line, value + i, 1);
        else
            log_print(line, "\\u%04x", byte);
    }
    log_print(line, "\"");
}

static void log_json_string(struct log_line *line, const char *key, const char *value, size_t size)
{
    log_print(line, ",\"%s\":", key);
    log_json_value(line, value, size);
}

/* The same, or null when empty. */
static void log_json_optional(struct log_line *line, const char *key, const char *value,
                              size_t size)
{
    if (strnlen(value, size) == 0)
        log_print(line, ",\"%s\":null", key);
    else
        log_json_string(line, key, value, size);
}

static void log_json_head(struct log_line *line, const struct log_record *record,
                          const char *hostname)
{
    time_t seconds = (time_t)(record->wall_ns / CLOCK_NS_PER_SECOND);
    struct tm tm = {0};
    static const char *const events[] = {
        [LOG_MESSAGE] = "message", [LOG_RECIPIENTS] = "recipients", [LOG_REJECT] = "reject"};
    char date[32];

    CHECK(record->kind < sizeof(events) / sizeof(events[0]));
    gmtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    log_print(line, "{\"ts\":\"%s.%06uZ\",\"event\":\"%s\"", date,
              (unsigned)(record->wall_ns % CLOCK_NS_PER_SECOND / CLOCK_NS_PER_US),
              events[record->kind]);
    log_json_string(line, "host", hostname, CONFIG_NAME_BYTES);
    log_print(line, ",\"worker\":%" PRIu32, record->worker);
}

static void log_json_message(struct log_line *line, const struct log_record *record)
{
    bool infected = record->verdict == VERDICT_INFECTED;
    bool unscannable = record->verdict == VERDICT_UNSCANNABLE;

    log_json_string(line, "id", record->id, sizeof(record->id));
    log_print(line, ",\"nrcpt\":%" PRIu32 ",\"size\":%" PRIu32 ",\"tls\":null", record->recipients,
              record->size);
    log_print(line, ",\"delay\":%.6f", log_seconds(log_delay_us(record)));
    log_print(line, ",\"delay_envelope\":%.6f", log_seconds(record->delay_envelope_us));
    log_print(line, ",\"delay_data\":%.6f", log_seconds(record->delay_data_us));
    log_print(line, ",\"delay_scan\":%.6f", log_seconds(record->delay_scan_us));
    log_print(line, ",\"delay_relay\":%.6f", log_seconds(record->delay_relay_us));
    if (record->verdict == 0)
        log_print(line, ",\"verdict\":null");
    else
        log_json_string(line, "verdict", log_verdict_word(record->verdict), 16);
    log_json_optional(line, "sig", infected ? record->name : "", sizeof(record->name));
    log_json_optional(line, "reason", unscannable ? record->name : "", sizeof(record->name));
    log_json_optional(line, "decided_by", record->decided_by, sizeof(record->decided_by));
    log_json_optional(line, "sent_on", record->sent_on, sizeof(record->sent_on));
    if (record->doubt[0] != '\0') {
        log_print(line, ",\"readings\":%" PRIu32 ",\"reading\":%" PRIu32, record->readings,
                  record->reading);
        log_json_string(line, "doubt", record->doubt, sizeof(record->doubt));
    }
    log_print(line, ",\"scan_attempts\":%" PRIu32, record->scan_attempts);
    log_json_optional(line, "engine", record->engine, sizeof(record->engine));
    log_json_optional(line, "relay", record->relay, sizeof(record->relay));
    log_json_string(line, "status", log_status_word(record), 16);
}

static void log_json_recipients(struct log_line *line, const struct log_record *record)
{
    size_t at = 0;

    log_json_string(line, "id", record->id, sizeof(record->id));
    log_print(line, ",\"to\":[");
    for (uint32_t i = 0; i < record->recipients && at < sizeof(record->more); i++) {
        log_put(line, ",", i > 0);
        log_json_value(line, record->more + at, sizeof(record->more) - at);
        at += strnlen(record->more + at, sizeof(record->more) - at) + 1;
    }
    log_print(line, "]");
    log_json_string(line, "status", log_status_word(record), 16);
}

static void log_json_parties(struct log_line *line, const struct log_record *record)
{
    log_json_string(line, "client", record->client, sizeof(record->client));
    log_json_string(line, "helo", record->helo, sizeof(record->helo));
    log_json_string(line, "from", record->from, sizeof(record->from));
    log_json_string(line, "to", record->to, sizeof(record->to));
}

static void log_json(struct log_line *line, const struct log_record *record, const char *hostname)
{
    char dsn[16];

    log_reply_dsn(record->status, sizeof(record->status), dsn, sizeof(dsn));
    log_json_head(line, record, hostname);
    if (record->kind == LOG_RECIPIENTS) {
        log_json_recipients(line, record);
    } else {
        log_json_parties(line, record);
        if (record->kind == LOG_REJECT)
            log_json_string(line, "command", record->command, sizeof(record->command));
        else
            log_json_message(line, record);
    }
    log_print(line, ",\"code\":%u,\"dsn\":\"%s\"", log_reply_code(record->status), dsn);
    log_json_string(line, "reply", record->status, sizeof(record->status));
    log_print(line, "}");
}

size_t log_format(const struct log_record *record, const char *hostname,
                  enum config_log_format format, char *to, size_t size)
{
    struct log_line line = {.to = to};

    CHECK(size >= 2);
    line.room = size - 2;
    if (format == CONFIG_LOG_JSON) {
        log_json(&line, record, hostname);
    } else {
        log_text_head(&line, record, hostname);
        if (record->kind == LOG_REJECT)
            log_text_reject(&line, record);
        else if (record->kind == LOG_RECIPIENTS)
            log_text_recipients(&line, record);
        else
            log_text_message(&line, record);
    }
    to[line.used] = '\n';
    to[line.used + 1] = '\0';
    return line.used + 1;
}
