/* builder.h: what the files of one build share. See build.h. */
#ifndef SIGNATURES_COMPILE_BUILDER_H
#define SIGNATURES_COMPILE_BUILDER_H

#include "platform/why.h"
#include "signatures/choose/choose.h"
#include "signatures/choose/corpus.h"
#include "signatures/choose/verify.h"
#include "signatures/compile/build.h"
#include "signatures/compile/library.h"
#include "signatures/read/source.h"

#define BUILDER_TEXT   (PREFILTER_RAW | PREFILTER_TEXT | PREFILTER_HTML)
#define BUILDER_BINARY (PREFILTER_IMAGE | PREFILTER_BINARY)
#define BUILDER_TRIES  8u /* made-up buffers for each choice */

/* A formula that may be chosen for again. */
struct builder_formula {
    struct expression *necessary;
    uint32_t domains;
};

struct builder {
    const struct build_options *options;
    struct build_report *report;
    struct why *why;
    enum status status; /* the first thing that went wrong */
    struct library library;
    struct model *model;
    struct chooser *chooser;
    struct verifier verifier;
    struct draft draft;
    struct corpus corpus;
    struct expression_arena *formulas_arena; /* null without a corpus */
    struct builder_formula *formulas;        /* by signature of the draft */
    size_t formula_room;
    struct expression_arena *types_arena;
    bool own_types; /* the database has a table of its own */
    bool links;     /* it has a phishing entry: links are doubtful */
    bool all_links; /* ... even those that display nothing */
};

/* Chooses for `domains` and adds groups, or "always", to the draft. `*always` gets the domains in
 * which it is always, and `reason` (may be null) why. */
enum status builder_choose(struct builder *builder, const struct expression *necessary,
                           uint32_t signature, uint32_t domains, const char **reason,
                           uint32_t *always);

/* The sink for source_read(), source.c's callbacks. */
struct source_sink builder_sink(struct builder *builder);

/* The file-type table, when the database has none. */
void builder_add_library_types(struct builder *builder);

/* Remembers the first failure. */
void builder_fail(struct builder *builder, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
