/* fuzz_html: HTML's normal forms do not depend on how the part is cut, and never outgrow it by more
 * than the header says. The first byte seeds the cuts, the rest is the part. */
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/html/html.h"

#define FUZZ_BYTES_MAX (1u << 17)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

struct fuzz_form {
    uint8_t *bytes;
    size_t length;
};

struct fuzz_forms {
    struct fuzz_form nocomment;
    struct fuzz_form notags;
};

static struct html_normaliser fuzz_html;

static void fuzz_add(struct fuzz_form *form, const uint8_t *bytes, size_t length)
{
    CHECK(length > 0 && length <= HTML_FORM_ROOM);
    form->bytes = realloc(form->bytes, form->length + length);
    CHECK(form->bytes != NULL);
    memcpy(form->bytes + form->length, bytes, length);
    form->length += length;
}

static void fuzz_nocomment(void *context, const uint8_t *bytes, size_t length)
{
    fuzz_add(&((struct fuzz_forms *)context)->nocomment, bytes, length);
}

static void fuzz_notags(void *context, const uint8_t *bytes, size_t length)
{
    fuzz_add(&((struct fuzz_forms *)context)->notags, bytes, length);
}

/* cut 0: in one piece. */
static enum html_gate fuzz_run(struct fuzz_forms *forms, const uint8_t *bytes, size_t length,
                               unsigned cut)
{
    struct html_sink sink = {forms, fuzz_nocomment, fuzz_notags};

    memset(forms, 0, sizeof(*forms));
    html_begin(&fuzz_html, &sink);
    while (length > 0) {
        size_t piece = cut == 0 ? length : 1 + cut % (cut % 3 == 0 ? 9000 : 60);

        if (piece > length)
            piece = length;
        html_feed(&fuzz_html, bytes, piece);
        bytes += piece;
        length -= piece;
        cut = cut == 0 ? 0 : cut * 1103515245u + 12345u;
    }
    html_end(&fuzz_html);
    return fuzz_html.gate;
}

static void fuzz_compare(const struct fuzz_form *one, const struct fuzz_form *other, size_t length)
{
    CHECK(one->length == other->length);
    CHECK(one->length == 0 || memcmp(one->bytes, other->bytes, one->length) == 0);
    CHECK(one->length <= 2 * length + 2 * (size_t)HTML_VALUE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct fuzz_forms whole;
    struct fuzz_forms cut;
    enum html_gate gate;

    if (length < 1 || length > FUZZ_BYTES_MAX)
        return 0;
    gate = fuzz_run(&whole, input + 1, length - 1, 0);
    CHECK(fuzz_run(&cut, input + 1, length - 1, 1u + input[0]) == gate);
    fuzz_compare(&whole.nocomment, &cut.nocomment, length);
    fuzz_compare(&whole.notags, &cut.notags, length);
    free(whole.nocomment.bytes);
    free(whole.notags.bytes);
    free(cut.nocomment.bytes);
    free(cut.notags.bytes);
    return 0;
}
