/* mail_file.h: a file as the message the appliance would have made of it.
 *
 * A file that begins with a header field (RFC 5322) is a mail; so is one that begins with an mbox
 * separator ("From ", which is dropped; only the first mail of an mbox is one, the rest is its
 * body). It is stored as SMTP would have: our Received field in front, each LF a CRLF when the file
 * has no CRLF at all, and a CRLF at its end. Any other file is stored byte for byte.
 *
 * Threads: one. Memory: the buffer is kept from file to file; mail_file_free(). Limits:
 * `limit_bytes` of message without the trace field (STATUS_NO_SPACE).
 */
#ifndef DATAPLANE_OFFLINE_MAIL_FILE_H
#define DATAPLANE_OFFLINE_MAIL_FILE_H

#include "dataplane/message/store.h"

enum mail_file_kind { MAIL_FILE_OTHER, MAIL_FILE_MESSAGE };

struct mail_file {
    uint8_t *bytes; /* of the file */
    size_t size;
    size_t room;
    size_t begin; /* of what is stored: after an mbox separator */
    enum mail_file_kind kind;
    bool line_feeds; /* a mail without a CRLF: line ends are converted */
};

/* Reads `path`. STATUS_SYSTEM with errno, STATUS_NO_SPACE when the message would be longer than
 * `limit_bytes` (kind is set), STATUS_NO_MEMORY. */
enum status mail_file_read(struct mail_file *file, const char *path,
                           uint64_t limit_bytes) STATUS_CHECKED;

/* Bytes the message will have, without the trace field. */
uint64_t mail_file_message_bytes(const struct mail_file *file);

/* Writes it into `message`, which is new. `hostname` goes into the Received field. STATUS_NO_SPACE
 * when the store has too few blocks left just now. */
enum status mail_file_store(const struct mail_file *file, struct store *store,
                            struct message *message, const char *hostname,
                            int64_t wall_seconds) STATUS_CHECKED;

void mail_file_free(struct mail_file *file);

#endif
