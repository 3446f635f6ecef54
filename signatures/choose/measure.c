/* measure.c: a compiled draft, tried on a corpus. */
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/choose/corpus.h"
#include "signatures/choose/views.h"
#include "signatures/content/decode/squeeze.h"

struct measurement {
    const struct draft *draft;
    struct corpus_counts *counts;
    hs_database_t *squeezed;
    hs_database_t *exact;
    hs_scratch_t *scratch;
    uint32_t *first_group; /* of each leaf, into leaf_groups; one more at the end */
    uint32_t *leaf_groups;
    uint32_t *found; /* leaves found in the mail, in order */
    size_t found_count;
    uint8_t *found_domains; /* by leaf */
    uint32_t *group_seen;   /* by group and signature: number of the last mail in which it fired */
    uint32_t *signature_seen;
    uint32_t mail;    /* number of this one, from 1 */
    uint32_t domains; /* of the piece being searched */
    bool failed;
};

static int measure_match(unsigned leaf, unsigned long long from, unsigned long long to,
                         unsigned flags, void *context)
{
    struct measurement *measurement = context;

    (void)from, (void)to, (void)flags;
    if (measurement->found_domains[leaf] == 0)
        measurement->found[measurement->found_count++] = leaf;
    measurement->found_domains[leaf] |= (uint8_t)measurement->domains;
    return 0;
}

static void measure_scan(struct measurement *measurement, const hs_database_t *database,
                         const uint8_t *bytes, size_t length)
{
    hs_stream_t *stream = NULL;

    if (database == NULL || length == 0)
        return;
    if (hs_open_stream(database, 0, &stream) != HS_SUCCESS ||
        hs_scan_stream(stream, (const char *)bytes, (unsigned)length, 0, measurement->scratch,
                       measure_match, measurement) != HS_SUCCESS)
        measurement->failed = true;
    if (stream != NULL)
        (void)hs_close_stream(stream, measurement->scratch, measure_match, measurement);
}

/* What lies between white space, when it has an odd byte. */
static void measure_odd(struct measurement *measurement, const uint8_t *bytes, size_t length)
{
    size_t from = 0;
    bool odd = false;

    for (size_t i = 0; i <= length; i++) {
        if (i < length && !squeeze_is_white(bytes[i])) {
            odd = odd || squeeze_is_odd(bytes[i]);
            continue;
        }
        if (odd)
            measure_scan(measurement, measurement->exact, bytes + from, i - from);
        from = i + 1;
        odd = false;
    }
}

static bool measure_piece(void *context, uint32_t domains, const uint8_t *bytes, size_t length,
                          const uint8_t *squeezed, size_t squeezed_length)
{
    struct measurement *measurement = context;

    measurement->domains = domains;
    if (squeezed != NULL) {
        measure_scan(measurement, measurement->squeezed, squeezed, squeezed_length);
        measure_odd(measurement, bytes, length);
    } else {
        measure_scan(measurement, measurement->exact, bytes, length);
    }
    return !measurement->failed;
}

static bool measure_group_holds(const struct measurement *measurement,
                                const struct draft_group *group)
{
    for (unsigned k = 0; k < group->leaf_count; k++) {
        if ((measurement->found_domains[group->leaves[k]] & group->domains) == 0)
            return false;
    }
    return true;
}

/* Counts what was found in the mail, and forgets it. */
static void measure_count(struct measurement *measurement)
{
    struct corpus_counts *counts = measurement->counts;
    bool hit = false;

    for (size_t i = 0; i < measurement->found_count; i++) {
        uint32_t leaf = measurement->found[i];

        counts->leaves[leaf]++;
        for (uint32_t n = measurement->first_group[leaf]; n < measurement->first_group[leaf + 1];
             n++) {
            uint32_t index = measurement->leaf_groups[n];
            const struct draft_group *group = &measurement->draft->groups[index];

            if (measurement->group_seen[index] == measurement->mail ||
                !measure_group_holds(measurement, group))
                continue;
            hit = true;
            measurement->group_seen[index] = measurement->mail;
            counts->groups[index]++;
            if (measurement->signature_seen[group->signature] != measurement->mail)
                counts->signatures[group->signature]++;
            measurement->signature_seen[group->signature] = measurement->mail;
        }
    }
    for (size_t i = 0; i < measurement->found_count; i++)
        measurement->found_domains[measurement->found[i]] = 0;
    measurement->found_count = 0;
    counts->hits += hit;
}

