#include "signatures/compile/build.h"

#include <hs/hs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "platform/why.h"
#include "signatures/compile/builder.h"
#include "signatures/prefilter/digest.h"

/* Tells the chooser of every leaf of a group that fired; marks the signatures. Returns how many
 * there are. */
static unsigned build_mark(struct builder *builder, const struct corpus_counts *counts,
                           bool *marked)
{
    unsigned count = 0;

    for (size_t i = 0; i < builder->draft.group_count; i++) {
        const struct draft_group *group = &builder->draft.groups[i];

        if (counts->groups[i] == 0 || group->signature >= builder->formula_room ||
            builder->formulas[group->signature].necessary == NULL)
            continue;
        for (unsigned k = 0; k < group->leaf_count; k++) {
            double rate = (double)counts->leaves[group->leaves[k]] / (double)counts->messages;

            if (chooser_measured(builder->chooser, &builder->draft.leaves[group->leaves[k]],
                                 rate) != STATUS_OK)
                builder_fail(builder, STATUS_NO_MEMORY, "%s", status_text(STATUS_NO_MEMORY));
        }
        count += !marked[group->signature];
        marked[group->signature] = true;
    }
    return count;
}

/* Chooses again for the signatures that fired. */
static enum status build_choose_again(struct builder *builder, const struct corpus_counts *counts)
{
    bool *marked = calloc(builder->draft.signature_count + 1, sizeof(*marked));
    enum status status = STATUS_OK;
    uint32_t always;

    if (marked == NULL)
        return STATUS_NO_MEMORY;
    (void)build_mark(builder, counts, marked);
    for (uint32_t i = 0; i < builder->draft.signature_count && status == STATUS_OK; i++) {
        if (!marked[i])
            continue;
        draft_drop_groups(&builder->draft, i, PREFILTER_ALL);
        status = builder_choose(builder, builder->formulas[i].necessary, i,
                                builder->formulas[i].domains, NULL, &always);
    }
    free(marked);
    return status;
}

/* What is still frequent, when there is nothing left to choose. */
static void build_warn(struct builder *builder, const struct corpus_counts *counts)
{
    for (size_t i = 0; i < builder->draft.signature_count; i++) {
        double rate = (double)counts->signatures[i] / (double)counts->messages;

        if (rate > BUILD_WARN_RATE)
            report_list_add(&builder->report->warnings, "%s alone sends on %.2f %% of the corpus",
                            (const char *)builder->draft.strings.bytes +
                                builder->draft.signatures[i].name,
                            rate * 100);
    }
}

/* Compiles; with a corpus tries the draft and chooses again, up to BUILD_ROUNDS_MAX times. */
static enum status build_compile(struct builder *builder)
{
    struct build_report *report = builder->report;
    enum status status = draft_compile(&builder->draft, builder->why);

    for (unsigned round = 0; status == STATUS_OK && builder->corpus.count > 0; round++) {
        struct corpus_counts counts;
        uint64_t hits_before = report->corpus_hits;

        status = corpus_measure(&builder->corpus, &builder->draft, &counts);
        if (status != STATUS_OK)
            break;
        report->corpus_messages = counts.messages;
        report->corpus_bytes = counts.bytes;
        report->corpus_hits = counts.hits;
        report->rounds = round + 1;
        if (round == BUILD_ROUNDS_MAX || counts.hits == 0 ||
            (round > 0 && counts.hits >= hits_before)) {
            build_warn(builder, &counts);
            corpus_counts_free(&counts);
            break;
        }
        status = build_choose_again(builder, &counts);
        corpus_counts_free(&counts);
        if (status == STATUS_OK)
            status = draft_compile(&builder->draft, builder->why);
    }
    return status;
}

static uint64_t build_stream_bytes(const struct draft_database *serialised)
{
    hs_database_t *database = NULL;
    size_t size = 0;

    if (serialised->length == 0 ||
        hs_deserialize_database(serialised->bytes, serialised->length, &database) != HS_SUCCESS)
        return 0;
    (void)hs_stream_size(database, &size);
    (void)hs_free_database(database);
    return size;
}

static void build_report_sizes(struct builder *builder)
{
    const struct draft *draft = &builder->draft;
    struct build_report *report = builder->report;
    struct stat file;

    report->leaves = draft->leaf_count;
    report->groups = draft->group_count;
    report->weak_leaves = draft->weak_count;
    for (size_t i = 0; i < draft->leaf_count; i++)
        report->squeezed_leaves += draft->leaves[i].squeezed;
    report->squeezed_bytes = draft->squeezed.length;
    report->exact_bytes = draft->exact.length;
    report->names_bytes = draft->names.length;
    report->squeezed_stream_bytes = build_stream_bytes(&draft->squeezed);
    report->exact_stream_bytes = build_stream_bytes(&draft->exact);
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++)
        report->hashes[i] = draft->hashes[i].count;
    report->image_fuzzy = draft->image_fuzzy;
    if (stat(builder->options->output, &file) == 0)
        report->file_bytes = (uint64_t)file.st_size;
}

