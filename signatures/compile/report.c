#include "signatures/compile/report.h"

#include <errno.h>
#include <hs/hs.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const report_domain_names[REPORT_DOMAINS] = {"raw", "text", "html", "image",
                                                                "binary"};
static const char *const report_digest_names[PREFILTER_DIGESTS] = {"MD5", "SHA-1", "SHA-256"};

struct report_file *build_report_file(struct build_report *report, const char *name)
{
    struct report_file *grown;

    /* Files come one after the other. */
    for (size_t i = report->file_count; i > 0; i--) {
        if (strcmp(report->files[i - 1].name, name) == 0)
            return &report->files[i - 1];
    }
    grown = reallocarray(report->files, report->file_count + 1, sizeof(*grown));
    if (grown == NULL)
        return NULL;
    report->files = grown;
    grown = &report->files[report->file_count++];
    *grown = (struct report_file){0};
    (void)snprintf(grown->name, sizeof(grown->name), "%s", name);
    return grown;
}

void report_list_add(struct report_list *list, const char *format, ...)
{
    va_list arguments;

    if (list->count < REPORT_LIST_MAX) {
        char **grown = reallocarray(list->lines, (size_t)list->count + 1, sizeof(*grown));

        if (grown != NULL) {
            list->lines = grown;
            va_start(arguments, format);
            if (vasprintf(&grown[list->count], format, arguments) < 0)
                grown[list->count] = NULL;
            va_end(arguments);
        } else {
            return; /* the lines that are there are all there is */
        }
    }
    list->count++;
}

const char *report_domains(uint32_t domains, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < REPORT_DOMAINS && used < size; i++) {
        if (((domains >> i) & 1) != 0)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "",
                                     report_domain_names[i]);
    }
    return text;
}

static void report_print_list(const char *title, const struct report_list *list, FILE *to)
{
    if (list->count == 0)
        return;
    fprintf(to, "\n%s\n", title);
    for (uint64_t i = 0; i < list->count && i < REPORT_LIST_MAX; i++)
        fprintf(to, "  %s\n", list->lines[i] != NULL ? list->lines[i] : "");
    if (list->count > REPORT_LIST_MAX)
        fprintf(to, "  (%llu more)\n", (unsigned long long)(list->count - REPORT_LIST_MAX));
}

static void report_print_files(const struct build_report *report, FILE *to)
{
    fprintf(to, "\n%-32s %10s %10s %10s %8s %6s\n", "file", "signatures", "elsewhere", "covered",
            "always", "names");
    for (size_t i = 0; i < report->file_count; i++) {
        const struct report_file *file = &report->files[i];

        fprintf(to, "%-32s %10llu %10llu %10llu %8llu %6llu\n", file->name,
                (unsigned long long)file->signatures, (unsigned long long)file->elsewhere,
                (unsigned long long)file->covered, (unsigned long long)file->always,
                (unsigned long long)file->name_rules);
    }
}

static void report_print_result(const struct build_report *report, FILE *to)
{
    fprintf(to, "\n%-10s %10s %10s\n", "domain", "signatures", "always");
    for (unsigned i = 0; i < REPORT_DOMAINS; i++)
        fprintf(to, "%-10s %10llu %10llu\n", report_domain_names[i],
                (unsigned long long)report->signatures_by_domain[i],
                (unsigned long long)report->always_by_domain[i]);
    fprintf(to, "\nleaves %llu (%llu squeezed, %llu with a bit), groups %llu\n",
            (unsigned long long)report->leaves, (unsigned long long)report->squeezed_leaves,
            (unsigned long long)report->weak_leaves, (unsigned long long)report->groups);
    fprintf(to,
            "databases: squeezed %llu bytes (stream %llu), exact %llu bytes (stream %llu), names "
            "%llu bytes\n",
            (unsigned long long)report->squeezed_bytes,
            (unsigned long long)report->squeezed_stream_bytes,
            (unsigned long long)report->exact_bytes, (unsigned long long)report->exact_stream_bytes,
            (unsigned long long)report->names_bytes);
    fprintf(to, "hashes:");
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++)
        fprintf(to, " %s %llu%s", report_digest_names[i], (unsigned long long)report->hashes[i],
                i + 1 < PREFILTER_DIGESTS ? "," : "\n");
    if (report->image_fuzzy)
        fprintf(to, "fuzzy image hashes exist: images go to a scanner\n");
    if (report->doubts > 0)
        fprintf(to, "formulas weaker than they could be: %llu\n",
                (unsigned long long)report->doubts);
}

