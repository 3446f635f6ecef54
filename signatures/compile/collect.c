/* collect.c: what the sources say, put into the draft and the report. */
#include <stdlib.h>
#include <string.h>

#include "signatures/compile/builder.h"
#include "signatures/compile/types.h"

#define COLLECT_TARGETS 15u

static void collect_no_memory(struct builder *builder, enum status status)
{
    if (status != STATUS_OK)
        builder_fail(builder, status, "%s", status_text(status));
}

/* Where a target's signatures are matched in what the prefilter settles. Types of the other targets
 * (programs, documents, archives) always go to a scanner; so do targets we have not heard of. */
static uint32_t collect_domains(unsigned target)
{
    static const uint32_t domains[COLLECT_TARGETS] = {
        [0] = PREFILTER_ALL,  [3] = PREFILTER_HTML, [4] = PREFILTER_RAW,  [5] = PREFILTER_IMAGE,
        [7] = PREFILTER_TEXT, [8] = PREFILTER_ALL,  [13] = PREFILTER_ALL, [14] = PREFILTER_BINARY,
    };

    return target < COLLECT_TARGETS ? domains[target] : PREFILTER_ALL;
}

static struct report_file *collect_file(struct builder *builder, const char *name)
{
    struct report_file *file = build_report_file(builder->report, name);

    if (file == NULL)
        collect_no_memory(builder, STATUS_NO_MEMORY);
    return file;
}

static void collect_by_domain(uint64_t *counts, uint32_t domains)
{
    for (unsigned i = 0; i < REPORT_DOMAINS; i++)
        counts[i] += (domains >> i) & 1;
}

/* A copy of the formula that lives as long as the build. Null: no memory. */
static struct expression *collect_copy(struct expression_arena *arena,
                                       const struct expression *formula)
{
    struct expression **children;
    struct expression *copy = NULL;
    unsigned made = 0;

    if (formula->kind == EXPRESSION_TRUE)
        return expression_true(arena);
    if (formula->kind == EXPRESSION_RUN) {
        copy = expression_run(arena, formula->bytes, formula->length);
        if (copy != NULL && copy->kind == EXPRESSION_RUN)
            copy->start = formula->start;
        return copy;
    }
    children = calloc(formula->length + 1, sizeof(struct expression *));
    while (children != NULL && made < formula->length) {
        children[made] = collect_copy(arena, formula->children[made]);
        if (children[made] == NULL)
            break;
        made++;
    }
    if (children != NULL && made == formula->length)
        copy = formula->kind == EXPRESSION_AND ? expression_and(arena, children, made)
                                               : expression_or(arena, children, made);
    free(children);
    return copy;
}

/* Keeps the formula for another choice, when there is a corpus that could ask for one. */
static bool collect_keep(struct builder *builder, uint32_t signature,
                         const struct expression *necessary, uint32_t domains)
{
    struct builder_formula *kept;

    if (builder->formulas_arena == NULL)
        return true;
    if (signature >= builder->formula_room) {
        size_t room = (size_t)signature * 2 + 1024;

        kept = reallocarray(builder->formulas, room, sizeof(*kept));
        if (kept == NULL)
            return false;
        memset(kept + builder->formula_room, 0, (room - builder->formula_room) * sizeof(*kept));
        builder->formulas = kept;
        builder->formula_room = room;
    }
    kept = &builder->formulas[signature];
    kept->domains = domains;
    kept->necessary = collect_copy(builder->formulas_arena, necessary);
    return kept->necessary != NULL;
}

/* A signature of any kind: into the draft, with groups or "always"; what is always is returned. */
static uint32_t collect_formula(struct builder *builder, const char *name, enum prefilter_kind kind,
                                const struct expression *necessary, uint32_t domains,
                                const char **reason)
{
    uint32_t signature = 0, always = 0;
    enum status status = draft_add_signature(&builder->draft, name, kind, &signature);

    if (status == STATUS_OK)
        status = builder_choose(builder, necessary, signature, domains, reason, &always);
    if (status == STATUS_OK && !collect_keep(builder, signature, necessary, domains & ~always))
        status = STATUS_NO_MEMORY;
    if (status == STATUS_BAD_FORMAT)
        builder_fail(builder, status, "%s: the groups chosen for it are not implied by it", name);
    collect_no_memory(builder, status);
    return always;
}

