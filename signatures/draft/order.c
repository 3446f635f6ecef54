/* order.c: the order of leaves (those of groups of several first: they have bits), then the
 * databases. */
#include <stdio.h>
#include <stdlib.h>

#include "platform/why.h"
#include "signatures/draft/databases.h"

/* When bits run out a group keeps its longest leaf alone: it fires more often, never too rarely. */
static void order_shorten(const struct draft *draft, struct draft_group *group)
{
    uint32_t longest = group->leaves[0];

    for (unsigned i = 1; i < group->leaf_count; i++) {
        if (draft->leaves[group->leaves[i]].length > draft->leaves[longest].length)
            longest = group->leaves[i];
    }
    group->leaf_count = 1;
    group->leaves[0] = longest;
}

/* Gives every leaf of a group of several its place among the first ones: place[] + 1. */
static void order_weak(struct draft *draft, uint32_t *place)
{
    for (size_t i = 0; i < draft->group_count; i++) {
        struct draft_group *group = &draft->groups[i];
        uint32_t wanted = 0;

        if (group->leaf_count < 2)
            continue;
        for (unsigned k = 0; k < group->leaf_count; k++)
            wanted += place[group->leaves[k]] == 0;
        if (draft->weak_count + wanted > PREFILTER_WEAK_MAX) {
            order_shorten(draft, group);
            continue;
        }
        for (unsigned k = 0; k < group->leaf_count; k++) {
            if (place[group->leaves[k]] == 0)
                place[group->leaves[k]] = ++draft->weak_count;
        }
    }
}

/* Puts every leaf that is used into its place. */
static enum status order_move(struct draft *draft, uint32_t *place)
{
    struct draft_leaf *moved = calloc(draft->leaf_count + 1, sizeof(*moved));
    uint32_t next = draft->weak_count;

    if (moved == NULL)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < draft->group_count; i++) {
        struct draft_group *group = &draft->groups[i];

        for (unsigned k = 0; k < group->leaf_count; k++) {
            uint32_t leaf = group->leaves[k];

            if (place[leaf] == 0)
                place[leaf] = ++next;
            moved[place[leaf] - 1] = draft->leaves[leaf];
            group->leaves[k] = place[leaf] - 1;
        }
    }
    free(draft->leaves);
    draft->leaves = moved;
    draft->leaf_room = draft->leaf_count + 1;
    draft->leaf_count = next;
    /* The slots name the old places: they are made again when there is a next leaf. */
    free(draft->leaf_slots);
    draft->leaf_slots = NULL;
    draft->leaf_slot_count = 0;
    return STATUS_OK;
}

static void order_forget(struct draft_database *database)
{
    free(database->bytes);
    *database = (struct draft_database){0};
}

enum status draft_compile(struct draft *draft, struct why *why)
{
    uint32_t *place = calloc(draft->leaf_count + 1, sizeof(*place));
    enum status status = STATUS_NO_MEMORY;

    why_set(why, "%s", status_text(STATUS_NO_MEMORY));
    order_forget(&draft->squeezed);
    order_forget(&draft->exact);
    order_forget(&draft->names);
    draft->weak_count = 0;
    if (place != NULL) {
        order_weak(draft, place);
        status = order_move(draft, place);
    }
    free(place);
    if (status == STATUS_OK)
        status = database_of_leaves(draft->leaves, draft->leaf_count, true, &draft->squeezed, why);
    if (status == STATUS_OK)
        status = database_of_leaves(draft->leaves, draft->leaf_count, false, &draft->exact, why);
    if (status == STATUS_OK)
        status = database_of_names(draft->name_patterns, draft->name_ids, draft->name_count,
                                   &draft->names, why);
    return status;
}
