/* verdict.h: what libclamav's answer means for a message.
 *
 * The one place where an answer becomes a verdict. Only a plain "no signature matched" is clean;
 * limits, encryption, time-outs and every error are unscannable, whatever the library calls them.
 *
 * Threads: any. No state, no memory. Not on the packet path.
 */
#ifndef SIGNATURES_SCANNER_VERDICT_H
#define SIGNATURES_SCANNER_VERDICT_H

#include "platform/link/channel.h"

#define VERDICT_NAME_UNKNOWN "unknown" /* of what a child calls something that has no such name */

/* Fills verdict, reason and name of `result` from a cl_error_t and the name that came with it
 * (null: none). Names are cut to SCAN_NAME_BYTES and made printable ASCII without spaces. */
void verdict_from_engine(int code, const char *virus, struct scan_result *result);

/* Makes it unscannable with `reason`; `text` (null: none) is the explanation. */
void verdict_unscannable(struct scan_result *result, enum unscannable_reason reason,
                         const char *text);

/* Which kind of encrypted it is: the kind in a word ("mail", "archive", "document"), or what stands
 * behind "Heuristics.Encrypted." in libclamav's name. */
enum unscannable_reason verdict_encrypted(const char *what);

/* What a signature of that name is called in a result: one word of printable ASCII. */
void verdict_name(char to[SCAN_NAME_BYTES], const char *virus);

/* Copies `from`, cut to `size`, each byte outside 0x20..0x7e as '?'. */
void verdict_printable(char *to, size_t size, const char *from);

/* What a child says it found, into `result` (verdict, reason, name, readings and cpu_ns; nothing
 * else is taken): whoever has taken a child over can say what it likes of its own message, but only
 * in the words there are. A virus name that is none becomes "unknown", and stays infected. */
void verdict_take_word(const struct scan_result *word, struct scan_result *result);

#endif