static void collect_signature(void *context, const struct source_signature *signature)
{
    struct builder *builder = context;
    struct report_file *file = collect_file(builder, signature->file);
    uint32_t domains = collect_domains(signature->target);
    const char *reason = NULL;
    uint32_t always;
    char words[64];

    if (builder->status != STATUS_OK)
        return;
    file->signatures++;
    if (domains == 0 || signature->container_never) {
        file->elsewhere++;
        return;
    }
    builder->report->doubts += signature->doubt != NULL;
    if (signature->image_fuzzy && (domains & PREFILTER_IMAGE) != 0)
        builder->draft.image_fuzzy = true;
    always = collect_formula(builder, signature->name, PREFILTER_SIGNATURE, signature->necessary,
                             domains, &reason);
    collect_by_domain(builder->report->signatures_by_domain, domains);
    collect_by_domain(builder->report->always_by_domain, always);
    if (always == 0) {
        file->covered++;
        return;
    }
    file->always++;
    report_list_add(&builder->report->always, "%s: %s: %s (%s:%u)", signature->name,
                    report_domains(always, words, sizeof(words)),
                    signature->doubt != NULL ? signature->doubt : reason, signature->file,
                    signature->line);
}

static void collect_hash(void *context, const struct source_hash *hash)
{
    struct builder *builder = context;
    enum prefilter_digest digest = hash->digest_bytes == 16   ? PREFILTER_MD5
                                   : hash->digest_bytes == 20 ? PREFILTER_SHA1
                                                              : PREFILTER_SHA256;

    if (builder->status == STATUS_OK)
        collect_no_memory(builder, draft_add_hash(&builder->draft, digest, hash->digest,
                                                  hash->any_size, hash->size));
}

static void collect_name_rule(void *context, const struct source_name_rule *rule)
{
    struct builder *builder = context;
    struct report_file *file = collect_file(builder, rule->file);
    bool widened = false;
    uint32_t signature = 0;
    enum status status;

    if (builder->status != STATUS_OK)
        return;
    file->name_rules++;
    status = draft_add_signature(&builder->draft, rule->name, PREFILTER_SIGNATURE, &signature);
    if (status == STATUS_OK)
        status = draft_add_name_rule(&builder->draft, signature, rule->pattern, &widened);
    collect_no_memory(builder, status);
    if (rule->pattern == NULL || widened)
        report_list_add(&builder->report->warnings, "%s: every file name is taken to match (%s:%u)",
                        rule->name, rule->file, rule->line);
}

/* A line of a file-type table. `where` is for the words. */
static void collect_type_line(struct builder *builder, const char *line, const char *where)
{
    struct types_entry entry;
    struct expression *necessary;
    enum types_answer answer = types_read(line, builder->library.flevel, &entry);
    enum status status;

    if (answer == TYPES_BAD)
        builder_fail(builder, STATUS_BAD_FORMAT, "%s: %s: %s", where, line, entry.reason);
    if (answer != TYPES_ENTRY)
        return;
    status = draft_add_magic(&builder->draft, &entry.magic, entry.magic_bytes, entry.mask_bytes,
                             entry.type);
    collect_no_memory(builder, status);
    if (entry.group_domains == 0 || status != STATUS_OK)
        return;
    expression_arena_reset(builder->types_arena);
    necessary = types_necessary(&entry, builder->types_arena);
    if (necessary == NULL) {
        collect_no_memory(builder, STATUS_NO_MEMORY);
        return;
    }
    if (collect_formula(builder, entry.type, PREFILTER_TYPE, necessary, entry.group_domains,
                        NULL) != 0)
        report_list_add(&builder->report->warnings, "%s: its pattern gives no fragment: %s",
                        entry.type, line);
}

static void collect_type(void *context, const struct source_type *type)
{
    struct builder *builder = context;

    builder->own_types = true;
    if (builder->status == STATUS_OK)
        collect_type_line(builder, type->line, builder->options->database);
}

void builder_add_library_types(struct builder *builder)
{
    for (size_t i = 0; i < builder->library.type_count && builder->status == STATUS_OK; i++)
        collect_type_line(builder, builder->library.types[i], "the library's file types");
}

