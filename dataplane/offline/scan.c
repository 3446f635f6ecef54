#include "dataplane/offline/scan.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "dataplane/offline/mail_file.h"
#include "dataplane/offline/offline_prefilter.h"
#include "dataplane/offline/report.h"
#include "dataplane/offline/scanners.h"
#include "dataplane/policy/decide.h"
#include "dataplane/policy/learn.h"
#include "platform/check.h"
#include "platform/program.h"
#include "platform/why.h"

#define SCAN_TIME_LIMIT_NS  (30 * CLOCK_NS_PER_SECOND) /* scanner.time_limit's default */
#define SCAN_TRACE_BYTES    4096u
#define SCAN_BLOCKS_BESIDES 8u /* extent tables, the last piece, the trace */
#define SCAN_BLOCKS_MIN     256u

enum entry_state { ENTRY_UNDER_WAY, ENTRY_REPORT, ENTRY_ERROR };

struct scan_entry {
    enum entry_state state;
    struct report report;
};

struct scan {
    const struct scan_options *options;
    const struct file_list *files;
    struct scan_totals *totals;
    struct region region;
    struct store store;
    struct scanners scanners;
    struct offline_prefilter prefilter;
    bool vouched;               /* the scanner has the database the prefilter was made from */
    struct mail_file mail_file; /* of files[next_load] when `held` */
    bool held;                  /* read, but no room for it yet */
    size_t next_load;
    size_t next_print;
    unsigned under_way; /* messages in the store */
    struct scan_entry entries[SCAN_WINDOW];
};

static struct scan_entry *scan_entry(struct scan *scan, size_t index)
{
    return &scan->entries[index % SCAN_WINDOW];
}

/* What is known of a file, as the worker would decide it; what only a mail has (a customer, a time
 * to be relayed in) makes no difference to the verdict. */
static struct policy_decision scan_decide(const struct scan *scan, const struct report *report,
                                          enum verdict_kind verdict, enum unscannable_reason reason)
{
    const struct policy_facts facts = {
        .inspected = report->inspected ? report->inspection.decision : INSPECT_SENT_ON,
        .cached = report->inspection.verdict,
        .vouched = scan->vouched,
        .verdict = verdict,
        .reason = reason,
        .time_left = true,
    };

    return policy_decide(&facts);
}

static void scan_done(void *context, size_t tag, struct message *message,
                      const struct scanners_answer *answer)
{
    struct scan *scan = context;
    struct scan_entry *entry = scan_entry(scan, tag);
    struct policy_decision decision =
        scan_decide(scan, &entry->report, answer->verdict, answer->reason);

    message_give(&scan->store, message);
    scan->under_way--;
    entry->state = ENTRY_REPORT;
    (void)policy_learn(scan->prefilter.cache, &entry->report.inspection, scan->vouched,
                       answer->verdict, answer->name);
    entry->report.verdict = decision.verdict;
    entry->report.reason = decision.reason;
    entry->report.scanned = answer->engine[0] != '\0';
    entry->report.scan_ns = answer->scan_ns;
    entry->report.cpu_ns = answer->cpu_ns;
    entry->report.readings = answer->readings;
    entry->report.reading = answer->reading;
    memcpy(entry->report.doubt, answer->doubt, sizeof(entry->report.doubt));
    memcpy(entry->report.name, answer->name, sizeof(entry->report.name));
    snprintf(entry->report.engine, sizeof(entry->report.engine), "%s", answer->engine);
}

/* The next file has its verdict without a scanner. */
static void scan_settle(struct scan *scan, struct scan_entry *entry, enum verdict_kind verdict,
                        enum unscannable_reason reason)
{
    entry->state = ENTRY_REPORT;
    entry->report.verdict = verdict;
    entry->report.reason = reason;
    scan->next_load++;
    scan->held = false;
}

static void scan_refuse(struct scan *scan, struct scan_entry *entry, enum unscannable_reason reason)
{
    scan_settle(scan, entry, VERDICT_UNSCANNABLE, reason);
}

