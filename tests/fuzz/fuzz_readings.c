/* Readings of arbitrary bytes. Oracles: no crash; the bounds hold; the same message has the same
 * readings; and what is written of them as canonical mails, the strict MIME parser takes for as
 * many parts, without a doubt. The first byte chooses bounds that are soon met. */
#include <stdint.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/content/mime/mime.h"
#include "signatures/content/readings/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static unsigned parts_seen;

static void part_begin(void *context, const struct mime_part *part)
{
    (void)context;
    (void)part;
    parts_seen++;
}

static void part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    (void)context;
    (void)bytes;
    (void)length;
}

static void part_end(void *context)
{
    (void)context;
}

static void check_canonical(struct canonical *mail)
{
    static const struct mime_sink sink = {NULL, part_begin, part_bytes, part_end};
    static struct mime_parser parser;
    enum status status = canonical_end(mail);

    CHECK(status == STATUS_OK);
    parts_seen = 0;
    mime_begin(&parser, &sink);
    mime_feed(&parser, mail->bytes, mail->length);
    mime_end(&parser);
    CHECK(parser.gate == MIME_GATE_NONE && parts_seen == mail->parts);
}

static void check_parts(const struct readings *readings)
{
    struct canonical mail = {0};
    enum status status = canonical_begin(&mail);

    for (unsigned i = 0; status == STATUS_OK && i < readings_count(readings); i++) {
        struct reading_part part = readings_part(readings, i);

        if (canonical_full(&mail, part.length)) {
            check_canonical(&mail);
            status = canonical_begin(&mail);
            CHECK(status == STATUS_OK);
        }
        status = canonical_add(&mail, &part);
    }
    CHECK(status == STATUS_OK);
    if (mail.parts > 0)
        check_canonical(&mail);
    canonical_free(&mail);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct readings_limits limits = readings_limits(length);
    struct readings *readings;
    struct readings *again;
    enum status status;

    if (length == 0)
        return 0;
    if (input[0] % 4 == 0) {
        limits.depth = input[0] / 4 % 8;
        limits.forks = 1 + input[0];
        limits.parts = 1 + input[0];
        limits.bytes = 16 * (1 + (uint64_t)input[0]);
    }
    input++;
    length--;
    status = readings_collect(input, length, &limits, &readings);
    CHECK(status == STATUS_OK || status == STATUS_NO_SPACE);
    CHECK(readings_count(readings) <= limits.parts);
    if (status == STATUS_OK)
        CHECK(readings_report(readings)->forks <= limits.forks &&
              readings_report(readings)->bytes <= limits.bytes);
    check_parts(readings);
    CHECK(readings_collect(input, length, &limits, &again) == status);
    CHECK(readings_count(again) == readings_count(readings));
    readings_free(again);
    readings_free(readings);
    return 0;
}
