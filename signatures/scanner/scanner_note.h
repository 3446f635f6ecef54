/* scanner_note.h: one line of the scanner's parent on standard error, after the program's name.
 *
 * What the library says may be in it: anything but printable ASCII becomes a question mark.
 * Threads: the parent's one. No memory.
 */
#ifndef SIGNATURES_SCANNER_SCANNER_NOTE_H
#define SIGNATURES_SCANNER_SCANNER_NOTE_H

void scanner_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