/* Reads the next file into `mail_file`; false when its entry is settled already. */
static bool scan_read(struct scan *scan, struct scan_entry *entry)
{
    const struct file_entry *file = &scan->files->entries[scan->next_load];
    enum status status;

    *entry = (struct scan_entry){.report = {.path = file->path, .size = file->size}};
    status = mail_file_read(&scan->mail_file, file->path, scan->options->message_bytes);
    if (status == STATUS_SYSTEM || status == STATUS_NO_MEMORY) {
        fprintf(stderr, "postern scan: %s: %s\n", file->path,
                status == STATUS_SYSTEM ? strerror(errno) : status_text(status));
        entry->state = ENTRY_ERROR;
        scan->next_load++;
        return false;
    }
    entry->report.kind = scan->mail_file.kind;
    if (status == STATUS_NO_SPACE) {
        scan_refuse(scan, entry, UNSCANNABLE_LIMIT);
        return false;
    }
    entry->report.size = scan->mail_file.size;
    if (scan->mail_file.size == 0) {
        /* Nothing in it: no mail is like that, for ours have a trace field at least. */
        scan_settle(scan, entry, VERDICT_CLEAN, UNSCANNABLE_NONE);
        return false;
    }
    scan->held = true;
    return true;
}

/* True when the message just stored needs no scanner; then its entry is settled. */
static bool scan_inspect(struct scan *scan, struct scan_entry *entry, struct message *message)
{
    struct inspect_result *result = &entry->report.inspection;
    int64_t started_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
    struct policy_decision decision;

    if (scan->prefilter.inspector == NULL || entry->report.kind != MAIL_FILE_MESSAGE)
        return false;
    offline_prefilter_inspect(&scan->prefilter, &scan->store, message, result);
    entry->report.inspected = true;
    entry->report.inspect_ns = (uint64_t)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - started_ns);
    decision = scan_decide(scan, &entry->report, (enum verdict_kind)0, UNSCANNABLE_NONE);
    if (decision.action == POLICY_SCAN)
        return false;
    result->verdict = decision.verdict;
    memcpy(entry->report.name, result->name, sizeof(entry->report.name));
    message_give(&scan->store, message);
    scan_settle(scan, entry, decision.verdict, decision.reason);
    return true;
}

static uint64_t scan_blocks(uint64_t bytes)
{
    return (bytes + SCAN_TRACE_BYTES) / MESSAGE_BLOCK_BYTES + SCAN_BLOCKS_BESIDES;
}

/* Puts the file in `mail_file` into the region and hands it over. False when it must wait. */
static bool scan_submit(struct scan *scan, struct scan_entry *entry)
{
    struct message *message;
    enum status status;

    if (scan->under_way > 0 && block_available(&scan->store, BLOCK_FOR_DATA) <
                                   scan_blocks(mail_file_message_bytes(&scan->mail_file)))
        return false;
    message = message_take(&scan->store);
    if (message == NULL) {
        CHECK(scan->under_way > 0);
        return false;
    }
    snprintf(message->id, sizeof(message->id), "OFFLINE%zX", scan->next_load);
    status = mail_file_store(&scan->mail_file, &scan->store, message, scan->options->hostname,
                             clock_wall_ns() / CLOCK_NS_PER_SECOND);
    if (status != STATUS_OK) {
        message_give(&scan->store, message);
        /* Nothing else is in the store: it would never fit (a file that grew, or too many lines).
         */
        if (scan->under_way == 0)
            scan_refuse(scan, entry, UNSCANNABLE_LIMIT);
        return scan->under_way == 0;
    }
    if (scan_inspect(scan, entry, message))
        return true;
    message->all_readings = entry->report.kind == MAIL_FILE_MESSAGE &&
                            !(entry->report.inspected && entry->report.inspection.clear);
    scan->under_way++;
    scanners_submit(&scan->scanners, message, scan->next_load);
    scan->next_load++;
    scan->held = false;
    return true;
}

/* Loads what there is room for; returns how many files were settled or handed over. */
static unsigned scan_load(struct scan *scan)
{
    unsigned done = 0;

    while (scan->next_load < scan->files->count &&
           scan->next_load < scan->next_print + SCAN_WINDOW && scanners_room(&scan->scanners)) {
        struct scan_entry *entry = scan_entry(scan, scan->next_load);

        if (scanners_gone(&scan->scanners)) {
            const struct file_entry *file = &scan->files->entries[scan->next_load];

            *entry = (struct scan_entry){.report = {.path = file->path, .size = file->size}};
            scan_refuse(scan, entry, UNSCANNABLE_NO_ENGINE);
            done++;
            continue;
        }
        if (scan->held || scan_read(scan, entry)) {
            if (!scan_submit(scan, entry))
                break;
        }
        done++;
    }
    return done;
}

