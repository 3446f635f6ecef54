#include "tests/oracle/type/judge.h"

#include <clamav.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/why.h"
#include "signatures/content/type/type.h"
#include "tests/simulation/random.h"

#define JUDGE_TARGETS 15u
#define JUDGE_TYPE    32u
#define BIT(target)   (1u << (target))

struct judge {
    const struct table *table;
    struct cl_engine *engine;
    struct random random;
    struct judge_counts counts;
    /* Of the scan in hand. */
    unsigned layers;
    unsigned targets;
    char type[JUDGE_TYPE]; /* of the first layer */
    char other[128];       /* something reported that is none of ours */
};

static cl_error_t judge_layer(int descriptor, const char *type, void *context)
{
    struct judge *judge = context;

    (void)descriptor;
    if (judge->layers++ == 0)
        (void)snprintf(judge->type, sizeof(judge->type), "%s", type == NULL ? "null" : type);
    return CL_CLEAN;
}

static void judge_found(int descriptor, const char *name, void *context)
{
    struct judge *judge = context;
    unsigned target;

    (void)descriptor;
    if (sscanf(name, "Target.%u.", &target) == 1 && target < JUDGE_TARGETS)
        judge->targets |= BIT(target);
    else
        (void)snprintf(judge->other, sizeof(judge->other), "%s", name);
}

static void judge_message(enum cl_msg severity, const char *whole, const char *message,
                          void *context)
{
    (void)severity;
    (void)whole;
    (void)message;
    (void)context;
}

/* One body signature for each target. */
static bool judge_load(struct judge *judge)
{
    char path[] = "/tmp/oracle-type-XXXXXX.ndb";
    int descriptor = mkstemps(path, 4);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    unsigned count = 0;
    bool good = file != NULL;

    for (unsigned target = 0; good && target < JUDGE_TARGETS; target++) {
        if (target == 8) /* unused by ClamAV */
            continue;
        good = fprintf(file, "Target.%u:%u:*:", target, target) > 0;
        for (const char *at = JUDGE_MARK; good && *at != '\0'; at++)
            good = fprintf(file, "%02x", (unsigned char)*at) > 0;
        good = good && fputc('\n', file) != EOF;
    }
    if (file != NULL && fclose(file) != 0)
        good = false;
    good = good && cl_load(path, judge->engine, &count, CL_DB_STDOPT) == CL_SUCCESS &&
           cl_engine_compile(judge->engine) == CL_SUCCESS;
    (void)unlink(path);
    return good;
}

struct judge *judge_create(const struct table *table)
{
    struct judge *judge = calloc(1, sizeof(*judge));

    cl_set_clcb_msg(judge_message);
    if (judge == NULL)
        return NULL;
    judge->table = table;
    random_seed(&judge->random, 1);
    judge->engine = cl_init(CL_INIT_DEFAULT) == CL_SUCCESS ? cl_engine_new() : NULL;
    if (judge->engine == NULL ||
        cl_engine_set_num(judge->engine, CL_ENGINE_DISABLE_CACHE, 1) != CL_SUCCESS ||
        !judge_load(judge)) {
        judge_destroy(judge);
        return NULL;
    }
    cl_engine_set_clcb_pre_cache(judge->engine, judge_layer);
    cl_engine_set_clcb_virus_found(judge->engine, judge_found);
    return judge;
}

void judge_destroy(struct judge *judge)
{
    if (judge->engine != NULL)
        (void)cl_engine_free(judge->engine);
    free(judge);
}

static bool judge_scan(struct judge *judge, const uint8_t *bytes, size_t length)
{
    struct cl_scan_options options = {
        .general = CL_SCAN_GENERAL_HEURISTICS | CL_SCAN_GENERAL_ALLMATCHES,
        .parse = ~0u,
        .heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX | CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE |
                     CL_SCAN_HEURISTIC_ENCRYPTED_DOC,
    };
    const char *name = NULL;
    unsigned long scanned = 0;
    cl_fmap_t *map = cl_fmap_open_memory(bytes, length);

    judge->layers = 0;
    judge->targets = 0;
    judge->type[0] = '\0';
    judge->other[0] = '\0';
    if (map == NULL)
        return false;
    (void)cl_scanmap_callback(map, NULL, &name, &scanned, judge->engine, &options, judge);
    cl_fmap_close(map);
    return true;
}

