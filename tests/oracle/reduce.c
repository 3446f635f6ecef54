/* A finding made as small as it gets: what can be left out without the finding going away is. */
#include <stdio.h>
#include <string.h>

#include "tests/oracle/mail.h"
#include "tests/oracle/work.h"

#define REDUCE_STEPS_MAX 20000u

static uint64_t reduce_seed; /* how messages are cut into pieces */

static bool reduce_holds(struct trial *trial, const struct bytes *message)
{
    return !trial_message(trial, message, "reduce", reduce_seed);
}

/* Leaves out pieces of `unit` lines (0: single bytes) wherever the finding stays. */
static size_t reduce_lines(struct trial *trial, struct bytes *message, size_t unit, unsigned *steps)
{
    struct bytes shorter = {0};
    size_t gone = 0;
    size_t offset = 0;

    while (offset < message->length && *steps < REDUCE_STEPS_MAX) {
        size_t end = unit == 0 ? offset + 1 : offset;

        for (size_t i = 0; i < unit && end < message->length; i++) {
            size_t found = bytes_find(message, end, "\n", 1);

            end = found == SIZE_MAX ? message->length : found + 1;
        }
        bytes_set(&shorter, message->data, message->length);
        bytes_splice(&shorter, offset, end - offset, NULL, 0);
        (*steps)++;
        if (reduce_holds(trial, &shorter)) {
            gone += end - offset;
            bytes_set(message, shorter.data, shorter.length);
        } else {
            offset = end;
        }
    }
    bytes_free(&shorter);
    return gone;
}

static void reduce(struct trial *trial, struct bytes *message)
{
    unsigned steps = 0;
    size_t gone;

    for (size_t unit = 256; unit > 0; unit /= 4)
        (void)reduce_lines(trial, message, unit, &steps);
    do {
        gone = reduce_lines(trial, message, 1, &steps);
    } while (gone > 0);
    if (message->length < 4000)
        (void)reduce_lines(trial, message, 0, &steps);
}

int work_reduce(const struct work_options *options)
{
    struct trial trial;
    struct bytes message = {0};
    int result = 0;

    if (!trial_open(&trial, &options->trial))
        return 1;
    trial.quiet = true;
    reduce_seed = options->seed;
    for (unsigned i = 0; i < options->path_count; i++) {
        char path[512];

        (void)snprintf(path, sizeof(path), "%s.reduced.message", options->paths[i]);
        if (!mail_read(options->paths[i], &message) || !reduce_holds(&trial, &message)) {
            (void)fprintf(stderr, "oracle: %s is no finding\n", options->paths[i]);
            result = 1;
            continue;
        }
        reduce(&trial, &message);
        trial.quiet = false;
        (void)reduce_holds(&trial, &message);
        trial.quiet = true;
        if (bytes_save(&message, path))
            printf("%s: %zu bytes\n", path, message.length);
    }
    trial_close(&trial);
    bytes_free(&message);
    return result;
}
