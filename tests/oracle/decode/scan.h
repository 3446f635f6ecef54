/* scan.h: the unmodified libclamav, and the files it makes of a mail.
 *
 * Every layer the library scans is given to a call-back before it is looked at; those that came
 * straight out of the mail are kept, byte for byte.
 *
 * Threads: one. Memory: scan_close().
 */
#ifndef TESTS_ORACLE_DECODE_SCAN_H
#define TESTS_ORACLE_DECODE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan_file {
    char type[40];
    uint8_t *bytes;
    size_t length;
};

#define SCAN_FILES_MAX 1024u

struct scan_files {
    bool mail; /* taken for a mail at all */
    unsigned count;
    struct scan_file entries[SCAN_FILES_MAX];
};

struct scan;

/* Makes an engine with one signature of no account; null after saying why. */
struct scan *scan_open(void);
void scan_close(struct scan *scan);

/* Scans; false after saying why. The files are borrowed until the next scan. */
bool scan_mail(struct scan *scan, const uint8_t *mail, size_t length, struct scan_files **files);

#endif