/* The groups of each leaf. */
static void measure_index(struct measurement *measurement)
{
    const struct draft *draft = measurement->draft;
    uint32_t *first = measurement->first_group;

    for (size_t i = 0; i < draft->group_count; i++) {
        for (unsigned k = 0; k < draft->groups[i].leaf_count; k++)
            first[draft->groups[i].leaves[k] + 1]++;
    }
    for (size_t i = 0; i < draft->leaf_count; i++)
        first[i + 1] += first[i];
    for (size_t i = draft->group_count; i > 0; i--) {
        for (unsigned k = 0; k < draft->groups[i - 1].leaf_count; k++) {
            uint32_t leaf = draft->groups[i - 1].leaves[k];

            /* The places of a leaf are filled from behind: its end moves to its beginning. */
            measurement->leaf_groups[--first[leaf + 1]] = (uint32_t)(i - 1);
        }
    }
    /* Now first[leaf + 1] is where leaf begins. */
    memmove(first, first + 1, draft->leaf_count * sizeof(*first));
    first[draft->leaf_count] = 0;
    for (size_t i = 0; i < draft->group_count; i++)
        first[draft->leaf_count] += draft->groups[i].leaf_count;
}

static bool measure_prepare(struct measurement *measurement)
{
    const struct draft *draft = measurement->draft;
    struct corpus_counts *counts = measurement->counts;
    size_t links = 0;

    for (size_t i = 0; i < draft->group_count; i++)
        links += draft->groups[i].leaf_count;
    counts->leaves = calloc(draft->leaf_count + 1, sizeof(*counts->leaves));
    counts->groups = calloc(draft->group_count + 1, sizeof(*counts->groups));
    counts->signatures = calloc(draft->signature_count + 1, sizeof(*counts->signatures));
    measurement->first_group = calloc(draft->leaf_count + 2, sizeof(uint32_t));
    measurement->leaf_groups = calloc(links + 1, sizeof(uint32_t));
    measurement->found = calloc(draft->leaf_count + 1, sizeof(uint32_t));
    measurement->found_domains = calloc(draft->leaf_count + 1, 1);
    measurement->group_seen = calloc(draft->group_count + 1, sizeof(uint32_t));
    measurement->signature_seen = calloc(draft->signature_count + 1, sizeof(uint32_t));
    if (counts->leaves == NULL || counts->groups == NULL || counts->signatures == NULL ||
        measurement->first_group == NULL || measurement->leaf_groups == NULL ||
        measurement->found == NULL || measurement->found_domains == NULL ||
        measurement->group_seen == NULL || measurement->signature_seen == NULL)
        return false;
    measure_index(measurement);
    return true;
}

static bool measure_open(const struct draft_database *serialised, hs_database_t **database,
                         hs_scratch_t **scratch)
{
    if (serialised->length == 0)
        return true;
    return hs_deserialize_database(serialised->bytes, serialised->length, database) == HS_SUCCESS &&
           hs_alloc_scratch(*database, scratch) == HS_SUCCESS;
}

static void measure_close(struct measurement *measurement)
{
    (void)hs_free_scratch(measurement->scratch);
    (void)hs_free_database(measurement->squeezed);
    (void)hs_free_database(measurement->exact);
    free(measurement->first_group);
    free(measurement->leaf_groups);
    free(measurement->found);
    free(measurement->found_domains);
    free(measurement->group_seen);
    free(measurement->signature_seen);
}

enum status corpus_measure(const struct corpus *corpus, const struct draft *draft,
                           struct corpus_counts *counts)
{
    struct measurement measurement = {.draft = draft, .counts = counts};
    struct view_sink sink = {.context = &measurement, .piece = measure_piece};
    uint8_t *buffer = malloc(CORPUS_MAIL_MAX);
    struct views views = {0};
    bool ok;

    *counts = (struct corpus_counts){0};
    ok = buffer != NULL && measure_prepare(&measurement) &&
         measure_open(&draft->squeezed, &measurement.squeezed, &measurement.scratch) &&
         measure_open(&draft->exact, &measurement.exact, &measurement.scratch);
    for (size_t i = 0; ok && i < corpus->count; i++) {
        size_t length = corpus_read(corpus->paths[i], buffer);

        measurement.mail++;
        counts->messages += length > 0;
        counts->bytes += length;
        ok = views_of_mail(&views, buffer, length, &sink);
        measure_count(&measurement);
    }
    views_free(&views);
    free(buffer);
    measure_close(&measurement);
    if (!ok)
        corpus_counts_free(counts);
    return ok ? STATUS_OK : STATUS_NO_MEMORY;
}
