/* notice.h: what control says on standard error: one plain line an event in its life (linked, link
 * lost, a route down or up, a reload), never one a message; the dataplane logs those.
 *
 * Control bytes in the text (a server's words may be part of it) are shown as '?': no forged lines.
 *
 * Threads: any. No state.
 */
#ifndef CONTROL_RELAY_NOTICE_H
#define CONTROL_RELAY_NOTICE_H

/* Writes "postern-control: TEXT\n", cut at 1 KiB. */
void notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
