/* jail.h: what a scanner child may still ask the kernel for, and what must be at hand before that.
 *
 * libclamav reads the time zone and loads character converters (gconv modules, shared objects) when
 * it first needs them: behind an empty root it would not find them, and what it scans would depend
 * on the jail. So the parent has them loaded before it forks.
 *
 * The list holds for libclamav 1.4 on glibc: memory, temporary files, time. Another call kills the
 * child: it has no business with processes, sockets or other files, so whoever asks has taken it
 * over. docs/scanner.md says how the list was found.
 *
 * Threads: the parent's one, before the first child. Memory: what is loaded stays.
 */
#ifndef SIGNATURES_SCANNER_JAIL_H
#define SIGNATURES_SCANNER_JAIL_H

/* Loads what children will want. A converter that this machine lacks is passed over: it would not
 * be there without a jail either. */
void jail_prepare(void);

/* The list for struct sandbox; borrowed for ever. *count is 0 in a sanitized build, whose runtime
 * asks for more. */
const int *jail_calls(unsigned *count);

#endif
