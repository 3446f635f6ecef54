/* windows.h: the leaves that a run of bytes offers (see choose.h). */
#ifndef SIGNATURES_CHOOSE_WINDOWS_H
#define SIGNATURES_CHOOSE_WINDOWS_H

#include "signatures/choose/choose.h"

struct measured_leaf {
    struct draft_leaf leaf;
    double rate;
};

/* Work space, reused from run to run; zeroes before the first use. */
struct windows {
    const struct model *model;
    struct model_costs costs;
    struct model_costs binary_costs; /* of leaves for odd text, which binary parts may hold, too */
    struct measured_leaf *measured;
    size_t measured_count, measured_room;
    /* The sequence looked at: each symbol, and whether it has two cases. */
    uint8_t symbols[CHOOSE_RUN_MAX];
    bool caseless[CHOOSE_RUN_MAX];
    bool taken[CHOOSE_RUN_MAX];
};

/* Writes up to PREFILTER_GROUP_LEAVES leaves of `run` that do not overlap to `found`, the rarest
 * first, until their common rate is good; `*count` of them. False: no memory. */
bool windows_of_run(struct windows *windows, const struct expression *run, bool text,
                    struct choice_leaf *found, unsigned *count);

#endif
