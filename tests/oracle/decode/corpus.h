/* corpus.h: real mails, taken apart by the MIME parser.
 *
 * A file becomes what the appliance would scan: a Received field in front, CRLF line ends (and no
 * mbox separator).
 *
 * Threads: one. Memory: made_free(), and corpus_free().
 */
#ifndef TESTS_ORACLE_DECODE_CORPUS_H
#define TESTS_ORACLE_DECODE_CORPUS_H

#include "tests/oracle/decode/make.h"

struct corpus {
    char **paths;
    size_t count;
    size_t room;
};

/* Adds every file at or below `path`. */
void corpus_add(struct corpus *corpus, const char *path);
void corpus_free(struct corpus *corpus);

/* Reads and parses; the parser's gate says whether the parts are all there. False when the file
 * cannot be read. */
bool corpus_read(const char *path, struct made_mail *mail, enum mime_gate *gate);

/* Parses the mail's text; replaces the parts. */
enum mime_gate corpus_parse(struct made_mail *mail);

#endif
