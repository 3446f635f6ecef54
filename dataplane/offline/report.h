/* report.h: what `postern scan` prints for one file.
 *
 * Text: "PATH: clean decided_by=scanner time=12.3ms cpu=9.8ms", "PATH: infected(NAME) ...",
 * "PATH: unscannable(REASON) ...". JSON: one flat object a line. A path may hold any byte: in text
 * everything but printable ASCII and valid UTF-8 letters comes as \xHH, in JSON a path that is not
 * UTF-8 has U+FFFD in `path` and all its bytes in `path_hex`. No name can forge a line.
 *
 * Threads: any. No state.
 */
#ifndef DATAPLANE_OFFLINE_REPORT_H
#define DATAPLANE_OFFLINE_REPORT_H

#include <stdio.h>

#include "dataplane/offline/mail_file.h"
#include "platform/link/channel.h"
#include "platform/link/link.h"
#include "signatures/content/inspect/inspect.h"

struct report {
    const char *path;
    enum mail_file_kind kind;
    uint64_t size; /* of the file, bytes */
    enum verdict_kind verdict;
    enum unscannable_reason reason;
    char name[SCAN_NAME_BYTES]; /* signature, or the engine's words when unscannable */
    bool inspected;             /* the prefilter has looked at it */
    struct inspect_result inspection;
    uint64_t inspect_ns;
    bool scanned; /* a scanner was asked: the rest is known */
    int64_t scan_ns;
    uint64_t cpu_ns;
    uint32_t readings;            /* byte strings scanned besides the message */
    uint32_t reading;             /* the one the verdict is of; 0: the message as it came */
    char doubt[SCAN_DOUBT_BYTES]; /* why there were any; empty when there were none */
    char engine[LINK_TEXT_BYTES];
};

void report_text(const struct report *report, FILE *to);

/* STATUS_NO_MEMORY: nothing was printed. */
enum status report_json(const struct report *report, FILE *to) STATUS_CHECKED;

#endif
