/* probe.h: the prefilter on one message at a time, and what it searched.
 *
 * Threads: one. Memory: probe_close().
 */
#ifndef TESTS_ORACLE_PROBE_H
#define TESTS_ORACLE_PROBE_H

#include "platform/why.h"
#include "signatures/content/inspect/inspect.h"
#include "tests/oracle/bytes.h"
#include "tests/simulation/random.h"

/* Up to this offset (from the span before on) bytes were searched for signatures of `domains`. */
struct probe_span {
    size_t end;
    uint32_t domains;
};

struct probe_bytes {
    struct bytes bytes;
    struct probe_span *spans;
    size_t span_count, span_room;
};

/* One byte string that was searched, as the tap showed it. */
struct probe_stream {
    enum search_kind kind;
    struct probe_bytes squeezed;
    struct probe_bytes exact;
};

struct probe;

/* Opens a compiled prefilter; `tapped`: what is searched is recorded. Null with a line in `why`. */
struct probe *probe_open(const char *path, bool tapped, struct why *why);
void probe_close(struct probe *probe);

/* Inspects. The message is fed in pieces cut by `cuts`, or as large as they may be when null. */
void probe_inspect(struct probe *probe, const struct bytes *message, struct random *cuts,
                   struct inspect_result *result);

/* What was searched of the last message. */
size_t probe_stream_count(const struct probe *probe);
const struct probe_stream *probe_stream(const struct probe *probe, size_t index);

/* Where `needle` occurs in what was searched for signatures of `domain` (one PREFILTER_* bit), or
 * SIZE_MAX. Of each fragment in it the last byte has to be searched so: a fragment has at least
 * three. */
size_t probe_find(const struct probe_bytes *searched, uint32_t domain, const uint8_t *needle,
                  size_t length);

/* CPU time of all inspections so far. */
uint64_t probe_cpu_ns(const struct probe *probe);

#endif
