#include "control/command/status_table.h"

#include <string.h>
#include <time.h>

#include "control/command/status_client.h"

#define STATUS_CELL_SIZE (STATUS_CELL_BYTES * 4u + 1u) /* every byte may become \xHH */

/* Printable ASCII as it is, everything else as \xHH; cut after STATUS_CELL_BYTES. */
static void status_escape(const char *from, char *to)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; from[i] != '\0' && i < STATUS_CELL_BYTES; i++) {
        unsigned char byte = (unsigned char)from[i];

        if (byte >= 0x20 && byte < 0x7f) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '\\';
        *to++ = 'x';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    *to = '\0';
}

static void status_cell(const json_t *value, char *to)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING:
        status_escape(json_string_length(value) == 0 ? "-" : json_string_value(value), to);
        break;
    case JSON_INTEGER:
        snprintf(to, STATUS_CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(to, STATUS_CELL_SIZE, "%.3f", json_real_value(value));
        break;
    case JSON_TRUE:
        snprintf(to, STATUS_CELL_SIZE, "yes");
        break;
    case JSON_FALSE:
        snprintf(to, STATUS_CELL_SIZE, "no");
        break;
    case JSON_ARRAY:
        snprintf(to, STATUS_CELL_SIZE, "%zu", json_array_size(value));
        break;
    case JSON_OBJECT:
        snprintf(to, STATUS_CELL_SIZE, "...");
        break;
    default:
        snprintf(to, STATUS_CELL_SIZE, "-");
        break;
    }
}

static void status_print_uptime(double seconds, FILE *to)
{
    unsigned long s = seconds > 0 && seconds < 1e10 ? (unsigned long)seconds : 0;

    if (s >= 86400)
        fprintf(to, "%lud %02lu:%02lu:%02lu", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
    else
        fprintf(to, "%02lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

static void status_print_head(const json_t *object, FILE *to)
{
    struct status_readiness ready = status_readiness(object);
    char version[STATUS_CELL_SIZE];

    status_cell(json_object_get(object, "version"), version);
    fprintf(to, "postern %s, up ", version);
    status_print_uptime(json_number_value(json_object_get(object, "uptime")), to);
    fputs(ready.dataplane_linked && ready.scanners_ready && ready.control_ready ? ", ready\n"
                                                                                : ", NOT READY:",
          to);
    if (!ready.dataplane_linked)
        fputs(" the dataplane is not linked\n", to);
    else if (!ready.scanners_ready || !ready.control_ready)
        fprintf(to, "%s%s%s\n", ready.scanners_ready ? "" : " no scanner is ready",
                ready.scanners_ready || ready.control_ready ? "" : ";",
                ready.control_ready ? "" : " control is not linked to the workers");
}

static void status_print_date(json_int_t seconds, char *to)
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&when, &tm) == NULL || strftime(to, STATUS_CELL_SIZE, "%F %T UTC", &tm) == 0)
        snprintf(to, STATUS_CELL_SIZE, "%" JSON_INTEGER_FORMAT, seconds);
}

/* "name value" a line. */
static void status_print_members(const char *title, const json_t *object, FILE *to)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object) || json_object_size(object) == 0)
        return;
    fprintf(to, "\n%s\n", title);
    json_object_foreach((json_t *)object, key, value)
    {
        char name[STATUS_CELL_SIZE];
        char text[STATUS_CELL_SIZE];

        status_escape(key, name);
        if (strcmp(key, "started") == 0 && json_is_integer(value))
            status_print_date(json_integer_value(value), text);
        else
            status_cell(value, text);
        fprintf(to, "  %-26s %s\n", name, text);
    }
}

static bool status_is_zero(const json_t *value)
{
    return value == NULL || (json_is_integer(value) && json_integer_value(value) == 0);
}

/* `key` without `prefix`, unless that is all of it. */
static const char *status_without(const char *key, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(key, prefix, length) == 0 && key[length] != '\0' ? key + length : key;
}

/* "name value" a line, of those that are not zero. */
static void status_print_nonzero(const char *title, const char *prefix, const json_t *object,
                                 FILE *to)
{
    const char *key;
    json_t *value;

    if (json_object_size(object) == 0)
        return;
    fprintf(to, "\n%s\n", title);
    json_object_foreach((json_t *)object, key, value)
    {
        char name[STATUS_CELL_SIZE];
        char text[STATUS_CELL_SIZE];

        if (status_is_zero(value))
            continue;
        status_escape(status_without(key, prefix), name);
        status_cell(value, text);
        fprintf(to, "  %-26s %s\n", name, text);
    }
}

/* The sums, and the workers' shares beside them. */
static void status_print_counters(const json_t *object, FILE *to)
{
    const json_t *counters = json_object_get(object, "counters");
    const json_t *gauges = json_object_get(object, "gauges");
    const json_t *workers = json_object_get(object, "workers");
    size_t columns = json_array_size(workers);
    size_t hidden = 0;
    const char *key;
    json_t *value;

    if (!json_is_object(counters) || json_object_size(counters) == 0)
        return;
    if (columns < 2 || columns > STATUS_WORKERS_MAX)
        columns = 0;
    if (columns == 0)
        fputs("\ncounters", to);
    else
        fprintf(to, "\n%-28s %12s", "counters", "all");
    for (size_t i = 0; i < columns; i++) {
        char title[32];

        snprintf(title, sizeof(title), "worker %zu", i);
        fprintf(to, " %12s", title);
    }
    fputc('\n', to);
    json_object_foreach((json_t *)counters, key, value)
    {
        char text[STATUS_CELL_SIZE];

        if (json_object_get(gauges, key) != NULL)
            continue;
        if (status_is_zero(value)) {
            hidden++;
            continue;
        }
        status_escape(key, text);
        fprintf(to, "  %-26s", text);
        status_cell(value, text);
        fprintf(to, " %12s", text);
        for (size_t i = 0; i < columns; i++) {
            status_cell(json_object_get(json_array_get(workers, i), key), text);
            fprintf(to, " %12s", text);
        }
        fputc('\n', to);
    }
    if (hidden > 0)
        fprintf(to, "  (%zu more are zero; --json shows them)\n", hidden);
}

