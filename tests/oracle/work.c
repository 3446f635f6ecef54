#include "tests/oracle/work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "tests/oracle/encode.h"
#include "tests/oracle/generate.h"
#include "tests/oracle/mutate.h"
#include "tests/oracle/place.h"

#define WORK_MAIL_BYTES_MAX (64u << 20)
#define WORK_SEED_BYTES_MAX 60000u /* of mails that are mutated */

static bool work_time_left(const struct work_options *options, int64_t started_ns)
{
    return options->seconds == 0 ||
           clock_monotonic_ns() - started_ns < (int64_t)options->seconds * CLOCK_NS_PER_SECOND;
}

static bool work_mails_read(struct mails *mails, const struct work_options *options,
                            size_t bytes_max)
{
    for (unsigned i = 0; i < options->path_count; i++) {
        if (mails_add(mails, options->paths[i], bytes_max))
            continue;
        (void)fprintf(stderr, "oracle: no mail could be read from %s\n", options->paths[i]);
        return false;
    }
    return true;
}

static bool work_samples_read(struct samples *samples, const struct work_options *options)
{
    struct random random;

    random_seed(&random, options->seed);
    if (options->signature_count == 0)
        samples_own(samples);
    for (unsigned i = 0; i < options->signature_count; i++) {
        if (samples_read(samples, options->signatures[i], options->step, &random))
            continue;
        (void)fprintf(stderr, "oracle: %s cannot be read\n", options->signatures[i]);
        return false;
    }
    return true;
}

int work_mails(const struct work_options *options)
{
    struct mails mails = {0};
    struct trial trial;
    bool right = false;
    int64_t started_ns;

    if (!trial_open(&trial, &options->trial))
        return 1;
    started_ns = clock_monotonic_ns();
    if (work_mails_read(&mails, options, WORK_MAIL_BYTES_MAX)) {
        for (size_t i = options->seed % options->step; i < mails.count; i += options->step) {
            if (trial_over(&trial) || !work_time_left(options, started_ns))
                break;
            (void)trial_message(&trial, &mails.entries[i].message, mails.entries[i].path, i);
        }
        right = trial_report(&trial, "mails");
    }
    trial_close(&trial);
    mails_free(&mails);
    return right ? 0 : 1;
}

int work_malformed(const struct work_options *options)
{
    struct mails mails = {0};
    struct trial trial;
    unsigned long settled = 0;

    if (!trial_open(&trial, &options->trial))
        return 1;
    if (!work_mails_read(&mails, options, WORK_MAIL_BYTES_MAX))
        settled = 1;
    for (size_t i = 0; i < mails.count; i++) {
        (void)trial_message(&trial, &mails.entries[i].message, mails.entries[i].path, i);
        if (trial.inspected.decision != INSPECT_SETTLED)
            continue;
        settled++;
        (void)fprintf(stderr, "settled: %s is malformed, and was settled as clean\n",
                      mails.entries[i].path);
    }
    printf("malformed: %zu messages, %lu settled\n", mails.count, settled);
    if (mails.count == 0)
        settled = 1;
    trial_close(&trial);
    mails_free(&mails);
    return settled == 0 ? 0 : 1;
}

/* Plant number `number`: a signature's payload, worded and placed in a way the number says; what
 * else is chance comes from the seed. */
static void work_plant_one(struct trial *trial, const struct samples *samples, uint64_t seed,
                           uint64_t number, unsigned long *found)
{
    struct bytes message = {0};
    struct bytes worded = {0};
    struct random random;
    size_t sample = number % samples->count;
    unsigned place = (unsigned)(number / samples->count % place_count());
    unsigned style = (unsigned)(number / samples->count / place_count() % ENCODE_TEXT_STYLES);
    char label[256];

    random_seed(&random, seed + number);
    encode_text(&worded, &samples->entries[sample].payload, style);
    place_message(&message, place, &worded, &random);
    (void)snprintf(label, sizeof(label), "plant %" PRIu64 " (seed %" PRIu64 "): %s, %s, %s", number,
                   seed, samples->entries[sample].name, place_name(place),
                   encode_text_style(style));
    (void)trial_message(trial, &message, label, seed + number);
    found[sample] += trial->result.verdict == VERDICT_INFECTED;
    bytes_free(&message);
    bytes_free(&worded);
}