static void scan_print(struct scan *scan)
{
    while (scan->next_print < scan->next_load) {
        const struct scan_entry *entry = scan_entry(scan, scan->next_print);

        if (entry->state == ENTRY_UNDER_WAY)
            break;
        if (entry->state == ENTRY_ERROR) {
            scan->totals->errors++;
        } else {
            scan->totals->infected += entry->report.verdict == VERDICT_INFECTED;
            scan->totals->unscannable += entry->report.verdict == VERDICT_UNSCANNABLE;
            if (!scan->options->json)
                report_text(&entry->report, stdout);
            else if (report_json(&entry->report, stdout) != STATUS_OK)
                scan->totals->errors++;
        }
        scan->next_print++;
    }
}

static void scan_loop(struct scan *scan)
{
    while (scan->next_print < scan->files->count) {
        unsigned done = scan_load(scan);

        done += scanners_poll(&scan->scanners, clock_monotonic_ns());
        scan_print(scan);
        if (done == 0) {
            fflush(stdout); /* whoever watches sees what is known */
            scanners_wait(&scan->scanners);
        }
    }
}

static uint32_t scan_processes(const struct file_list *files)
{
    cpu_set_t set;
    size_t count = 1;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = (size_t)CPU_COUNT(&set);
    if (count > SCAN_PROCESSES_MAX)
        count = SCAN_PROCESSES_MAX;
    if (count > files->count)
        count = files->count;
    return count == 0 ? 1 : (uint32_t)count;
}

static enum status scan_make_store(struct scan *scan, uint32_t processes)
{
    struct region_plan plan = {.worker_count = 1, .message_count = 2 * processes + 1};
    uint64_t largest = 0;
    uint64_t one;
    uint64_t blocks;
    enum status status;

    for (size_t i = 0; i < scan->files->count; i++) {
        /* Line ends may double it. */
        uint64_t bytes = scan->files->entries[i].size * 2 + 2;

        largest = bytes > largest ? bytes : largest;
    }
    if (largest > scan->options->message_bytes)
        largest = scan->options->message_bytes;
    one = scan_blocks(largest);
    blocks = one * plan.message_count;
    if (blocks > SCAN_REGION_BYTES / MESSAGE_BLOCK_BYTES)
        blocks = SCAN_REGION_BYTES / MESSAGE_BLOCK_BYTES;
    if (blocks < one)
        blocks = one;
    if (blocks < SCAN_BLOCKS_MIN)
        blocks = SCAN_BLOCKS_MIN;
    /* An eighth is kept back from message data. */
    plan.block_count = (uint32_t)(blocks * 8 / 7 + 1);
    status = region_create(&scan->region, &plan, REGION_PAGES_NORMAL);
    if (status == STATUS_OK)
        status =
            store_init(&scan->store, &scan->region, 0, 0, plan.block_count, 0, plan.message_count);
    if (status != STATUS_OK)
        fprintf(stderr, "postern scan: %llu MiB of shared memory: %s\n",
                (unsigned long long)(region_bytes(&plan) >> 20), status_text(status));
    return status;
}

struct scan_arguments {
    const char *list[32];
    unsigned count;
    char numbers[8][24];
    unsigned number_count;
};

static void scan_argument(struct scan_arguments *arguments, const char *option, const char *value)
{
    CHECK(arguments->count + 3 <= sizeof(arguments->list) / sizeof(arguments->list[0]));
    arguments->list[arguments->count++] = option;
    arguments->list[arguments->count++] = value;
    arguments->list[arguments->count] = NULL;
}

static void scan_argument_number(struct scan_arguments *arguments, const char *option,
                                 uint64_t value)
{
    char *number = arguments->numbers[arguments->number_count];

    CHECK(arguments->number_count++ < sizeof(arguments->numbers) / sizeof(arguments->numbers[0]));
    snprintf(number, sizeof(arguments->numbers[0]), "%llu", (unsigned long long)value);
    scan_argument(arguments, option, number);
}