struct status_columns {
    unsigned count;
    const char *keys[STATUS_COLUMNS_MAX]; /* borrowed from the rows */
    size_t widths[STATUS_COLUMNS_MAX];
};

static void status_columns_add(struct status_columns *columns, const char *prefix,
                               const json_t *row)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)row, key, value)
    {
        char text[STATUS_CELL_SIZE];
        unsigned i = 0;

        while (i < columns->count && strcmp(columns->keys[i], key) != 0)
            i++;
        if (i == STATUS_COLUMNS_MAX || json_is_object(value))
            continue;
        if (i == columns->count) {
            status_escape(status_without(key, prefix), text);
            columns->keys[columns->count] = key;
            columns->widths[columns->count++] = strlen(text);
        }
        status_cell(value, text);
        if (strlen(text) > columns->widths[i])
            columns->widths[i] = strlen(text);
    }
}

/* Column titles that begin with `prefix` do without it. */
static void status_print_rows(const char *title, const char *prefix, const json_t *rows, FILE *to)
{
    struct status_columns columns = {0};
    size_t index;
    json_t *row;

    if (!json_is_array(rows) || json_array_size(rows) == 0)
        return;
    json_array_foreach(rows, index, row) status_columns_add(&columns, prefix, row);
    fprintf(to, "\n%s\n", title);
    for (unsigned i = 0; i < columns.count; i++) {
        char text[STATUS_CELL_SIZE];

        status_escape(status_without(columns.keys[i], prefix), text);
        fprintf(to, "  %-*s", (int)columns.widths[i], text);
    }
    fputc('\n', to);
    json_array_foreach(rows, index, row)
    {
        for (unsigned i = 0; i < columns.count; i++) {
            char text[STATUS_CELL_SIZE];

            status_cell(json_object_get(row, columns.keys[i]), text);
            fprintf(to, "  %-*s", (int)columns.widths[i], text);
        }
        fputc('\n', to);
    }
}

/* The bound below which at least `share` of what was counted is; negative beyond the last. */
static double status_within(const json_t *histogram, double share)
{
    const json_t *bounds = json_object_get(histogram, "bounds");
    const json_t *counts = json_object_get(histogram, "counts");
    double wanted = share * (double)json_integer_value(json_object_get(histogram, "count"));
    double seen = 0;

    for (size_t i = 0; i < json_array_size(bounds); i++) {
        seen += (double)json_integer_value(json_array_get(counts, i));
        if (seen >= wanted)
            return json_number_value(json_array_get(bounds, i));
    }
    return -1;
}

static void status_print_within(const json_t *histogram, double share, FILE *to)
{
    double seconds = status_within(histogram, share);

    if (seconds < 0)
        fprintf(to, " %10s", "longer");
    else
        fprintf(to, " %10.3f", seconds);
}

/* How long things took: in seconds, and no finer than the buckets. */
static void status_print_histograms(const json_t *histograms, FILE *to)
{
    const char *key;
    json_t *value;
    bool any = false;

    json_object_foreach((json_t *)histograms, key, value)
    {
        char name[STATUS_CELL_SIZE];
        json_int_t count = json_integer_value(json_object_get(value, "count"));

        if (count <= 0)
            continue;
        if (!any)
            fprintf(to, "\n%-28s %12s %10s %10s %10s\n", "times (s)", "count", "mean",
                    "half <=", "99 % <=");
        any = true;
        status_escape(key, name);
        fprintf(to, "  %-26s %12" JSON_INTEGER_FORMAT " %10.3f", name, count,
                json_number_value(json_object_get(value, "sum")) / (double)count);
        status_print_within(value, 0.5, to);
        status_print_within(value, 0.99, to);
        fputc('\n', to);
    }
}

static bool status_is_known(const char *key)
{
    static const char *const known[] = {"version",          "uptime",       "dataplane",
                                        "gauges",           "counters",     "workers",
                                        "routes",           "sums",         "histograms",
                                        "scanners",         "scanner_sums", "scanner_counters",
                                        "control_counters", "control_sums", "books"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(key, known[i]) == 0)
            return true;
    }
    return false;
}

static void status_print_unknown(const json_t *object, FILE *to)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        char name[STATUS_CELL_SIZE];
        char text[STATUS_CELL_SIZE];

        if (status_is_known(key))
            continue;
        status_escape(key, name);
        if (json_is_object(value)) {
            status_print_members(name, value, to);
        } else if (json_is_array(value)) {
            status_print_rows(name, "", value, to);
        } else {
            status_cell(value, text);
            fprintf(to, "\n%s %s\n", name, text);
        }
    }
}

void status_table_print(const json_t *object, FILE *to)
{
    status_print_head(object, to);
    status_print_members("dataplane", json_object_get(object, "dataplane"), to);
    status_print_members("now", json_object_get(object, "gauges"), to);
    status_print_rows("routes", "", json_object_get(object, "routes"), to);
    status_print_rows("scanners", "scanner_", json_object_get(object, "scanners"), to);
    status_print_nonzero("control", "control_", json_object_get(object, "control_counters"), to);
    status_print_counters(object, to);
    status_print_histograms(json_object_get(object, "histograms"), to);
    status_print_unknown(object, to);
}
