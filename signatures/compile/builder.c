/* builder.c: what reading and compiling share: choosing for one signature, and failing. */
#include "signatures/compile/builder.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "signatures/content/mime/start.h"

void builder_fail(struct builder *builder, enum status status, const char *format, ...)
{
    va_list arguments;

    if (builder->status != STATUS_OK)
        return;
    builder->status = status;
    va_start(arguments, format);
    (void)why_set_list(builder->why, format, arguments);
    va_end(arguments);
}

/* A message begins with our own Received field. */
static enum status builder_add_start(struct builder *builder, const struct choice_start *start,
                                     uint32_t signature, uint32_t domains)
{
    static_assert(MIME_START_BYTES >= CHOOSE_START_BYTES, "of a message's start");

    if (memcmp(start->bytes, MIME_START, start->length) != 0)
        domains &= ~PREFILTER_RAW;
    return domains == 0
               ? STATUS_OK
               : draft_add_start(&builder->draft, signature, domains, start->bytes, start->length);
}

static enum status builder_add_groups(struct builder *builder, const struct choice *choice,
                                      uint32_t signature, uint32_t domains)
{
    enum status status = STATUS_OK;

    if (choice->always)
        return draft_add_always(&builder->draft, signature, domains);
    for (unsigned i = 0; i < choice->start_count && status == STATUS_OK; i++)
        status = builder_add_start(builder, &choice->starts[i], signature, domains);
    for (unsigned i = 0; i < choice->count && status == STATUS_OK; i++) {
        struct draft_leaf leaves[PREFILTER_GROUP_LEAVES];

        for (unsigned k = 0; k < choice->groups[i].count; k++)
            leaves[k] = choice->groups[i].leaves[k].leaf;
        status =
            draft_add_group(&builder->draft, signature, domains, leaves, choice->groups[i].count);
    }
    return status;
}

enum status builder_choose(struct builder *builder, const struct expression *necessary,
                           uint32_t signature, uint32_t domains, const char **reason,
                           uint32_t *always)
{
    static const uint32_t kinds[] = {BUILDER_TEXT, BUILDER_BINARY};
    enum status status = STATUS_OK;

    *always = 0;
    for (unsigned i = 0; i < 2 && status == STATUS_OK; i++) {
        bool text = kinds[i] == BUILDER_TEXT;
        struct choice choice;

        if ((domains & kinds[i]) == 0)
            continue;
        status = chooser_choose(builder->chooser, necessary, text, &choice);
        if (status != STATUS_OK)
            return status;
        if (!verify_choice(&builder->verifier, necessary, text, &choice, BUILDER_TRIES))
            return STATUS_BAD_FORMAT;
        if (choice.always) {
            *always |= domains & kinds[i];
            if (reason != NULL)
                *reason = choice.reason;
        }
        status = builder_add_groups(builder, &choice, signature, domains & kinds[i]);
    }
    return status;
}
