/* How much of some mail the prefilter settles, and what keeps it from the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/why.h"
#include "tests/oracle/mail.h"
#include "tests/oracle/work.h"

#define YIELD_MAIL_BYTES_MAX (64u << 20)
#define YIELD_REASONS_MAX    512u
#define YIELD_SHOWN          12u

struct yield_reason {
    char text[INSPECT_REASON_BYTES];
    unsigned long count;
};

struct yield {
    struct yield_reason reasons[YIELD_REASONS_MAX];
    unsigned reason_count;
    unsigned long settled;
    unsigned long unclear; /* every reading has to be scanned */
    unsigned long causes[INSPECT_CAUSE_COUNT];
    uint64_t bytes;
};

static void yield_count(struct yield *yield, const struct inspect_result *result)
{
    unsigned i = 0;

    yield->bytes += result->bytes;
    yield->settled += result->decision == INSPECT_SETTLED;
    yield->unclear += !result->clear;
    yield->causes[result->cause]++;
    if (result->decision == INSPECT_SETTLED)
        return;
    while (i < yield->reason_count && strcmp(yield->reasons[i].text, result->reason) != 0)
        i++;
    if (i == YIELD_REASONS_MAX)
        return;
    if (i == yield->reason_count) {
        (void)snprintf(yield->reasons[i].text, sizeof(yield->reasons[i].text), "%s",
                       result->reason);
        yield->reason_count++;
    }
    yield->reasons[i].count++;
}

static int yield_more(const void *left, const void *right)
{
    const struct yield_reason *a = left;
    const struct yield_reason *b = right;

    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->text, b->text);
}

static void yield_print(struct yield *yield, const char *path, const struct probe *probe,
                        size_t count)
{
    printf("%s: %zu mails, %.1f KB each; settled %lu (%.1f %%), unclear %lu; prefilter %.1f us "
           "a mail\n ",
           path, count, (double)yield->bytes / 1024 / (double)count, yield->settled,
           100.0 * (double)yield->settled / (double)count, yield->unclear,
           (double)probe_cpu_ns(probe) / 1000 / (double)count);
    for (unsigned i = 1; i < INSPECT_CAUSE_COUNT; i++) {
        if (yield->causes[i] > 0)
            printf(" %s %.1f %%", inspect_cause_text((enum inspect_cause)i),
                   100.0 * (double)yield->causes[i] / (double)count);
    }
    printf("\n");
    qsort(yield->reasons, yield->reason_count, sizeof(yield->reasons[0]), yield_more);
    for (unsigned i = 0; i < yield->reason_count && i < YIELD_SHOWN; i++)
        printf("  %6lu %5.2f %%  %s\n", yield->reasons[i].count,
               100.0 * (double)yield->reasons[i].count / (double)count, yield->reasons[i].text);
}

static bool yield_path(const struct work_options *options, const char *path)
{
    struct mails mails = {0};
    struct yield *yield = calloc(1, sizeof(*yield));
    struct why why = {""};
    struct probe *probe = probe_open(options->trial.prefilter, false, &why);
    bool read = probe != NULL && mails_add(&mails, path, YIELD_MAIL_BYTES_MAX);

    if (yield == NULL)
        abort();
    for (size_t i = 0; read && i < mails.count; i++) {
        struct inspect_result result;

        probe_inspect(probe, &mails.entries[i].message, NULL, &result);
        yield_count(yield, &result);
    }
    if (read)
        yield_print(yield, path, probe, mails.count);
    else
        (void)fprintf(stderr, "oracle: %s: %s\n", path, probe == NULL ? why.text : "no mail");
    mails_free(&mails);
    probe_close(probe);
    free(yield);
    return read;
}

int work_yield(const struct work_options *options)
{
    bool all = options->trial.prefilter != NULL;

    for (unsigned i = 0; all && i < options->path_count; i++)
        all = yield_path(options, options->paths[i]);
    return all ? 0 : 1;
}