static size_t work_greatest_divisor(size_t a, size_t b)
{
    while (b != 0) {
        size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

int work_plant(const struct work_options *options)
{
    struct samples samples = {0};
    struct trial trial;
    unsigned long *found;
    int64_t started_ns;
    uint64_t all;
    uint64_t stride;
    unsigned long done = 0;
    unsigned long unseen = 0;
    bool right;

    if (!work_samples_read(&samples, options) || samples.count == 0 ||
        !trial_open(&trial, &options->trial))
        return 1;
    found = calloc(samples.count, sizeof(*found));
    if (found == NULL)
        abort();
    started_ns = clock_monotonic_ns();
    all = (uint64_t)samples.count * place_count() * ENCODE_TEXT_STYLES;
    stride = (uint64_t)((double)all * 0.6180339887) | 1; /* spread: any beginning is a sample */
    while (work_greatest_divisor(all, stride) != 1)
        stride += 2;
    for (uint64_t i = 0; i < all && (options->count == 0 || done < options->count); i++) {
        if (trial_over(&trial) || !work_time_left(options, started_ns))
            break;
        work_plant_one(&trial, &samples, options->seed, (options->seed + i) * stride % all, found);
        done++;
    }
    for (size_t i = 0; i < samples.count; i++) {
        unseen += found[i] == 0;
        if (found[i] == 0 && options->signature_count == 0 && trial.options.unsettled_every == 1)
            printf("  never found by libclamav: %s\n", samples.entries[i].name);
    }
    right = trial_report(&trial, "plant");
    printf("  %zu signatures, %u places, %u wordings: %lu of %" PRIu64
           " tried; %lu signatures never found by the library\n",
           samples.count, place_count(), ENCODE_TEXT_STYLES, done, all, unseen);
    trial_close(&trial);
    samples_free(&samples);
    free(found);
    return right ? 0 : 1;
}

/* The message of a seed: made new, or a real one; mutated mostly. */
static void work_fuzz_message(struct bytes *message, const struct mails *mails,
                              const struct samples *samples, const struct work_options *options,
                              uint64_t seed)
{
    struct random random;
    unsigned kind;

    random_seed(&random, seed);
    kind = (unsigned)random_below(&random, 10);
    if (mails->count > 0 && kind < 5) {
        const struct bytes *mail = &mails->entries[random_below(&random, mails->count)].message;

        bytes_set(message, mail->data, mail->length);
    } else if (kind < 6 && samples->count > 0) {
        place_message(message, (unsigned)random_below(&random, place_count()),
                      &samples->entries[random_below(&random, samples->count)].payload, &random);
    } else {
        generate_message(message, samples, &random);
    }
    if (random_chance(&random, 8500))
        mutate_message(message, mails, samples, options->mutations, &random);
}

int work_fuzz(const struct work_options *options)
{
    struct samples samples = {0};
    struct mails mails = {0};
    struct bytes message = {0};
    struct trial trial;
    int64_t started_ns;
    bool right;

    if (!work_samples_read(&samples, options) ||
        !work_mails_read(&mails, options, WORK_SEED_BYTES_MAX) ||
        !trial_open(&trial, &options->trial))
        return 1;
    started_ns = clock_monotonic_ns();
    for (unsigned long i = 0; options->count == 0 || i < options->count; i++) {
        char label[64];

        if (trial_over(&trial) || !work_time_left(options, started_ns))
            break;
        work_fuzz_message(&message, &mails, &samples, options, options->seed + i);
        (void)snprintf(label, sizeof(label), "fuzz --seed %" PRIu64 " --count 1",
                       options->seed + i);
        (void)trial_message(&trial, &message, label, options->seed + i);
    }
    right = trial_report(&trial, "fuzz");
    trial_close(&trial);
    samples_free(&samples);
    mails_free(&mails);
    bytes_free(&message);
    return right ? 0 : 1;
}

int work_print(const struct work_options *options)
{
    struct samples samples = {0};
    struct mails mails = {0};
    struct bytes message = {0};
    bool written = false;

    if (work_samples_read(&samples, options) &&
        work_mails_read(&mails, options, WORK_SEED_BYTES_MAX)) {
        work_fuzz_message(&message, &mails, &samples, options, options->seed);
        written = fwrite(message.data, 1, message.length, stdout) == message.length;
    }
    samples_free(&samples);
    mails_free(&mails);
    bytes_free(&message);
    return written ? 0 : 1;
}
