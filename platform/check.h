/* check.h: assertions that stay in.
 *
 * CHECK() guards invariants of our own code and is always compiled in: a process that has lost
 * its mind must stop before it answers 250. It is never used on a value that a peer, a scanner or
 * a local client controls; those get a status or an outcome.
 * CHECK_SLOW() is for costly walks; it exists in debug, fuzz and simulation builds
 * (meson -Dslow_checks=true) only.
 */
#ifndef PLATFORM_CHECK_H
#define PLATFORM_CHECK_H

/* Prints the place and the condition on standard error and aborts. Async-signal-safe. */
void check_failed(const char *file, int line, const char *condition)
    __attribute__((noreturn, cold));

#define CHECK(condition)                                  \
    do {                                                  \
        if (__builtin_expect(!(condition), 0))            \
            check_failed(__FILE__, __LINE__, #condition); \
    } while (0)

#ifdef POSTERN_SLOW_CHECKS
#define CHECK_SLOW(condition) CHECK(condition)
#else
#define CHECK_SLOW(condition) ((void)sizeof(condition))
#endif

#endif
