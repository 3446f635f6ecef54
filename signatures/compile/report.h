/* report.h: what a build found, for people (text) and programs (JSON).
 *
 * Threads: one. Memory: the report owns what it is given (copies); build_report_free().
 */
#ifndef SIGNATURES_COMPILE_REPORT_H
#define SIGNATURES_COMPILE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/status.h"
#include "signatures/prefilter/prefilter.h"

#define REPORT_DOMAINS    5u
#define REPORT_NAME_BYTES 128u
#define REPORT_LIST_MAX   1000u /* lines kept of each list; the rest is counted */

/* One file of the database. */
struct report_file {
    char name[REPORT_NAME_BYTES];
    uint64_t signatures; /* body signatures read */
    uint64_t elsewhere;  /* whose target, or container, no settled mail has */
    uint64_t covered;    /* by groups, or cannot match at all */
    uint64_t always;
    uint64_t name_rules;
};

/* Lines of text; beyond REPORT_LIST_MAX they are only counted. */
struct report_list {
    char **lines;
    uint64_t count;
};

struct build_report {
    bool unchanged; /* nothing was done */
    struct report_file *files;
    size_t file_count;
    char library[PREFILTER_LIBRARY_BYTES];
    uint64_t signatures_by_domain[REPORT_DOMAINS]; /* that apply there */
    uint64_t always_by_domain[REPORT_DOMAINS];
    struct report_list always;   /* name, domains, reason, place */
    struct report_list ignored;  /* names of .ign */
    struct report_list counted;  /* what was read and is of no consequence */
    struct report_list warnings; /* that an operator should know */
    uint64_t doubts;             /* formulas weaker than they could be */
    /* Sizes of the result. */
    uint64_t leaves, groups, weak_leaves;
    uint64_t squeezed_leaves;
    uint64_t squeezed_bytes, exact_bytes, names_bytes; /* of the databases */
    uint64_t squeezed_stream_bytes, exact_stream_bytes;
    uint64_t hashes[PREFILTER_DIGESTS]; /* stored */
    uint64_t file_bytes;
    bool image_fuzzy;
    /* Of the corpus. */
    uint64_t corpus_messages, corpus_bytes, corpus_hits; /* messages in which a group fires */
    unsigned rounds;
    double seconds;
};

/* The entry of that file, made when it is not there. Null: no memory. Valid until the next call. */
struct report_file *build_report_file(struct build_report *report, const char *name);

/* Adds a formatted line. Without memory it is only counted. */
void report_list_add(struct report_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "raw text html": the domains in words, into `text` of at least 40 bytes. */
const char *report_domains(uint32_t domains, char *text, size_t size);

void build_report_print(const struct build_report *report, FILE *to);

/* Writes JSON to `path`, whole or not at all. STATUS_SYSTEM (errno), STATUS_NO_MEMORY. */
enum status build_report_write(const struct build_report *report, const char *path) STATUS_CHECKED;

void build_report_free(struct build_report *report);

/* What an open prefilter says of itself. */
void prefilter_report_print(const struct prefilter *prefilter, FILE *to);

#endif
