/* build.h: from a ClamAV database to a prefilter file.
 *
 * Reads the sources once, chooses groups for every signature that could match in settled mail,
 * checks each choice (verify.h), and, when there is a corpus, tries the result on it and chooses
 * again for what fires too often. What it cannot follow becomes "always": too much is sent on, and
 * the report says why. The database's digest is taken before and after: a database that changed
 * meanwhile gives no prefilter.
 *
 * Threads: one. Memory: some 100 MiB, with a corpus or some hundred thousand signatures a few
 * hundred.
 */
#ifndef SIGNATURES_COMPILE_BUILD_H
#define SIGNATURES_COMPILE_BUILD_H

#include "platform/why.h"
#include "signatures/compile/report.h"

#define BUILD_ROUNDS_MAX 3u
/* A signature that alone sends on more of the corpus than this is worth a warning. */
#define BUILD_WARN_RATE 0.005

struct build_options {
    const char *database;
    const char *library_table;  /* null: the scanner beside this program is asked */
    const char *const *corpora; /* files and directories */
    unsigned corpus_count;
    const char *output;
    bool if_changed; /* leave an output alone that is good for database and library as they are */
};

/* STATUS_OK: the file is written, or was good (report->unchanged). Otherwise it is as it was, and
 * `why` has one line. The report is filled as far as it came; build_report_free() it in any case.
 */
enum status build_prefilter(const struct build_options *options, struct build_report *report,
                            struct why *why) STATUS_CHECKED;

#endif
