/* shortage.h: noticing that the process ran out of something while a message was being scanned.
 *
 * libclamav treats a failed allocation or a failed write of a temporary file inside one of its
 * unpackers as the end of that part, and goes on to call the message clean. Under the limits of a
 * sandbox that is a way past the scan: make the unpacker need more than it may have. So this
 * room stands in front of malloc(), calloc(), realloc(), mmap(), open() and write() for the whole
 * program, and remembers a refusal for want of memory, space or descriptors.
 *
 * Linking the object is what turns it on. Not in sanitizer builds, where those functions are the
 * sanitizer's own: there shortage_seen() is always null.
 * Threads: one; state is one word. Not hot.
 */
#ifndef SIGNATURES_SCANNER_SHORTAGE_H
#define SIGNATURES_SCANNER_SHORTAGE_H

void shortage_forget(void);

/* What was refused since shortage_forget(), as a fixed text; null when nothing was. */
const char *shortage_seen(void);

#endif