static enum status scan_start(struct scan *scan, uint32_t processes)
{
    const struct config_scanner *limits = scan->options->limits;
    struct scan_arguments arguments = {.list = {"postern-scanner"}, .count = 1};
    int64_t time_limit_ns = limits == NULL ? SCAN_TIME_LIMIT_NS : limits->time_limit_ns;
    char path[PATH_MAX];
    enum status status = program_find("postern-scanner", path, sizeof(path));

    if (status != STATUS_OK) {
        fputs("postern scan: there is no program postern-scanner beside postern or in "
              "../libexec/postern\n",
              stderr);
        return status;
    }
    scan_argument(&arguments, "--database", scan->options->database);
    scan_argument_number(&arguments, "--processes", processes);
    scan_argument_number(&arguments, "--time-limit-ms",
                         (uint64_t)(time_limit_ns / CLOCK_NS_PER_MS));
    if (limits != NULL) {
        scan_argument_number(&arguments, "--scan-bytes", limits->scan_bytes_max);
        scan_argument_number(&arguments, "--files", limits->files_max);
        scan_argument_number(&arguments, "--recursion", limits->recursion_max);
        scan_argument_number(&arguments, "--memory-bytes", limits->memory_bytes);
        scan_argument(&arguments, "--user", limits->user);
    }
    status = scanners_start(&scan->scanners, &scan->region, path, arguments.list, processes,
                            time_limit_ns, scan_done, scan);
    if (status != STATUS_OK)
        fprintf(stderr, "postern scan: cannot start %s: %s\n", path, strerror(errno));
    return status;
}

/* Nothing is settled before the scanner has said what it has loaded. */
static void scan_vouch(struct scan *scan)
{
    if (scan->prefilter.inspector == NULL)
        return;
    while (!scanners_ready(&scan->scanners) && !scanners_gone(&scan->scanners)) {
        (void)scanners_poll(&scan->scanners, clock_monotonic_ns());
        scanners_wait(&scan->scanners);
    }
    scan->vouched = scanners_vouched(&scan->scanners, scan->prefilter.inspector);
    if (!scan->vouched && !scanners_gone(&scan->scanners))
        fprintf(stderr,
                "postern scan: the prefilter is for another database or another libclamav than %s "
                "(it was proven for %s): every message is scanned\n",
                "the scanner has", PREFILTER_LIBRARY);
}

/* A scanner that went away by itself is an error of its own, beside what it left unscanned. */
static void scan_stop(struct scan *scan)
{
    bool gone = scanners_gone(&scan->scanners);
    int wait_status = scanners_stop(&scan->scanners);

    if (!gone)
        return;
    scan->totals->errors++;
    if (WIFSIGNALED(wait_status))
        fprintf(stderr, "postern scan: postern-scanner was killed by signal %d\n",
                WTERMSIG(wait_status));
    else
        fprintf(stderr, "postern scan: postern-scanner ended with exit code %d\n",
                WEXITSTATUS(wait_status));
}

static enum status scan_open_prefilter(struct scan *scan)
{
    struct why why = {""};
    enum status status;

    if (scan->options->prefilter == NULL)
        return STATUS_OK;
    status = offline_prefilter_open(&scan->prefilter, scan->options->prefilter,
                                    scan->options->limits, &why);
    if (status != STATUS_OK)
        fprintf(stderr, "postern scan: prefilter %s not used: %s%s%s\n", scan->options->prefilter,
                status_text(status), !why_empty(&why) ? ": " : "", why.text);
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

enum status scan_files(const struct scan_options *options, const struct file_list *files,
                       struct scan_totals *totals)
{
    uint32_t processes = scan_processes(files);
    struct scan *scan = calloc(1, sizeof(*scan));
    enum status status = STATUS_NO_MEMORY;

    if (scan != NULL) {
        scan->options = options;
        scan->files = files;
        scan->totals = totals;
        scan->region.fd = -1;
        status = scan_make_store(scan, processes);
    }
    if (status == STATUS_OK)
        status = scan_open_prefilter(scan);
    if (status == STATUS_OK)
        status = scan_start(scan, processes);
    if (status == STATUS_OK) {
        scan_vouch(scan);
        scan_loop(scan);
        scan_stop(scan);
    }
    if (scan != NULL) {
        mail_file_free(&scan->mail_file);
        offline_prefilter_close(&scan->prefilter);
        store_fini(&scan->store);
        region_close(&scan->region);
        free(scan);
    }
    return status;
}
