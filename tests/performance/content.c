/* performance_content: the content path in one process, beside libclamav and bare Hyperscan.
 *
 *   performance_content DATABASE PREFILTER NAME=DIRECTORY...
 *
 * For the mails of each directory (files as tests/oracle/mail.h reads them) it prints the CPU time
 * a mail takes in the prefilter, in the prefilter and, for those it sends on, libclamav, and in
 * libclamav alone; what bare Hyperscan needs for the same bytes with the same two databases; and
 * what became of the mails. Times are of the least disturbed of CONTENT_ROUNDS rounds (libclamav:
 * one). See tests/performance/content, which makes mails and calls this.
 */
#include <hs/hs_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "platform/clock.h"
#include "platform/why.h"
#include "signatures/content/decode/squeeze.h"
#include "signatures/content/inspect/inspect.h"
#include "tests/oracle/library.h"
#include "tests/oracle/mail.h"

#define CONTENT_ROUNDS    7u
#define CONTENT_BYTES_MAX (32u << 20)

struct bench {
    struct prefilter prefilter;
    struct inspector *inspector;
    struct library *library;
    hs_scratch_t *scratch;
    hs_stream_t *exact;
    hs_stream_t *squeezed;
    uint8_t *room;
};

static int64_t content_cpu_ns(void)
{
    return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void content_inspect(struct bench *bench, const struct bytes *message,
                            struct inspect_result *result)
{
    struct inspection *inspection = inspection_take(bench->inspector);

    CHECK(inspection != NULL);
    for (size_t at = 0; at < message->length; at += INSPECT_PIECE_MAX) {
        size_t left = message->length - at;

        (void)inspection_feed(bench->inspector, inspection, message->data + at,
                              left < INSPECT_PIECE_MAX ? left : INSPECT_PIECE_MAX);
    }
    inspection_end(bench->inspector, inspection, result);
    inspection_give(bench->inspector, inspection);
}

static int content_ignore(unsigned id, unsigned long long from, unsigned long long to,
                          unsigned flags, void *context)
{
    (void)id;
    (void)from;
    (void)to;
    (void)flags;
    (void)context;
    return 0;
}

/* The same bytes, squeezed in advance, through the two databases and nothing else. */
static int64_t content_hyperscan_ns(struct bench *bench, const struct mails *mails, bool exact)
{
    hs_stream_t *stream = exact ? bench->exact : bench->squeezed;
    int64_t best = INT64_MAX;

    for (unsigned round = 0; round < CONTENT_ROUNDS; round++) {
        int64_t spent = 0;

        for (size_t i = 0; i < mails->count; i++) {
            const struct bytes *message = &mails->entries[i].message;
            const char *bytes = (const char *)message->data;
            size_t length = message->length;
            int64_t started;
            bool odd;

            if (!exact) {
                length = squeeze(message->data, message->length, bench->room, &odd);
                bytes = (const char *)bench->room;
            }
            started = content_cpu_ns();
            for (size_t at = 0; at < length; at += INSPECT_PIECE_MAX)
                CHECK(
                    hs_scan_stream(stream, bytes + at,
                                   (unsigned)(length - at < INSPECT_PIECE_MAX ? length - at
                                                                              : INSPECT_PIECE_MAX),
                                   0, bench->scratch, content_ignore, NULL) == HS_SUCCESS);
            CHECK(hs_reset_stream(stream, 0, NULL, NULL, NULL) == HS_SUCCESS);
            spent += content_cpu_ns() - started;
        }
        best = spent < best ? spent : best;
    }
    return best;
}

static void content_measure(struct bench *bench, const char *name, const struct mails *mails)
{
    int64_t first = INT64_MAX, alone = 0, after = 0, squeezed, exact;
    size_t settled = 0, bytes = 0;
    uint64_t searched = 0, hashed = 0;

    for (unsigned round = 0; round < CONTENT_ROUNDS; round++) {
        int64_t started = content_cpu_ns();

        for (size_t i = 0; i < mails->count; i++) {
            struct inspect_result result;

            content_inspect(bench, &mails->entries[i].message, &result);
        }
        started = content_cpu_ns() - started;
        first = started < first ? started : first;
    }
    for (size_t i = 0; i < mails->count; i++) {
        struct inspect_result result;
        struct scan_result scan = {0};
        int64_t started;

        content_inspect(bench, &mails->entries[i].message, &result);
        started = content_cpu_ns();
        library_scan(bench->library, &mails->entries[i].message, &scan);
        started = content_cpu_ns() - started;
        alone += started;
        after += result.decision == INSPECT_SETTLED ? 0 : started;
        settled += result.decision == INSPECT_SETTLED;
        bytes += mails->entries[i].message.length;
        searched += result.searched_bytes;
        hashed += result.hashed_bytes;
    }
    squeezed = content_hyperscan_ns(bench, mails, false);
    exact = content_hyperscan_ns(bench, mails, true);
    printf("%-24s %6zu %9zu %9.1f %7.0f %10.1f %10.1f %7.1f %8.0f %8.0f %6.2f %6.2f %6.1f%%\n",
           name, mails->count, bytes / mails->count, (double)first / 1e3 / (double)mails->count,
           (double)bytes * 1e3 / (double)first,
           (double)(first + after) / 1e3 / (double)mails->count,
           (double)alone / 1e3 / (double)mails->count, (double)alone / (double)(first + after),
           (double)bytes * 1e3 / (double)squeezed, (double)bytes * 1e3 / (double)exact,
           (double)searched / (double)bytes, (double)hashed / (double)bytes,
           100.0 * (double)settled / (double)mails->count);
    fflush(stdout);
}

static void content_open(struct bench *bench, const char *database, const char *file)
{
    struct inspect_settings settings = {
        .prefilter = &bench->prefilter,
        .inspection_count = 1,
        .message_bytes_max = CONTENT_BYTES_MAX,
        .parts_max = 1000,
    };
    struct why why = {""};

    if (prefilter_open(&bench->prefilter, file, &why) != STATUS_OK ||
        inspector_create(&bench->inspector, &settings) != STATUS_OK ||
        (bench->library = library_open(database, false, &why)) == NULL) {
        fprintf(stderr, "performance_content: %s\n", why.text);
        exit(1);
    }
    bench->room = malloc(CONTENT_BYTES_MAX + SQUEEZE_SLACK);
    CHECK(bench->room != NULL);
    CHECK(hs_alloc_scratch(bench->prefilter.exact, &bench->scratch) == HS_SUCCESS);
    CHECK(hs_alloc_scratch(bench->prefilter.squeezed, &bench->scratch) == HS_SUCCESS);
    CHECK(hs_open_stream(bench->prefilter.exact, 0, &bench->exact) == HS_SUCCESS);
    CHECK(hs_open_stream(bench->prefilter.squeezed, 0, &bench->squeezed) == HS_SUCCESS);
}

int main(int argc, char **argv)
{
    static struct bench bench;

    if (argc < 4) {
        fputs("usage: performance_content DATABASE PREFILTER NAME=DIRECTORY...\n", stderr);
        return 2;
    }
    content_open(&bench, argv[1], argv[2]);
    printf(
        "CPU a mail, microseconds; MB/s of mail; libclamav %s; ratio: libclamav alone to prefilter "
        "and libclamav\n",
        library_version());
    printf("%-24s %6s %9s %9s %7s %10s %10s %7s %8s %8s %6s %6s %7s\n", "kind", "mails", "bytes",
           "prefilter", "MB/s", "with scan", "libclamav", "ratio", "HS sq.", "HS exact", "searchd",
           "hashed", "settled");
    for (int i = 3; i < argc; i++) {
        struct mails mails = {0};
        char *directory = strchr(argv[i], '=');

        if (directory == NULL || !mails_add(&mails, directory + 1, CONTENT_BYTES_MAX) ||
            mails.count == 0) {
            fprintf(stderr, "performance_content: no mail: %s\n", argv[i]);
            return 1;
        }
        *directory = '\0';
        content_measure(&bench, argv[i], &mails);
        mails_free(&mails);
    }
    library_close(bench.library);
    inspector_destroy(bench.inspector);
    prefilter_close(&bench.prefilter);
    return 0;
}
