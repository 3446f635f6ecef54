#include "signatures/choose/choose.h"

#include <stdlib.h>
#include <string.h>

#include "platform/check.h"
#include "signatures/choose/windows.h"
#include "signatures/content/decode/squeeze.h"

#define CHOOSE_DEPTH_MAX 64u /* deeper formulas are taken to be true: they only get weaker */
/* Two alternatives are worth their groups only if they make the rate so much smaller. */
#define CHOOSE_WORTH 0.8

struct chooser {
    struct windows windows;
    struct choice_group *result; /* of the last choice */
};

struct chooser *chooser_create(const struct model *model)
{
    struct chooser *chooser = calloc(1, sizeof(*chooser));

    if (chooser != NULL)
        chooser->windows.model = model;
    return chooser;
}

void chooser_destroy(struct chooser *chooser)
{
    if (chooser == NULL)
        return;
    model_costs_free(&chooser->windows.costs);
    model_costs_free(&chooser->windows.binary_costs);
    free(chooser->windows.measured);
    free(chooser->result);
    free(chooser);
}

enum status chooser_measured(struct chooser *chooser, const struct draft_leaf *leaf, double rate)
{
    struct windows *windows = &chooser->windows;

    if (windows->measured_count == windows->measured_room) {
        size_t room = windows->measured_room == 0 ? 64 : windows->measured_room * 2;
        struct measured_leaf *grown = reallocarray(windows->measured, room, sizeof(*grown));

        if (grown == NULL)
            return STATUS_NO_MEMORY;
        windows->measured = grown;
        windows->measured_room = room;
    }
    windows->measured[windows->measured_count++] =
        (struct measured_leaf){.leaf = *leaf, .rate = rate};
    return STATUS_OK;
}

static void choice_always(struct choice *choice, const char *reason)
{
    free(choice->groups);
    *choice = (struct choice){.always = true, .reason = reason, .rate = 1};
}

static double group_rate(const struct choice_group *group)
{
    double rate = 1;

    for (unsigned i = 0; i < group->count; i++)
        rate *= group->leaves[i].rate;
    return rate;
}

static void choice_rate(struct choice *choice)
{
    choice->rate = 0;
    for (unsigned i = 0; i < choice->count; i++)
        choice->rate += group_rate(&choice->groups[i]);
    if (choice->rate > 1)
        choice->rate = 1;
}

static bool group_has(const struct choice_group *group, const struct draft_leaf *leaf)
{
    for (unsigned i = 0; i < group->count; i++) {
        if (memcmp(&group->leaves[i].leaf, leaf, sizeof(*leaf)) == 0)
            return true;
    }
    return false;
}

static bool group_equal(const struct choice_group *a, const struct choice_group *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++) {
        if (!group_has(b, &a->leaves[i].leaf))
            return false;
    }
    return true;
}

/* Puts the leaves of both together: the rarest that there is room for. */
static void group_join(const struct choice_group *a, const struct choice_group *b,
                       struct choice_group *joined)
{
    *joined = *a;
    for (unsigned i = 0; i < b->count && joined->count < PREFILTER_GROUP_LEAVES; i++) {
        if (!group_has(joined, &b->leaves[i].leaf))
            joined->leaves[joined->count++] = b->leaves[i];
    }
}

static bool choose(struct chooser *chooser, const struct expression *formula, bool text,
                   unsigned depth, struct choice *choice);

static bool choose_run(struct chooser *chooser, const struct expression *run, bool text,
                       struct choice *choice)
{
    struct choice_group group = {0};

    if (!windows_of_run(&chooser->windows, run, text, group.leaves, &group.count))
        return false;
    if (group.count == 0) {
        choice_always(choice, text ? "no usable fragment in text" : "no usable fragment");
        return true;
    }
    choice->groups = malloc(sizeof(*choice->groups));
    if (choice->groups == NULL)
        return false;
    choice->groups[0] = group;
    choice->count = 1;
    choice_rate(choice);
    return true;
}

/* Appends what is not there yet. False: no memory. */
static bool choice_append(struct choice *choice, const struct choice *more)
{
    struct choice_group *grown;

    if (more->count == 0)
        return true;
    grown = reallocarray(choice->groups, choice->count + more->count, sizeof(*grown));
    if (grown == NULL)
        return false;
    choice->groups = grown;
    for (unsigned i = 0; i < more->count; i++) {
        bool known = false;

        for (unsigned k = 0; k < choice->count && !known; k++)
            known = group_equal(&grown[k], &more->groups[i]);
        if (!known)
            grown[choice->count++] = more->groups[i];
    }
    return true;
}

static bool choose_or(struct chooser *chooser, const struct expression *formula, bool text,
                      unsigned depth, struct choice *choice)
{
    for (unsigned i = 0; i < formula->length; i++) {
        struct choice alternative = {0};
        bool ok = choose(chooser, formula->children[i], text, depth + 1, &alternative);

        ok = ok && choice_append(choice, &alternative);
        free(alternative.groups);
        if (!ok)
            return false;
        if (alternative.always || choice->count > CHOOSE_GROUPS_MAX) {
            choice_always(choice,
                          alternative.always ? alternative.reason : "too many alternatives");
            return true;
        }
    }
    choice_rate(choice);
    return true;
}

