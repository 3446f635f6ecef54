/* Signature files of any format from arbitrary bytes.
 *
 * The first byte chooses the format. Oracles: no crash, no sanitizer report; what the sink is given
 * is well-formed (strings, bounded trees, every always true signature has a reason); reading twice
 * gives the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/why.h"
#include "signatures/read/source.h"

#define FUZZ_BYTES_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

struct fuzz_sum {
    uint64_t hash;
    unsigned nodes; /* of one tree */
};

static void fuzz_add(struct fuzz_sum *sum, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum->hash = (sum->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
}

static void fuzz_text(struct fuzz_sum *sum, const char *text)
{
    CHECK(text != NULL);
    fuzz_add(sum, text, strlen(text) + 1);
}

static void fuzz_expression(struct fuzz_sum *sum, const struct expression *expression)
{
    CHECK(++sum->nodes <= EXPRESSION_NODES_MAX);
    fuzz_add(sum, &expression->kind, sizeof(expression->kind));
    switch (expression->kind) {
    case EXPRESSION_TRUE:
        break;
    case EXPRESSION_RUN:
        CHECK(expression->length > 0);
        for (unsigned i = 0; i < expression->length; i++) {
            const struct expression_byte *byte = &expression->bytes[i];

            CHECK(byte->mask != 0 && (byte->value & ~byte->mask) == 0);
            fuzz_add(sum, &byte->value, 1);
        }
        break;
    default:
        CHECK(expression->length > 1 || expression_is_false(expression));
        for (unsigned i = 0; i < expression->length; i++) {
            CHECK(expression->children[i]->kind != expression->kind);
            CHECK(!expression_is_true(expression->children[i]));
            fuzz_expression(sum, expression->children[i]);
        }
    }
}

static void fuzz_signature(void *context, const struct source_signature *signature)
{
    struct fuzz_sum *sum = context;

    fuzz_text(sum, signature->name);
    fuzz_text(sum, signature->file);
    sum->nodes = 0;
    fuzz_expression(sum, signature->necessary);
    CHECK(sum->nodes == signature->necessary->nodes);
    if (expression_is_true(signature->necessary))
        fuzz_text(sum, signature->doubt);
}

static void fuzz_hash(void *context, const struct source_hash *hash)
{
    CHECK(hash->digest_bytes == 16 || hash->digest_bytes == 20 || hash->digest_bytes == 32);
    fuzz_text(context, hash->name);
    fuzz_add(context, hash->digest, hash->digest_bytes);
}

static void fuzz_rule(void *context, const struct source_name_rule *rule)
{
    fuzz_text(context, rule->name);
    if (rule->pattern != NULL)
        fuzz_text(context, rule->pattern);
}

static void fuzz_type(void *context, const struct source_type *type)
{
    struct fuzz_sum *sum = context;

    fuzz_text(sum, type->line);
    fuzz_text(sum, type->type);
    fuzz_text(sum, type->needed);
    sum->nodes = 0;
    if (type->anywhere)
        fuzz_expression(sum, type->necessary);
    else
        fuzz_add(sum, type->magic, type->magic_length);
}

static void fuzz_domain(void *context, const char *domain, bool regular_expression)
{
    fuzz_text(context, domain);
    fuzz_add(context, &regular_expression, 1);
}

static void fuzz_ignored(void *context, const char *name)
{
    fuzz_text(context, name);
}

static void fuzz_counted(void *context, const char *file, const char *kind, uint64_t count)
{
    fuzz_text(context, file);
    fuzz_text(context, kind);
    fuzz_add(context, &count, sizeof(count));
}

static uint64_t fuzz_read(const char *path)
{
    struct fuzz_sum sum = {.hash = 1};
    struct source_sink sink = {
        .context = &sum,
        .signature = fuzz_signature,
        .hash = fuzz_hash,
        .name_rule = fuzz_rule,
        .type = fuzz_type,
        .phishing_domain = fuzz_domain,
        .ignored = fuzz_ignored,
        .counted = fuzz_counted,
    };
    struct why why;
    enum status status = source_read(path, &sink, &why);

    CHECK(status == STATUS_OK || status == STATUS_BAD_FORMAT);
    CHECK((status == STATUS_OK) == (why_empty(&why)));
    return sum.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    static const char *const formats[] = {
        "ldb", "yar", "ndb", "hdb", "cbc", "cdb", "pdb", "ftm", "cvd", "cfg", "ioc", "ign2", "db",
    };
    const unsigned format_count = sizeof(formats) / sizeof(formats[0]);
    char folder[] = "/tmp/postern-fuzz-XXXXXX";
    char path[128];
    FILE *file;
    uint64_t once;

    if (length < 1 || length > FUZZ_BYTES_MAX)
        return 0;
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof(path), "%s/x.%s", folder, formats[input[0] % format_count]);
    file = fopen(path, "wb");
    CHECK(file != NULL);
    CHECK(fwrite(input + 1, 1, length - 1, file) == length - 1);
    CHECK(fclose(file) == 0);
    once = fuzz_read(path);
    CHECK(once == fuzz_read(path));
    CHECK(unlink(path) == 0);
    CHECK(rmdir(folder) == 0);
    return 0;
}
