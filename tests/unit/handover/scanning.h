/* scanning.h: the scanners of an appliance, as the tests of scanning play them, and a control. */
#ifndef TESTS_UNIT_HANDOVER_SCANNING_H
#define TESTS_UNIT_HANDOVER_SCANNING_H

#include "tests/unit/handover/appliance.h"

extern struct peer scanners;
extern struct peer control;

/* The one scanner slot that has a job of worker 0; it starts to work on it. */
uint32_t scanning_slot(struct scan_job *job);

/* None has a job. */
void no_job(void);

/* The one that has a job answers it. */
void answer(struct appliance *appliance, enum verdict_kind verdict, enum unscannable_reason reason,
            const char *name);

/* The child at work in `slot` dies, and is replaced. */
void die(struct appliance *appliance, uint32_t slot);

#define SCANNING_TEST(test) \
    cmocka_unit_test_setup_teardown(test, appliance_set_up, appliance_tear_down)

#endif
