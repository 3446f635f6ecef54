/* mail.h: files as messages, in the form in which the appliance would scan them.
 *
 * As `postern scan` does it (dataplane/offline/mail_file.h): a mail gets CRLF line ends and a
 * Received field in front. A file that does not begin with a header field is made one with an empty
 * header, so that everything tried is a mail. Files whose name ends in ".message" are taken as they
 * are: those are the oracle's own findings.
 *
 * Threads: one. Memory: mails_free().
 */
#ifndef TESTS_ORACLE_MAIL_H
#define TESTS_ORACLE_MAIL_H

#include <stdbool.h>

#include "tests/oracle/bytes.h"

struct mail {
    char *path;
    struct bytes message;
};

struct mails {
    struct mail *entries;
    size_t count;
    size_t room;
};

/* Reads one file into `message`. */
bool mail_read(const char *path, struct bytes *message);

/* Adds every file at or below `path` that is at most `bytes_max` long; false when `path` could not
 * be read or memory has run out. */
bool mails_add(struct mails *mails, const char *path, size_t bytes_max);

/* Adds a copy of a message that has no file. */
void mails_add_message(struct mails *mails, const char *name, const struct bytes *message);
void mails_free(struct mails *mails);

/* The appliance's Received field. */
void mail_trace(struct bytes *message);

#endif
