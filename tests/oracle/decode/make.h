/* make.h: random mails inside the subset that the MIME parser vouches for, and what they are made
 * of, part by part as mime.h would say it.
 *
 * Bodies are chosen to hurt: empty lines, white space, ';', escapes, unusual base64 lines, with and
 * without a last line end. What mime.h gates is not made.
 *
 * Threads: one. Memory: made_free(). A mail follows from its number alone.
 */
#ifndef TESTS_ORACLE_DECODE_MAKE_H
#define TESTS_ORACLE_DECODE_MAKE_H

#include "signatures/content/mime/mime.h"

#define MADE_PARTS_MAX MIME_PARTS_MAX

struct made_text {
    uint8_t *bytes;
    size_t length;
    size_t room;
};

struct made_part {
    struct mime_part part;
    struct made_text body;
    bool scanned; /* libclamav looks at it: not so for all that is in a multipart/signed */
    bool forced;  /* and decodes it as base64 besides */
    char type[48];
    char name[16];
};

struct made_mail {
    struct made_text text;
    unsigned part_count;
    bool over; /* there are more, which are not kept: the parser has gated the mail */
    struct made_part parts[MADE_PARTS_MAX];
};

void make_mail(struct made_mail *mail, uint64_t number);
void made_free(struct made_mail *mail);

/* Also for other users of the same text. */
void made_append(struct made_text *text, const void *bytes, size_t length);

#endif
