/* judge.h: one byte string, the library and type.h: do they agree?
 *
 * The library (unmodified, with the settings of signatures/scanner/engine.c) scans it as a file. A
 * database with one signature for each target, all of them matching JUDGE_MARK, tells as what it
 * was matched; the callback before each layer tells which layers there were and their types.
 *
 * Whatever type.h does not escalate must be one layer, of the type it said, matched as no other
 * target than its class stands for, and nothing else may be reported.
 */
#ifndef TESTS_ORACLE_TYPE_JUDGE_H
#define TESTS_ORACLE_TYPE_JUDGE_H

#include "platform/why.h"
#include "tests/oracle/type/table.h"

#define JUDGE_MARK "zqmarkerqz"

struct judge;

struct judge_counts {
    uint64_t cases;
    uint64_t classes[PREFILTER_CLASS_ESCALATE + 1]; /* as decided in the end */
    uint64_t needless; /* escalated, but the library did with it what the first bytes promised */
    uint64_t marked;   /* not escalated, and the mark was found */
};

/* `table` must outlive it. Null when the engine cannot be made. */
struct judge *judge_create(const struct table *table);
void judge_destroy(struct judge *judge);

/* True when they agree; otherwise `why` says what they differ in. */
bool judge_case(struct judge *judge, const uint8_t *bytes, size_t length, struct why *why);

const struct judge_counts *judge_counts(const struct judge *judge);

#endif
