/* A content from arbitrary bytes, opened, and what comes out opened again.
 *
 * Oracles: no crash; no more comes out than the limits say; a finding has a reason and a verdict
 * that go together; the same content comes to the same end twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/open/open.h"

#define FUZZ_BYTES_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

struct fuzz_open {
    struct opener opener;
    struct open_sink sink;
    uint64_t bytes;
    unsigned entries;
    unsigned depth;
};

static const struct open_limits fuzz_limits = {.depth = 3, .entries = 64, .bytes = 1u << 20};

static enum open_verdict fuzz_content(struct fuzz_open *fuzz, const uint8_t *bytes, size_t length,
                                      const char *name)
{
    struct open_finding finding;
    enum open_verdict verdict =
        open_content(&fuzz->opener, &fuzz->sink, bytes, length, name, fuzz->depth, &finding);

    CHECK(finding.kind != NULL && verdict <= OPEN_STOPPED);
    CHECK((finding.reason != UNSCANNABLE_NONE) ==
          (verdict == OPEN_FINDING || verdict == OPEN_OVER_BOUND));
    CHECK((finding.reason == UNSCANNABLE_LIMIT) == (verdict == OPEN_OVER_BOUND));
    return verdict;
}

static bool fuzz_take(struct fuzz_open *fuzz, const uint8_t *bytes, size_t length, const char *name)
{
    uint8_t *copy = malloc(length);

    CHECK(length > 0 && copy != NULL);
    fuzz->entries++;
    fuzz->bytes += length;
    CHECK(fuzz->entries <= fuzz_limits.entries && fuzz->bytes <= fuzz_limits.bytes);
    CHECK(fuzz->depth <= fuzz_limits.depth);
    memcpy(copy, bytes, length);
    fuzz->depth++;
    (void)fuzz_content(fuzz, copy, length, name);
    fuzz->depth--;
    free(copy);
    return true;
}

static bool fuzz_mail(void *context, const uint8_t *bytes, size_t length)
{
    return fuzz_take(context, bytes, length, "");
}

static bool fuzz_file(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    CHECK(strlen(name) <= OPEN_NAME_MAX);
    return fuzz_take(context, bytes, length, name);
}

static enum open_verdict fuzz_once(struct fuzz_open *fuzz, const uint8_t *input, size_t length)
{
    memset(fuzz, 0, sizeof(*fuzz));
    fuzz->sink = (struct open_sink){fuzz, fuzz_mail, fuzz_file};
    open_begin(&fuzz->opener, &fuzz_limits);
    return fuzz_content(fuzz, input, length, "a.br");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct fuzz_open first;
    struct fuzz_open second;

    if (length > FUZZ_BYTES_MAX)
        return 0;
    CHECK(fuzz_once(&first, input, length) == fuzz_once(&second, input, length));
    CHECK(first.bytes == second.bytes && first.entries == second.entries);
    return 0;
}
