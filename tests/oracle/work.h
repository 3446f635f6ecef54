/* work.h: what the oracle can be told to do. docs/oracle.md
 *
 * Threads: one.
 */
#ifndef TESTS_ORACLE_WORK_H
#define TESTS_ORACLE_WORK_H

#include "tests/oracle/trial.h"

#define WORK_LIST_MAX 64u

struct work_options {
    struct trial_options trial;
    uint64_t seed;
    unsigned long count; /* messages; 0: no limit */
    unsigned long seconds;
    unsigned step;                         /* take every so-manieth signature or mail */
    unsigned mutations;                    /* at most so many a message */
    const char *signatures[WORK_LIST_MAX]; /* .ndb and .ldb files to make payloads of */
    unsigned signature_count;
    char **paths; /* mail files or folders */
    unsigned path_count;
};

/* Each returns the program's exit code. */
int work_mails(const struct work_options *options);
int work_plant(const struct work_options *options);
int work_fuzz(const struct work_options *options);

/* Writes each finding, as small as it gets, beside it. */
int work_reduce(const struct work_options *options);
int work_malformed(const struct work_options *options);

/* Prints what share of each path's mail is settled, and why the rest is not. */
int work_yield(const struct work_options *options);

/* Writes the message that `work_fuzz` makes of one seed to standard output. */
int work_print(const struct work_options *options);

#endif
