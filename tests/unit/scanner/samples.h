/* samples.h: the directory of mails and signatures that make_samples.py writes for a test program.
 *
 * Also the scanners' TMPDIR lies in it, so that what they leave behind is found. One process, one
 * thread; environment: MAKE_SAMPLES names the script.
 */
#ifndef TESTS_UNIT_SCANNER_SAMPLES_H
#define TESTS_UNIT_SCANNER_SAMPLES_H

#include <stdbool.h>

#define TESTFILES "/usr/share/clamav-testfiles"

/* cmocka group fixtures. samples_remove() fails when a scanner left something behind. */
int samples_make(void **state);
int samples_remove(void **state);

/* Path of a file there; one of four buffers used in turn. */
const char *sample(const char *name);

/* True when no scanner's scratch directory is left. */
bool samples_scratch_is_empty(void);

#endif
