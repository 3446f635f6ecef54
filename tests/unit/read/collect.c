#include "tests/unit/read/collect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void collect_copy(char *into, size_t size, const char *text)
{
    (void)snprintf(into, size, "%s", text != NULL ? text : "");
}

static void collect_signature(void *context, const struct source_signature *signature)
{
    struct collection *collection = context;
    struct collected_signature *kept = &collection->signatures[collection->signature_count];

    assert_true(collection->signature_count < COLLECT_MAX);
    assert_non_null(signature->name);
    assert_non_null(signature->file);
    collection->signature_count++;
    collect_copy(kept->name, sizeof(kept->name), signature->name);
    collect_copy(kept->doubt, sizeof(kept->doubt), signature->doubt);
    collect_copy(kept->file, sizeof(kept->file), signature->file);
    (void)expression_print(signature->necessary, kept->formula, sizeof(kept->formula));
    kept->line = signature->line;
    kept->target = signature->target;
    kept->container_never = signature->container_never;
    kept->image_fuzzy = signature->image_fuzzy;
}

static void collect_hash(void *context, const struct source_hash *hash)
{
    struct collection *collection = context;
    struct collected_hash *kept = &collection->hashes[collection->hash_count++];

    assert_true(collection->hash_count <= COLLECT_MAX);
    collect_copy(kept->name, sizeof(kept->name), hash->name);
    kept->hash = *hash;
}

__attribute__((format(printf, 2, 3))) static void collect_line(struct collection *collection,
                                                               const char *format, ...)
{
    size_t length = strlen(collection->text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(collection->text + length, sizeof(collection->text) - length, format,
                    arguments);
    va_end(arguments);
}

static void collect_name_rule(void *context, const struct source_name_rule *rule)
{
    collect_line(context, "name %s %s %s %u\n", rule->name,
                 rule->pattern != NULL ? rule->pattern : "(any)", rule->file, rule->line);
}

static void collect_type(void *context, const struct source_type *type)
{
    struct collection *collection = context;
    struct collected_type *kept = &collection->types[collection->type_count++];

    assert_true(collection->type_count <= COLLECT_MAX);
    kept->type = *type;
    collect_copy(kept->name, sizeof(kept->name), type->type);
    collect_copy(kept->needed, sizeof(kept->needed), type->needed);
    collect_copy(kept->line, sizeof(kept->line), type->line);
    if (type->anywhere)
        (void)expression_print(type->necessary, kept->magic, sizeof(kept->magic));
    else
        for (uint32_t i = 0; i < type->magic_length && i < 100; i++)
            (void)snprintf(kept->magic + (size_t)2 * i, 3, "%02x", type->magic[i]);
}

static void collect_domain(void *context, const char *domain, bool regular_expression)
{
    collect_line(context, "domain %s%s\n", domain, regular_expression ? " (regular)" : "");
}

static void collect_ignored(void *context, const char *name)
{
    collect_line(context, "ignored %s\n", name);
}

static void collect_counted(void *context, const char *file, const char *kind, uint64_t count)
{
    collect_line(context, "counted %s %s %llu\n", file, kind, (unsigned long long)count);
}

struct source_sink collect_sink(struct collection *collection)
{
    return (struct source_sink){
        .context = collection,
        .signature = collect_signature,
        .hash = collect_hash,
        .name_rule = collect_name_rule,
        .type = collect_type,
        .phishing_domain = collect_domain,
        .ignored = collect_ignored,
        .counted = collect_counted,
    };
}

struct collection *collect_bytes(const char *name, const void *bytes, size_t length)
{
    struct collection *collection = calloc(1, sizeof(*collection));
    struct source_sink sink = collect_sink(collection);
    char folder[] = "/tmp/postern-source-XXXXXX";
    char path[256];
    FILE *file;

    assert_non_null(collection);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    collection->status = source_read(path, &sink, &collection->why);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    return collection;
}

struct collection *collect_text(const char *name, const char *text)
{
    return collect_bytes(name, text, strlen(text));
}

void expect_formula(const char *name, const char *text, const char *formula)
{
    struct collection *collection = collect_text(name, text);

    assert_string_equal(collection->why.text, "");
    assert_int_equal(collection->status, STATUS_OK);
    assert_int_equal(collection->signature_count, 1);
    if (strcmp(collection->signatures[0].formula, formula) != 0)
        print_error("%s\n", text);
    assert_string_equal(collection->signatures[0].formula, formula);
    /* Whatever is not required at all has a reason. */
    if (strcmp(formula, "TRUE") == 0)
        assert_string_not_equal(collection->signatures[0].doubt, "");
    free(collection);
}

void expect_pattern(const char *pattern, const char *formula)
{
    char line[16384];

    (void)snprintf(line, sizeof(line), "Name:0:*:%s\n", pattern);
    expect_formula("one.ndb", line, formula);
}