static double report_percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part * 100 / (double)whole;
}

void build_report_print(const struct build_report *report, FILE *to)
{
    fprintf(to, "prefilter for libclamav %s, %llu bytes, made in %.1f s\n", report->library,
            (unsigned long long)report->file_bytes, report->seconds);
    report_print_files(report, to);
    report_print_result(report, to);
    if (report->corpus_messages > 0)
        fprintf(to,
                "corpus: %llu messages, %llu bytes; %llu would be sent on (%.2f %%), round %u\n",
                (unsigned long long)report->corpus_messages,
                (unsigned long long)report->corpus_bytes, (unsigned long long)report->corpus_hits,
                report_percent(report->corpus_hits, report->corpus_messages), report->rounds);
    report_print_list("always sent on, because of", &report->always, to);
    report_print_list("read, of no consequence here", &report->counted, to);
    report_print_list("ignored by name (which only takes detections away)", &report->ignored, to);
    report_print_list("warnings", &report->warnings, to);
}

static json_t *report_json_list(const struct report_list *list)
{
    json_t *array = json_array();

    for (uint64_t i = 0; i < list->count && i < REPORT_LIST_MAX; i++) {
        const char *line = list->lines[i] != NULL ? list->lines[i] : "";
        json_t *text = json_string(line);

        /* Names are bytes; what is no UTF-8 is shown as near as can be. */
        (void)json_array_append_new(array, text != NULL ? text : json_string("(not UTF-8)"));
    }
    return array;
}

static json_t *report_json_files(const struct build_report *report)
{
    json_t *array = json_array();

    for (size_t i = 0; i < report->file_count; i++) {
        const struct report_file *file = &report->files[i];

        (void)json_array_append_new(
            array, json_pack("{s:s*, s:I, s:I, s:I, s:I, s:I}", "file", file->name, "signatures",
                             (json_int_t)file->signatures, "elsewhere", (json_int_t)file->elsewhere,
                             "covered", (json_int_t)file->covered, "always",
                             (json_int_t)file->always, "name_rules", (json_int_t)file->name_rules));
    }
    return array;
}

static json_t *report_json_domains(const struct build_report *report)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < REPORT_DOMAINS; i++)
        (void)json_object_set_new(object, report_domain_names[i],
                                  json_pack("{s:I, s:I}", "signatures",
                                            (json_int_t)report->signatures_by_domain[i], "always",
                                            (json_int_t)report->always_by_domain[i]));
    return object;
}

