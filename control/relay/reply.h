/* reply.h: reading what an SMTP server answers (RFC 5321, section 4.2), a byte at a time if need
 * be.
 *
 * Feed it bytes as they come; it stops exactly at the end of one reply, so that several pipelined
 * replies in one packet are taken one by one. Strict where a guess could turn a refusal into an
 * acceptance (three digits, first 2 to 5, the same on each line, then space, hyphen or the end of
 * the line); lenient where nothing hangs on it (a bare LF ends a line, the text may be anything).
 *
 * Limits: REPLY_BYTES_MAX and REPLY_LINES_MAX a reply (then REPLY_BAD). The text kept is cut to
 * RELAY_TEXT_BYTES, lines separated by '\n', bytes outside printable ASCII shown as '?'.
 *
 * Threads: any, no shared state. Memory: none allocated; 1.5 KiB of state.
 */
#ifndef CONTROL_RELAY_REPLY_H
#define CONTROL_RELAY_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/link/channel.h"

#define REPLY_BYTES_MAX 65536u /* RFC 5321 asks for 512 a line */
#define REPLY_LINES_MAX 1000u
#define REPLY_LINE_KEPT 1024u /* of each line; the rest is counted and dropped */

enum reply_progress {
    REPLY_MORE, /* wants more bytes */
    REPLY_DONE, /* `code` and `text` are the reply */
    REPLY_BAD,  /* not SMTP, or over a limit: the connection is of no further use */
};

/* What EHLO's answer offers. */
struct reply_offers {
    bool pipelining; /* RFC 2920 */
    bool size;       /* RFC 1870 */
    bool eight_bit;  /* RFC 6152 */
};

struct reply {
    unsigned code; /* of the lines so far; 0 before the first */
    size_t text_length;
    char text[RELAY_TEXT_BYTES];
    struct reply_offers offers; /* read off each line after the first; of use after EHLO only */
    uint32_t bytes;
    uint32_t lines;
    uint32_t line_length; /* of the line being read, all of it */
    char line[REPLY_LINE_KEPT];
};

/* Ready for the first byte of a reply. */
void reply_start(struct reply *reply);

/* Takes bytes up to the end of the reply; *used is how many. */
enum reply_progress reply_feed(struct reply *reply, const char *bytes, size_t length, size_t *used);

/* The code speaks of us, not of this mail or its recipients: authentication or encryption wanted
 * (530, 534, 535, 538), a host that takes no mail (521), a command or an order of commands it does
 * not have (502, 503, 504). A setting is wrong, here or there; the mail is not to blame. */
bool reply_about_us(unsigned code);

/* What a sender hears of such a reply, with 451: writes `to`, and returns it. */
const char *reply_about_us_text(unsigned code, const char *text, char to[RELAY_TEXT_BYTES]);

/* Length of the enhanced status code ("5.1.1", RFC 3463) that `text` starts with and that agrees
 * with `code`; 0 when there is none. */
size_t reply_enhanced_code(unsigned code, const char *text);

#endif