/* Makes `choice` stand for both when that is worth it. */
static bool choice_combine(struct choice *choice, const struct choice *other)
{
    unsigned count = choice->count * other->count;
    struct choice both = {0};

    if (count > CHOOSE_PRODUCT_MAX)
        return true;
    both.groups = calloc(count, sizeof(*both.groups));
    if (both.groups == NULL)
        return false;
    for (unsigned i = 0; i < choice->count; i++) {
        for (unsigned k = 0; k < other->count; k++)
            group_join(&choice->groups[i], &other->groups[k], &both.groups[both.count++]);
    }
    choice_rate(&both);
    /* While the choice is poor more leaves are worth it whatever the model thinks of them, as long
     * as there are no more groups. */
    if (both.rate > choice->rate * CHOOSE_WORTH &&
        (choice->rate < CHOOSE_RATE_POOR || both.count > choice->count)) {
        free(both.groups);
        return true;
    }
    free(choice->groups);
    *choice = both;
    return true;
}

static int choice_order(const void *a, const void *b)
{
    const struct choice *first = a, *second = b;

    if (first->always != second->always)
        return first->always ? 1 : -1;
    if (first->rate != second->rate)
        return first->rate < second->rate ? -1 : 1;
    return (first->count > second->count) - (first->count < second->count);
}

/* The children's choices are made; the result takes the first one's groups. */
static bool choose_of_children(struct choice *children, unsigned count, struct choice *choice)
{
    bool ok = true;

    qsort(children, count, sizeof(*children), choice_order);
    *choice = children[0];
    children[0].groups = NULL;
    for (unsigned i = 1; ok && i < count && !choice->always && !children[i].always &&
                         choice->rate > CHOOSE_RATE_GOOD;
         i++)
        ok = choice_combine(choice, &children[i]);
    return ok;
}

static bool choose_and(struct chooser *chooser, const struct expression *formula, bool text,
                       unsigned depth, struct choice *choice)
{
    struct choice *children = calloc(formula->length + 1, sizeof(*children));
    bool ok = children != NULL;
    unsigned count = 0;

    if (formula->length == 0) {
        free(children);
        choice_always(choice, "nothing is required");
        return ok;
    }
    while (ok && count < formula->length) {
        ok = choose(chooser, formula->children[count], text, depth + 1, &children[count]);
        count++;
    }
    ok = ok && choose_of_children(children, count, choice);
    for (unsigned i = 0; i < count; i++)
        free(children[i].groups);
    free(children);
    return ok;
}

/* False: no memory. */
static bool choose(struct chooser *chooser, const struct expression *formula, bool text,
                   unsigned depth, struct choice *choice)
{
    if (depth > CHOOSE_DEPTH_MAX) {
        choice_always(choice, "too deep");
        return true;
    }
    switch (formula->kind) {
    case EXPRESSION_RUN:
        return choose_run(chooser, formula, text, choice);
    case EXPRESSION_AND:
        return choose_and(chooser, formula, text, depth, choice);
    case EXPRESSION_OR:
        return choose_or(chooser, formula, text, depth, choice);
    case EXPRESSION_TRUE:
        break;
    }
    choice_always(choice, "nothing is required");
    return true;
}

/* The fixed first bytes of a run that begins its buffer. */
static bool start_of_run(const struct expression *run, bool text, struct choice_start *start)
{
    bool telling = !text;

    if (!run->start)
        return false;
    start->length = 0;
    for (unsigned i = 0; i < run->length && i < CHOOSE_START_BYTES; i++) {
        const struct expression_byte *byte = &run->bytes[i];

        if (byte->mask != 0xff || byte->caseless || byte->gap)
            break;
        /* DEL is left in normalised text, other odd bytes are not. */
        telling = telling || (squeeze_is_odd(byte->value) && byte->value != 0x7f) ||
                  (byte->value >= 'A' && byte->value <= 'Z');
        start->bytes[start->length++] = byte->value;
    }
    return telling && start->length >= 2;
}

/* Whether the formula can hold only in buffers that begin in known ways, which are added. */
static bool choose_starts(const struct expression *formula, bool text, unsigned depth,
                          struct choice *choice)
{
    unsigned kept = choice->start_count;

    if (depth > CHOOSE_DEPTH_MAX || choice->start_count == CHOOSE_STARTS_MAX)
        return false;
    switch (formula->kind) {
    case EXPRESSION_TRUE:
        break;
    case EXPRESSION_RUN:
        if (!start_of_run(formula, text, &choice->starts[choice->start_count]))
            return false;
        choice->start_count++;
        return true;
    case EXPRESSION_AND:
        for (unsigned i = 0; i < formula->length; i++) {
            if (choose_starts(formula->children[i], text, depth + 1, choice))
                return true;
            choice->start_count = kept;
        }
        break;
    case EXPRESSION_OR:
        for (unsigned i = 0; i < formula->length; i++) {
            if (!choose_starts(formula->children[i], text, depth + 1, choice)) {
                choice->start_count = kept;
                return false;
            }
        }
        return true;
    }
    return false;
}

enum status chooser_choose(struct chooser *chooser, const struct expression *necessary, bool text,
                           struct choice *choice)
{
    bool ok;

    *choice = (struct choice){0};
    ok = choose(chooser, necessary, text, 0, choice);
    free(chooser->result);
    chooser->result = choice->groups;
    if (!ok) {
        *choice = (struct choice){.always = true, .reason = "out of memory", .rate = 1};
        return STATUS_NO_MEMORY;
    }
    if ((choice->always || choice->rate > CHOOSE_RATE_POOR) &&
        choose_starts(necessary, text, 0, choice) && choice->start_count > 0) {
        choice->always = false;
        choice->count = 0;
        choice->rate = 0;
    }
    return STATUS_OK;
}
