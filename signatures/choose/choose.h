/* choose.h: which fragments are looked for in place of a signature.
 *
 * Given a necessary formula (expression.h), gives groups of leaves such that wherever the formula
 * holds, all leaves of at least one group occur. That is the one thing that must never fail; among
 * the groups that satisfy it, those that the model calls rare are taken.
 *
 *   text    (RAW, TEXT, HTML) a leaf is h() of bytes that follow each other in the formula's runs,
 *           or such bytes themselves when one of them is odd and none is white space
 *   binary  (BINARY, IMAGE)   a leaf is bytes that follow each other
 *
 * A run of bytes with more values than their two cases ends where such a byte stands. Of AND the
 * rarest child is enough; while the chance of a hit is above CHOOSE_RATE_GOOD, more leaves (of the
 * same run or of other children) join the group. OR needs a group for every alternative.
 *
 * Threads: one chooser, one thread. Memory: the chooser's; a choice is valid until the next.
 */
#ifndef SIGNATURES_CHOOSE_CHOOSE_H
#define SIGNATURES_CHOOSE_CHOOSE_H

#include "signatures/choose/model.h"
#include "signatures/draft/draft.h"
#include "signatures/read/expression.h"

#define CHOOSE_FRAGMENT_MIN  3u    /* bytes */
#define CHOOSE_FRAGMENT_GOOD 12u   /* longer ones are taken only when these are weak */
#define CHOOSE_GROUPS_MAX    1024u /* more alternatives: always */
#define CHOOSE_PRODUCT_MAX   64u   /* groups that combining may make */
#define CHOOSE_RUN_MAX       16384u
#define CHOOSE_STARTS_MAX    4u
#define CHOOSE_START_BYTES   8u
#define CHOOSE_RATE_POOR     1e-4 /* of messages: then a fixed beginning is better */
#define CHOOSE_RATE_GOOD     1e-6 /* of messages */

struct choice_leaf {
    struct draft_leaf leaf;
    double rate; /* the chance that it occurs in a message */
};

struct choice_group {
    unsigned count;
    struct choice_leaf leaves[PREFILTER_GROUP_LEAVES];
};

/* What a buffer begins with. In text there is an odd byte or a capital letter among it, so that no
 * normalised text begins so. */
struct choice_start {
    unsigned length;
    uint8_t bytes[CHOOSE_START_BYTES];
};

/* What stands for a formula in one kind of domain. Neither `always` nor groups: it cannot match
 * there. */
struct choice {
    bool always;
    const char *reason; /* of `always`; fixed text */
    struct choice_group *groups;
    unsigned count;
    double rate; /* the chance that a group fires, as far as the model knows */
    /* When there is nothing better: the buffer begins with one of these. Then `always` is false and
     * there are no groups. */
    unsigned start_count;
    struct choice_start starts[CHOOSE_STARTS_MAX];
};

struct chooser;

/* `model` is borrowed. Null: no memory. */
struct chooser *chooser_create(const struct model *model);
void chooser_destroy(struct chooser *chooser);

/* A leaf occurred in `rate` of the messages of a corpus: it, and what is contained in it, is never
 * taken to be rarer. STATUS_NO_MEMORY. */
enum status chooser_measured(struct chooser *chooser, const struct draft_leaf *leaf,
                             double rate) STATUS_CHECKED;

/* Chooses for text or for binary domains. STATUS_NO_MEMORY. `*choice` is the chooser's, valid until
 * the next call. */
enum status chooser_choose(struct chooser *chooser, const struct expression *necessary, bool text,
                           struct choice *choice) STATUS_CHECKED;

#endif