static json_t *report_json(const struct build_report *report)
{
    json_t *object = json_pack(
        "{s:s, s:I, s:f, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:I}", "library", report->library,
        "bytes", (json_int_t)report->file_bytes, "seconds", report->seconds, "files",
        report_json_files(report), "domains", report_json_domains(report), "leaves",
        (json_int_t)report->leaves, "groups", (json_int_t)report->groups, "weak_leaves",
        (json_int_t)report->weak_leaves, "squeezed_bytes", (json_int_t)report->squeezed_bytes,
        "exact_bytes", (json_int_t)report->exact_bytes, "image_fuzzy", (int)report->image_fuzzy,
        "doubts", (json_int_t)report->doubts);
    json_t *more = json_pack(
        "{s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I}}", "always",
        report_json_list(&report->always), "ignored", report_json_list(&report->ignored), "counted",
        report_json_list(&report->counted), "warnings", report_json_list(&report->warnings),
        "hashes", "md5", (json_int_t)report->hashes[PREFILTER_MD5], "sha1",
        (json_int_t)report->hashes[PREFILTER_SHA1], "sha256",
        (json_int_t)report->hashes[PREFILTER_SHA256], "corpus", "messages",
        (json_int_t)report->corpus_messages, "bytes", (json_int_t)report->corpus_bytes, "hits",
        (json_int_t)report->corpus_hits, "rounds", (json_int_t)report->rounds);

    if (object == NULL || more == NULL || json_object_update(object, more) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return object;
}

enum status build_report_write(const struct build_report *report, const char *path)
{
    json_t *object = report_json(report);
    char *temporary = NULL;
    bool written;

    if (object == NULL || asprintf(&temporary, "%s.new", path) < 0) {
        json_decref(object);
        return STATUS_NO_MEMORY;
    }
    written =
        json_dump_file(object, temporary, JSON_INDENT(2)) == 0 && rename(temporary, path) == 0;
    json_decref(object);
    free(temporary);
    return written ? STATUS_OK : STATUS_SYSTEM;
}

static void report_list_free(struct report_list *list)
{
    for (uint64_t i = 0; i < list->count && i < REPORT_LIST_MAX; i++)
        free(list->lines[i]);
    free(list->lines);
}

void build_report_free(struct build_report *report)
{
    report_list_free(&report->always);
    report_list_free(&report->ignored);
    report_list_free(&report->counted);
    report_list_free(&report->warnings);
    free(report->files);
    *report = (struct build_report){0};
}

static void prefilter_report_database(const char *name, const struct hs_database *database,
                                      uint64_t bytes, FILE *to)
{
    char *information = NULL;
    size_t stream = 0;

    if (database == NULL) {
        fprintf(to, "%-10s none\n", name);
        return;
    }
    (void)hs_database_info(database, &information);
    (void)hs_stream_size(database, &stream);
    fprintf(to, "%-10s %llu bytes, stream state %zu bytes (Hyperscan: %s)\n", name,
            (unsigned long long)bytes, stream, information != NULL ? information : "?");
    free(information);
}

static void prefilter_report_always(const struct prefilter *prefilter, FILE *to)
{
    char words[64];

    for (uint64_t i = 0; i < prefilter->header->always.count; i++) {
        const struct prefilter_always *always = &prefilter->always[i];

        fprintf(to, "always     %s: %s", prefilter_name(prefilter, always->signature),
                report_domains(always->domains, words, sizeof(words)));
        for (uint32_t k = 0; k < always->start_length; k++)
            fprintf(to, "%s%02x", k == 0 ? ", beginning with " : "",
                    (unsigned)(uint8_t)prefilter->strings[always->start + k]);
        fprintf(to, "\n");
    }
}

void prefilter_report_print(const struct prefilter *prefilter, FILE *to)
{
    const struct prefilter_header *header = prefilter->header;

    fprintf(to, "format     %u, profile %u, %llu bytes\nlibrary    libclamav %s\ndatabase   ",
            header->format, header->profile, (unsigned long long)header->bytes, header->library);
    for (unsigned i = 0; i < sizeof(header->database); i++)
        fprintf(to, "%02x", header->database[i]);
    fprintf(to, "\nsignatures %llu, always %llu, types %llu\nleaves     %llu (%u with a bit)\n",
            (unsigned long long)header->signatures.count, (unsigned long long)header->always.count,
            (unsigned long long)header->magics.count, (unsigned long long)header->leaves.count,
            header->weak_count);
    fprintf(to, "groups     %llu\n", (unsigned long long)header->groups.count);
    prefilter_report_database("squeezed", prefilter->squeezed, header->squeezed.count, to);
    prefilter_report_database("exact", prefilter->exact, header->exact.count, to);
    prefilter_report_database("names", prefilter->names, header->names.count, to);
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++)
        fprintf(to, "%-10s %llu in %llu slots%s\n", report_digest_names[i],
                (unsigned long long)header->hashes[i].count,
                (unsigned long long)header->hashes[i].slot_count,
                header->hashes[i].any_size != 0 ? ", some of any size" : "");
    fprintf(to, "images     %s\n",
            header->image_fuzzy != 0 ? "go to a scanner: fuzzy hashes exist" : "are settled here");
    prefilter_report_always(prefilter, to);
}
