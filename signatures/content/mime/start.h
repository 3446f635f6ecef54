/* start.h: what every message begins with.
 *
 * Our own Received field (RFC 5321 4.4) is the first field of whatever is scanned. The session
 * writes it (dataplane/smtp/received.c), the parser gates a message without it, and the compiler
 * leaves out what would match at a message's start and is something else: soundness hangs on all
 * three meaning the same bytes.
 */
#ifndef SIGNATURES_CONTENT_MIME_START_H
#define SIGNATURES_CONTENT_MIME_START_H

#define MIME_START       "Received: from "
#define MIME_START_BYTES (sizeof(MIME_START) - 1)

#endif