static void collect_fragment(struct builder *builder, uint32_t signature, uint32_t domains,
                             const char *one, const char *other)
{
    const char *const texts[] = {one, other};
    struct draft_leaf leaves[2] = {0};
    unsigned count = 0;

    for (; count < 2 && texts[count] != NULL; count++) {
        leaves[count].squeezed = true;
        leaves[count].length = (uint8_t)strlen(texts[count]);
        memcpy(leaves[count].bytes, texts[count], leaves[count].length);
    }
    if (builder->status == STATUS_OK)
        collect_no_memory(builder,
                          draft_add_group(&builder->draft, signature, domains, leaves, count));
}

/* What hides an attribute's name from a search: a data: URL as a value before it ("data:" perhaps
 * with character references), after which libclamav goes on with the name it had, or a script that
 * is decoded. In a part that is HTML by its type both are gates. */
static void collect_hidden_links(struct builder *builder, uint32_t signature)
{
    static const char *const values[] = {"=", "=\"", "='"};
    static const char *const starts[] = {"data:", "data&", "dat&#", "da&#", "d&#", "&#"};
    char text[PREFILTER_FRAGMENT_MAX];

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (unsigned j = 0; j < sizeof(starts) / sizeof(starts[0]); j++) {
            (void)snprintf(text, sizeof(text), "%s%s", values[i], starts[j]);
            if (strlen(text) > 3)
                collect_fragment(builder, signature, PREFILTER_TEXT, text, NULL);
        }
    }
    for (const char *next = "0123456789x"; *next != '\0'; next++) {
        (void)snprintf(text, sizeof(text), "=&#%c", *next);
        collect_fragment(builder, signature, PREFILTER_TEXT, text, NULL);
    }
    collect_fragment(builder, signature, PREFILTER_TEXT, "=&quot;", NULL);
    collect_fragment(builder, signature, PREFILTER_TEXT, "#@~^", NULL);
}

/* With any entry every link is doubtful (types.h says why): <a> and <area> have "href", and in a
 * form with "action" what other tags name in "src" or "dynsrc" counts as a link too. An entry of a
 * kind that is not a host or an expression speaks of targets alone, which may stand anywhere. */
static void collect_phishing_domain(void *context, const char *domain, bool regular_expression)
{
    static const char name[] = "Heuristics.Phishing.Email.SpoofedDomain";
    const uint32_t domains = PREFILTER_TEXT | PREFILTER_HTML;
    struct builder *builder = context;
    bool all = regular_expression && strcmp(domain, ".*") == 0;
    uint32_t signature = 0;

    if (builder->status != STATUS_OK || (builder->links && (!all || builder->all_links)))
        return;
    collect_no_memory(builder,
                      draft_add_signature(&builder->draft, name, PREFILTER_PHISHING, &signature));
    if (!builder->links) {
        collect_fragment(builder, signature, domains, "href=", NULL);
        collect_fragment(builder, signature, domains, "action=", "src=");
        collect_hidden_links(builder, signature);
        report_list_add(&builder->report->warnings,
                        "phishing entries: text with a link is sent to a scanner");
    }
    builder->links = true;
    if (!all || builder->status != STATUS_OK)
        return;
    builder->all_links = true;
    collect_no_memory(builder, draft_add_always(&builder->draft, signature, domains));
    report_list_add(&builder->report->always, "%s: text, HTML: link targets of their own kind",
                    name);
}

static void collect_ignored(void *context, const char *name)
{
    struct builder *builder = context;

    report_list_add(&builder->report->ignored, "%s", name);
}

static void collect_counted(void *context, const char *file, const char *kind, uint64_t count)
{
    struct builder *builder = context;

    report_list_add(&builder->report->counted, "%s: %llu %s", file, (unsigned long long)count,
                    kind);
}

struct source_sink builder_sink(struct builder *builder)
{
    return (struct source_sink){
        .context = builder,
        .signature = collect_signature,
        .hash = collect_hash,
        .name_rule = collect_name_rule,
        .type = collect_type,
        .phishing_domain = collect_phishing_domain,
        .ignored = collect_ignored,
        .counted = collect_counted,
    };
}
