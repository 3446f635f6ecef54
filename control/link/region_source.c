#include "control/link/region_source.h"

#include <stdlib.h>

#include "platform/check.h"
#include "platform/link/message_view.h"

struct region_source {
    struct source source;
    struct region_hold *hold;
    struct message_view view;
};

/* struct source is its first member. */
static struct region_source *region_source_of(const struct source *source)
{
    return (struct region_source *)(uintptr_t)source;
}

static enum status region_source_pieces(struct source *source, size_t offset, size_t length,
                                        struct iovec *vectors, unsigned count, unsigned *filled)
{
    *filled = message_view_iovec(&region_source_of(source)->view, offset, length, vectors, count);
    return STATUS_OK;
}

static enum status region_source_field(struct source *source, size_t *position,
                                       enum envelope_field *field, const char **value,
                                       size_t *length)
{
    return message_view_field(&region_source_of(source)->view, position, field, value, length);
}

static bool region_source_current(const struct source *source)
{
    return message_view_current(&region_source_of(source)->view);
}

static void region_source_close(struct source *source)
{
    struct region_source *region = region_source_of(source);

    message_view_close(&region->view);
    region_hold_give(region->hold);
    free(region);
}

static const struct source_kind region_source_kind = {.pieces = region_source_pieces,
                                                      .field = region_source_field,
                                                      .current = region_source_current,
                                                      .close = region_source_close,
                                                      .lasting = true};

enum status region_source_open(struct source **source, struct region_hold *hold,
                               const struct relay_job *job)
{
    struct region_source *made = calloc(1, sizeof(*made));
    enum status status;

    _Static_assert(offsetof(struct region_source, source) == 0, "region_source_of()");
    *source = NULL;
    if (made == NULL)
        return STATUS_NO_MEMORY;
    status =
        message_view_open(&made->view, &hold->region, job->message, job->generation, job->length);
    if (status != STATUS_OK) {
        free(made);
        return status;
    }
    CHECK(made->view.trace_size <= made->view.size);
    made->hold = region_hold_take(hold);
    made->source = (struct source){.kind = &region_source_kind,
                                   .holders = 1,
                                   .flags = made->view.flags,
                                   .size = made->view.size,
                                   .trace_size = made->view.trace_size};
    *source = &made->source;
    return STATUS_OK;
}
