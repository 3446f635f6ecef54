/* selftest.h: shows that the watch sees what it has to see, before anything is concluded from it.
 */
#ifndef TESTS_ORACLE_SELFTEST_H
#define TESTS_ORACLE_SELFTEST_H

/* Number of failed checks; each one is told on standard error. */
int selftest(void);

#endif