/* Corpus and model: what has to be there before the first signature. */
static enum status build_prepare(struct builder *builder)
{
    const struct build_options *options = builder->options;
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < options->corpus_count && status == STATUS_OK; i++)
        status = corpus_add(&builder->corpus, options->corpora[i], builder->why);
    if (status != STATUS_OK)
        return status;
    memcpy(builder->report->library, builder->library.version, sizeof(builder->report->library));
    builder->verifier.random = UINT64_C(0x9e3779b97f4a7c15);
    builder->model = model_create(builder->corpus.count > 0);
    builder->types_arena = expression_arena_create();
    if (builder->corpus.count > 0)
        builder->formulas_arena = expression_arena_create();
    if (builder->model == NULL || builder->types_arena == NULL ||
        (builder->corpus.count > 0 && builder->formulas_arena == NULL))
        return STATUS_NO_MEMORY;
    status = corpus_learn(&builder->corpus, builder->model);
    if (status != STATUS_OK)
        return status;
    builder->chooser = chooser_create(builder->model);
    return builder->chooser == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status build_read(struct builder *builder)
{
    struct source_sink sink = builder_sink(builder);
    enum status status = source_read(builder->options->database, &sink, builder->why);

    if (status == STATUS_OK && builder->status == STATUS_OK && !builder->own_types)
        builder_add_library_types(builder);
    return builder->status != STATUS_OK ? builder->status : status;
}

static enum status build_digest(struct builder *builder, uint8_t *digest)
{
    enum status status = database_digest(builder->options->database, digest);

    if (status != STATUS_OK)
        why_set(builder->why, "%s: %s", builder->options->database, status_text(status));
    return status;
}

/* Whether the output that is there was made from the same, for the same. */
static bool build_unchanged(const struct builder *builder, const uint8_t *digest)
{
    struct prefilter prefilter;
    bool same;

    if (prefilter_open(&prefilter, builder->options->output, NULL) != STATUS_OK)
        return false;
    same = memcmp(prefilter.header->database, digest, PREFILTER_DIGEST_BYTES) == 0 &&
           strcmp(prefilter.header->library, builder->library.version) == 0;
    prefilter_close(&prefilter);
    return same;
}

static enum status build_steps(struct builder *builder)
{
    struct draft_identity identity = {.library = builder->report->library};
    uint8_t after[PREFILTER_DIGEST_BYTES];
    enum status status = build_digest(builder, identity.database);

    if (status == STATUS_OK)
        status = library_describe(&builder->library, builder->options->library_table, builder->why);
    if (status == STATUS_OK && builder->options->if_changed &&
        build_unchanged(builder, identity.database)) {
        builder->report->unchanged = true;
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = build_prepare(builder);
    if (status == STATUS_OK)
        status = build_read(builder);
    if (status == STATUS_OK)
        status = build_compile(builder);
    if (status == STATUS_OK)
        status = build_digest(builder, after);
    if (status == STATUS_OK && memcmp(after, identity.database, sizeof(after)) != 0) {
        why_set(builder->why, "%s has changed meanwhile", builder->options->database);
        status = STATUS_AGAIN;
    }
    if (status == STATUS_OK)
        status = draft_write(&builder->draft, &identity, builder->options->output, builder->why);
    if (status == STATUS_OK)
        build_report_sizes(builder);
    return status;
}

static double build_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

enum status build_prefilter(const struct build_options *options, struct build_report *report,
                            struct why *why)
{
    struct builder builder = {.options = options, .report = report, .why = why};
    double begun = build_now();
    enum status status;

    why_clear(why);
    status = build_steps(&builder);
    if (status != STATUS_OK && why_empty(why))
        why_set(why, "%s", status_text(status));
    report->seconds = build_now() - begun;
    draft_free(&builder.draft);
    corpus_free(&builder.corpus);
    verifier_free(&builder.verifier);
    chooser_destroy(builder.chooser);
    model_destroy(builder.model);
    library_free(&builder.library);
    expression_arena_destroy(builder.formulas_arena);
    expression_arena_destroy(builder.types_arena);
    free(builder.formulas);
    return status;
}
