#include "tests/unit/handover/scanning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct peer scanners;
struct peer control;

/* The one scanner slot that has a job of worker 0; it starts to work on it. */
uint32_t scanning_slot(struct scan_job *job)
{
    for (uint32_t slot = 0; slot < APPLIANCE_SCANNERS; slot++) {
        if (peer_scan(&scanners, slot, 0, job))
            return slot;
    }
    fail_msg("no scanner has a job");
    return 0;
}

void no_job(void)
{
    struct scan_job job;

    for (uint32_t slot = 0; slot < APPLIANCE_SCANNERS; slot++)
        assert_false(peer_scan(&scanners, slot, 0, &job));
}

void answer(struct appliance *appliance, enum verdict_kind verdict, enum unscannable_reason reason,
            const char *name)
{
    struct scan_job job;
    uint32_t slot = scanning_slot(&job);
    struct scan_result result = peer_result(&job, verdict, reason, name);

    peer_answer(&scanners, slot, 0, &result);
    appliance_settle(appliance);
}

/* The child at work in `slot` dies, and is replaced. */
void die(struct appliance *appliance, uint32_t slot)
{
    peer_gone(&scanners, slot);
    appliance_settle(appliance);
}
