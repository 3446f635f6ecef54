/* trial.h: one message held against both sides, and what is wrong written down.
 *
 * The prefilter inspects it. When it says "settled", libclamav must say clean, and everything
 * libclamav matched must have been searched (covered.h). Of the messages it sends on, every
 * so-manieth is scanned too, to see how often it does so without need.
 *
 * A finding is told on standard error with the seed that makes the message again, and written into
 * the folder of findings: NAME.message (the message as it is), NAME.txt (what is wrong), and
 * NAME.buffer (what was not covered).
 *
 * Threads: one. Memory: trial_close().
 */
#ifndef TESTS_ORACLE_TRIAL_H
#define TESTS_ORACLE_TRIAL_H

#include "tests/oracle/covered.h"
#include "tests/oracle/library.h"

struct trial_options {
    const char *database;
    const char *prefilter;    /* null: libclamav alone, for its own counts */
    const char *findings;     /* folder, or null */
    const char *hashes;       /* folder to write signatures of every matched buffer to, or null */
    unsigned unsettled_every; /* 0: none of them is scanned */
    unsigned long findings_most; /* after so many the trial is over; 0: no limit */
    bool uncut;                  /* feed the prefilter large pieces only */
    bool verdict_only;           /* do not watch: the library as it is, filter and all */
};

struct trial_counts {
    unsigned long messages;
    unsigned long settled;
    unsigned long scanned; /* of those not settled */
    unsigned long infected;
    unsigned long needless; /* not settled and clean */
    unsigned long missed;
    unsigned long uncovered;
    unsigned long causes[INSPECT_CAUSE_COUNT];
    struct covered_counts covered;
    uint64_t library_cpu_ns;
    unsigned long scans;
};

struct trial {
    struct trial_options options;
    bool quiet; /* findings are not told or written */
    struct library *library;
    struct probe *probe;
    struct trial_counts counts;
    struct bytes hashes[3];
    /* Of the last message: */
    struct inspect_result inspected;
    struct scan_result result; /* verdict 0: it was not scanned */
};

/* False with a line on standard error. */
bool trial_open(struct trial *trial, const struct trial_options *options);
void trial_close(struct trial *trial);

/* Tries a message. `label` names it in findings; `seed` cuts it into pieces. False when it is a
 * finding. */
bool trial_message(struct trial *trial, const struct bytes *message, const char *label,
                   uint64_t seed);

/* Enough findings? */
bool trial_over(const struct trial *trial);

/* Prints the counts; true when nothing is wrong. */
bool trial_report(const struct trial *trial, const char *what);

#endif