static uint32_t judge_domain(enum prefilter_type_class class)
{
    switch (class) {
    case PREFILTER_CLASS_TEXT:
        return PREFILTER_TEXT;
    case PREFILTER_CLASS_IMAGE:
        return PREFILTER_IMAGE;
    case PREFILTER_CLASS_BINARY:
        return PREFILTER_BINARY;
    default:
        return 0;
    }
}

/* The targets a class may be matched as. */
static unsigned judge_allowed(enum prefilter_type_class class)
{
    switch (class) {
    case PREFILTER_CLASS_TEXT:
        return BIT(0) | BIT(7);
    case PREFILTER_CLASS_HTML:
        return BIT(0) | BIT(3) |
               BIT(7); /* scripts inside; signatures/content/html/html.h minds them */
    case PREFILTER_CLASS_IMAGE:
        return BIT(0) | BIT(5);
    case PREFILTER_CLASS_BINARY:
        return BIT(0) | BIT(14);
    default:
        return 0;
    }
}

/* What the runtime would come to: the first bytes, then watch and groups, pieces of any size. */
static struct part_type judge_decide(struct judge *judge, const uint8_t *bytes, size_t length)
{
    const struct type_table *types = judge->table->types;
    size_t look = length < TYPE_LOOK ? length : TYPE_LOOK;
    struct part_type type = type_of(types, bytes, look, look == length);
    uint32_t domain = judge_domain(type.class);
    struct type_watch watch;
    const char *found;

    if (domain == 0)
        return type;
    type_watch_begin(&watch, types, domain, &type);
    for (size_t at = 0; at < length;) {
        size_t piece = (size_t)random_size(&judge->random, 1, (int64_t)(length - at));

        (void)type_watch_feed(&watch, bytes + at, piece);
        at += piece;
    }
    found = type_watch_end(&watch);
    if (found == NULL)
        found = table_group(judge->table, domain, bytes, length);
    return found == NULL ? type : (struct part_type){PREFILTER_CLASS_ESCALATE, found};
}

static bool judge_same(struct judge *judge, enum prefilter_type_class class, const char *name,
                       struct why *why)
{
    unsigned allowed = judge_allowed(class);

    if (class == PREFILTER_CLASS_IGNORED && judge->layers == 0)
        return true; /* five bytes or fewer */
    if (class == PREFILTER_CLASS_HTML && judge->layers > 1)
        allowed = ~0u; /* what was inside: data: URLs, which signatures/content/html/html.h gates */
    if (strcmp(judge->type, name) != 0)
        why_set(why, "the library says %s, type.h %s", judge->type, name);
    else if (judge->layers != 1 && class != PREFILTER_CLASS_HTML)
        why_set(why, "%s: %u layers", name, judge->layers);
    else if ((judge->targets & ~allowed) != 0)
        why_set(why, "%s: matched as targets 0x%x", name, judge->targets);
    else if (judge->other[0] != '\0')
        why_set(why, "%s: reported as %s", name, judge->other);
    else
        return true;
    return false;
}

bool judge_case(struct judge *judge, const uint8_t *bytes, size_t length, struct why *why)
{
    size_t look = length < TYPE_LOOK ? length : TYPE_LOOK;
    struct part_type type = judge_decide(judge, bytes, length);
    struct part_type first = type_of(judge->table->types, bytes, look, look == length);

    if (!judge_scan(judge, bytes, length)) {
        why_set(why, "not scanned");
        return false;
    }
    judge->counts.cases++;
    judge->counts.classes[type.class]++;
    if (type.class == PREFILTER_CLASS_ESCALATE) {
        if (first.class != PREFILTER_CLASS_ESCALATE &&
            judge_same(judge, first.class, first.name, why))
            judge->counts.needless++;
        return true;
    }
    if (judge->targets != 0)
        judge->counts.marked++;
    return judge_same(judge, type.class, type.name, why);
}

const struct judge_counts *judge_counts(const struct judge *judge)
{
    return &judge->counts;
}
