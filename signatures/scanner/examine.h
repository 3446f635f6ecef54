/* examine.h: the verdict on one message: as it came, and in every reading of it.
 *
 * First the message as it came. Where mail programs may differ on what it holds, everything any of
 * them would take out of it is collected (signatures/content/readings), written as canonical mails
 * and scanned, too. They may where the job says so (SCAN_READINGS), unless the strict parser finds
 * no doubt in it here either (clear.h): where nobody has looked at it before, most mail is clear.
 * Whatever the job says, so it is where something is in it that libclamav does not open. What the
 * engine takes out of any of it and does not open itself is opened and scanned, or is the reason
 * why the message is unscannable (opened.h). The worst verdict is the message's: infected before
 * unscannable before clean. Readings past their bounds are unscannable(malformed).
 *
 * Threads: the child's one. Memory: heap, within what a child may have. The engine's time limit
 * holds for all of it together.
 */
#ifndef SIGNATURES_SCANNER_EXAMINE_H
#define SIGNATURES_SCANNER_EXAMINE_H

#include "signatures/scanner/engine.h"

/* Fills verdict, reason, name, flags, readings, reading, doubt and cpu_ns of `result`. `flags`: the
 * job's. */
void examine_message(struct engine *engine, const uint8_t *bytes, uint32_t length, uint32_t flags,
                     struct scan_result *result);

#endif
