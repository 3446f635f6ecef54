/* What readers make of an arbitrary body. The first byte chooses the encoding. Oracles: no crash;
 * the same body has the same variants; no variant is longer than the encoding can make it; what is
 * encoded strictly is among them (base64, quoted-printable: the strict decoders of decode.h). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/decode/base64.h"
#include "signatures/content/decode/quoted_printable.h"
#include "signatures/content/readings/variants.h"

#define FUZZ_BYTES_MAX 8192u
#define FUZZ_COUNT_MAX 256u
#define FUZZ_FILES_MAX FUZZ_BYTES_MAX
#define FUZZ_RUN       255u /* times that a byte of BinHex may stand for */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

struct fuzz_seen {
    uint64_t sum; /* of all variants, in their order */
    unsigned count;
    size_t length_max; /* what one may have */
    const uint8_t *wanted;
    size_t wanted_length;
    bool found;
};

static bool fuzz_take(void *context, const uint8_t *bytes, size_t length)
{
    struct fuzz_seen *seen = context;

    CHECK(length <= seen->length_max);
    seen->count++;
    for (size_t i = 0; i < length; i++)
        seen->sum = seen->sum * 1099511628211u + bytes[i];
    seen->sum = seen->sum * 1099511628211u + length;
    seen->found = seen->found || (length == seen->wanted_length && seen->wanted != NULL &&
                                  memcmp(bytes, seen->wanted, length) == 0);
    return true;
}

static bool fuzz_take_named(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    CHECK(strlen(name) < 256);
    return fuzz_take(context, bytes, length);
}

static void fuzz_variants(unsigned kind, const uint8_t *body, size_t length, struct fuzz_seen *seen)
{
    seen->length_max = 2 * length + 2;
    switch (kind) {
    case 0:
        CHECK(variants_base64(body, length, fuzz_take, seen));
        CHECK(seen->count <= FUZZ_COUNT_MAX);
        break;
    case 1:
        CHECK(variants_quoted_printable(body, length, fuzz_take, seen));
        CHECK(seen->count <= FUZZ_COUNT_MAX);
        break;
    case 2:
        CHECK(variants_text(body, length, fuzz_take, seen));
        CHECK(seen->count == 4);
        break;
    default:
        seen->length_max = FUZZ_RUN * length;
        CHECK(variants_embedded(body, length, fuzz_take_named, seen));
        CHECK(seen->count <= FUZZ_FILES_MAX);
        CHECK(seen->count == 0 || length >= 7);
        break;
    }
}

/* What a strict decoder makes of it; false: nothing. */
static bool fuzz_strict(unsigned kind, const uint8_t *body, size_t length, uint8_t *to,
                        size_t *made)
{
    struct base64_decoder base64 = {0};
    struct qp_decoder quoted = {0};

    if (kind == 0) {
        *made = base64_decode(&base64, body, length, to);
        return base64_end(&base64);
    }
    if (kind != 1)
        return false;
    for (size_t i = 0; i < length; i++) { /* line ends are written in each way, alike */
        if (body[i] == '\n' || body[i] == '\r')
            return false;
    }
    *made = qp_decode(&quoted, body, length, to);
    return qp_end(&quoted);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static uint8_t strict[FUZZ_BYTES_MAX + BASE64_SLACK];
    struct fuzz_seen first = {0};
    struct fuzz_seen second = {0};
    unsigned kind;
    size_t made = 0;
    uint8_t *body;

    if (length < 1 || length > FUZZ_BYTES_MAX)
        return 0;
    kind = input[0] % 4;
    length--;
    body = malloc(length); /* whose memory ends with it */
    CHECK(length == 0 || body != NULL);
    if (length > 0)
        memcpy(body, input + 1, length);
    CHECK(base64_use(SIMD_NONE));
    if (fuzz_strict(kind, body, length, strict, &made)) {
        first.wanted = strict;
        first.wanted_length = made;
    }
    fuzz_variants(kind, body, length, &first);
    fuzz_variants(kind, body, length, &second);
    CHECK(first.sum == second.sum && first.count == second.count);
    CHECK(first.wanted == NULL || first.found);
    free(body);
    return 0;
}
