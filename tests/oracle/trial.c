#include "tests/oracle/trial.h"
#include "platform/why.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIAL_PATH_BYTES 512

static const char *const trial_digests[3] = {"md5", "sha1", "sha256"};

bool trial_open(struct trial *trial, const struct trial_options *options)
{
    struct why why = {""};

    *trial = (struct trial){.options = *options};
    trial->library = library_open(options->database, !options->verdict_only, &why);
    if (trial->library != NULL && options->prefilter != NULL)
        trial->probe = probe_open(options->prefilter, !options->verdict_only, &why);
    if (trial->library != NULL && (options->prefilter == NULL || trial->probe != NULL))
        return true;
    (void)fprintf(stderr, "oracle: %s\n", why.text);
    trial_close(trial);
    return false;
}

static void trial_hashes_save(const struct trial *trial)
{
    static const char *const files[3] = {"h.hdb", "h1.hsb", "h2.hsb"};
    char path[TRIAL_PATH_BYTES];

    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", trial->options.hashes, files[i]);
        if (trial->hashes[i].length > 0 && !bytes_save(&trial->hashes[i], path))
            perror(path);
    }
}

void trial_close(struct trial *trial)
{
    if (trial->options.hashes != NULL)
        trial_hashes_save(trial);
    for (unsigned i = 0; i < 3; i++)
        bytes_free(&trial->hashes[i]);
    library_close(trial->library);
    probe_close(trial->probe);
    trial->library = NULL;
    trial->probe = NULL;
}

/* A hash signature for each buffer, in turn MD5, SHA-1 and SHA-256. */
static void trial_hash(struct trial *trial)
{
    for (size_t i = 0; i < witness_buffer_count(); i++) {
        const struct witness_buffer *buffer = witness_buffer(i);
        unsigned kind = (unsigned)((trial->counts.messages + i) % 3);
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;

        /* Normalised text is not hashed by the library. The raw mail is, and not by the prefilter:
         * it begins with our own Received field, with a time and an id that no signature knows. */
        if (buffer->normalised || buffer->length == 0 || buffer->target == 4)
            continue;
        (void)EVP_Digest(witness_bytes(buffer), buffer->length, digest, &length,
                         EVP_get_digestbyname(trial_digests[kind]), NULL);
        for (unsigned j = 0; j < length; j++)
            bytes_format(&trial->hashes[kind], "%02x", digest[j]);
        bytes_format(&trial->hashes[kind], ":%zu:Hash.%lu.%zu.%s\n", buffer->length,
                     trial->counts.messages, i, buffer->type);
    }
}

static void trial_save(const struct trial *trial, const struct bytes *message, const char *kind,
                       const char *text, size_t buffer)
{
    unsigned long number = trial->counts.missed + trial->counts.uncovered;
    char path[TRIAL_PATH_BYTES];
    struct bytes content = {0};

    if (trial->options.findings == NULL)
        return;
    (void)snprintf(path, sizeof(path), "%s/%s-%lu.message", trial->options.findings, kind, number);
    if (bytes_save(message, path))
        (void)fprintf(stderr, "  written to %s\n", path);
    bytes_text(&content, text);
    (void)snprintf(path, sizeof(path), "%s/%s-%lu.txt", trial->options.findings, kind, number);
    (void)bytes_save(&content, path);
    if (buffer != SIZE_MAX) {
        bytes_set(&content, witness_bytes(witness_buffer(buffer)), witness_buffer(buffer)->length);
        (void)snprintf(path, sizeof(path), "%s/%s-%lu.buffer", trial->options.findings, kind,
                       number);
        (void)bytes_save(&content, path);
    }
    bytes_free(&content);
}

static void trial_finding(const struct trial *trial, const struct bytes *message, const char *kind,
                          const char *label, const char *why, size_t buffer)
{
    char text[WHY_BYTES * 2];

    if (trial->quiet)
        return;
    (void)snprintf(text, sizeof(text), "%s: %s: %s (libclamav %s)\n", kind, label, why,
                   library_version());
    (void)fputs(text, stderr);
    trial_save(trial, message, kind, text, buffer);
}

static bool trial_settled(struct trial *trial, const struct bytes *message, const char *label)
{
    struct why why;
    size_t buffer;

    if (trial->result.verdict != VERDICT_CLEAN) {
        trial->counts.missed++;
        why_set(&why, "settled as clean, and libclamav says %s", trial->result.name);
        trial_finding(trial, message, "missed", label, why.text, SIZE_MAX);
        return false;
    }
    if (trial->options.verdict_only)
        return true;
    if (trial->options.hashes != NULL)
        trial_hash(trial);
    if (covered(trial->probe, message, &trial->counts.covered, &buffer, &why))
        return true;
    trial->counts.uncovered++;
    trial_finding(trial, message, "uncovered", label, why.text, buffer);
    return false;
}

static void trial_scan(struct trial *trial, const struct bytes *message)
{
    library_scan(trial->library, message, &trial->result);
    trial->counts.scans++;
    trial->counts.library_cpu_ns += trial->result.cpu_ns;
    trial->counts.infected += trial->result.verdict == VERDICT_INFECTED;
}

bool trial_message(struct trial *trial, const struct bytes *message, const char *label,
                   uint64_t seed)
{
    struct trial_counts *counts = &trial->counts;
    struct random cuts;

    counts->messages++;
    trial->result = (struct scan_result){0};
    trial->inspected = (struct inspect_result){.decision = INSPECT_SENT_ON};
    if (trial->probe != NULL) {
        random_seed(&cuts, seed);
        probe_inspect(trial->probe, message, trial->options.uncut ? NULL : &cuts,
                      &trial->inspected);
        counts->causes[trial->inspected.cause]++;
    }
    if (trial->inspected.decision == INSPECT_SETTLED) {
        counts->settled++;
        trial_scan(trial, message);
        return trial_settled(trial, message, label);
    }
    if (trial->options.unsettled_every == 0 ||
        counts->messages % trial->options.unsettled_every != 0)
        return true;
    counts->scanned++;
    trial_scan(trial, message);
    counts->needless += trial->result.verdict == VERDICT_CLEAN;
    return true;
}

bool trial_over(const struct trial *trial)
{
    return trial->options.findings_most != 0 &&
           trial->counts.missed + trial->counts.uncovered >= trial->options.findings_most;
}

bool trial_report(const struct trial *trial, const char *what)
{
    const struct trial_counts *counts = &trial->counts;

    printf("%s: libclamav %s: %lu messages, %lu settled, %lu of the others scanned (%lu needlessly "
           "sent on), %lu infected; %lu MISSED, %lu UNCOVERED\n",
           what, library_version(), counts->messages, counts->settled, counts->scanned,
           counts->needless, counts->infected, counts->missed, counts->uncovered);
    printf("  covered: %lu buffers, %lu bytes, %lu identical; libclamav %.0f us a scan",
           counts->covered.buffers, counts->covered.bytes, counts->covered.identical,
           counts->scans == 0 ? 0.0
                              : (double)counts->library_cpu_ns / 1000 / (double)counts->scans);
    if (trial->probe != NULL && counts->messages > 0)
        printf(", prefilter %.1f us a message",
               (double)probe_cpu_ns(trial->probe) / 1000 / (double)counts->messages);
    printf("\n  causes:");
    for (unsigned i = 0; i < INSPECT_CAUSE_COUNT; i++) {
        if (counts->causes[i] > 0)
            printf(" %s %lu", inspect_cause_text((enum inspect_cause)i), counts->causes[i]);
    }
    printf("\n");
    return counts->missed == 0 && counts->uncovered == 0 && counts->messages > 0;
}
