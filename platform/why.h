/* why.h: why something could not be done, in one line for whoever set it up.
 *
 * A function that can fail for a reason the operator has to know takes a `struct why *` and sets it
 * when it fails; what it holds after success is its header's matter. Null where nobody wants to
 * know. The text is cut to fit and always ends.
 */
#ifndef PLATFORM_WHY_H
#define PLATFORM_WHY_H

#include <stdarg.h>
#include <stdbool.h>

#define WHY_BYTES 512u

struct why {
    char text[WHY_BYTES];
};

void why_clear(struct why *why);

/* Whether nothing has been said. */
bool why_empty(const struct why *why);

/* Replaces what was said. */
__attribute__((format(printf, 2, 3))) void why_set(struct why *why, const char *format, ...);
/* Adds to what was said, after a semicolon. */
__attribute__((format(printf, 2, 3))) void why_add(struct why *why, const char *format, ...);
__attribute__((format(printf, 2, 0))) void why_set_list(struct why *why, const char *format,
                                                        va_list arguments);

#endif
