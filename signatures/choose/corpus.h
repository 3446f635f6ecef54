/* corpus.h: mail that shows which fragments are frequent.
 *
 * Files (or all regular files below directories), each taken to be one mail as it was received.
 * Used twice: its text teaches the model, and a compiled draft is tried on it. It is looked at
 * roughly, not as the dataplane does: the mail as a whole, quoted-printable undone, and every block
 * of base64 decoded, which is text or not by its looks. Nothing here decides what is sound.
 *
 * Threads: one. Memory: the list of paths, and one mail at a time (at most CORPUS_MAIL_MAX bytes of
 * it are looked at).
 */
#ifndef SIGNATURES_CHOOSE_CORPUS_H
#define SIGNATURES_CHOOSE_CORPUS_H

#include "platform/why.h"
#include "signatures/choose/model.h"
#include "signatures/draft/draft.h"

#define CORPUS_MAIL_MAX  (16u << 20)
#define CORPUS_LEARN_MAX (UINT64_C(64) << 20) /* bytes that the model counts */
#define CORPUS_FILES_MAX 10000000u
#define CORPUS_DEPTH_MAX 64u

struct corpus {
    char **paths;
    size_t count, room;
};

/* Zeroes are an empty corpus. Adds a file or what lies below a directory. STATUS_NOT_FOUND,
 * STATUS_SYSTEM, STATUS_NO_MEMORY, STATUS_NO_SPACE; `why` gets one line. */
enum status corpus_add(struct corpus *corpus, const char *path, struct why *why) STATUS_CHECKED;
void corpus_free(struct corpus *corpus);

/* Reads a mail into `buffer` of CORPUS_MAIL_MAX bytes; 0 when it cannot be read. */
size_t corpus_read(const char *path, uint8_t *buffer);

/* Teaches the model. Files that cannot be read any more are left out. STATUS_NO_MEMORY. */
enum status corpus_learn(const struct corpus *corpus, struct model *model) STATUS_CHECKED;

/* In how many mails. */
struct corpus_counts {
    uint64_t messages;
    uint64_t bytes;
    uint64_t hits;        /* a group, any */
    uint32_t *leaves;     /* by leaf of the draft: it was found */
    uint32_t *groups;     /* by group: all of it was found */
    uint32_t *signatures; /* by signature: any of its groups */
};

/* Tries a compiled draft. STATUS_NO_MEMORY. Free with corpus_counts_free(). */
enum status corpus_measure(const struct corpus *corpus, const struct draft *draft,
                           struct corpus_counts *counts) STATUS_CHECKED;
void corpus_counts_free(struct corpus_counts *counts);

#endif
