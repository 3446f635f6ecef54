#include "control/link/region_hold.h"

#include <stdlib.h>
#include <unistd.h>

#include "platform/check.h"

enum status region_hold_open(struct region_hold **hold, int fd)
{
    struct region_hold *made = calloc(1, sizeof(*made));
    enum status status;

    *hold = NULL;
    if (made == NULL) {
        close(fd);
        return STATUS_NO_MEMORY;
    }
    status = region_open(&made->region, fd);
    if (status != STATUS_OK) {
        free(made);
        return status;
    }
    made->holders = 1;
    made->link = -1;
    *hold = made;
    return STATUS_OK;
}

struct region_hold *region_hold_take(struct region_hold *hold)
{
    hold->holders++;
    return hold;
}

void region_hold_give(struct region_hold *hold)
{
    if (hold == NULL)
        return;
    CHECK(hold->holders > 0);
    if (--hold->holders > 0)
        return;
    region_close(&hold->region);
    if (hold->link >= 0)
        close(hold->link);
    free(hold);
}
