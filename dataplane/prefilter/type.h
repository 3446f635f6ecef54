/* type.h: what libclamav would take a part's bytes for, by its own tables.
 *
 * Follows filetypes.c (cli_determine_fmap_type, cli_compare_ftm_file, is_tar, the text and HTML
 * guesses) over the first TYPE_LOOK bytes of a stored part. It answers with a class: what the
 * prefilter does with such a part. Whenever the library would look further than this does, or the
 * answer could depend on anything else (a later re-typing), the class is PREFILTER_CLASS_ESCALATE.
 * Patterns that are searched in the whole buffer are groups of kind PREFILTER_TYPE in the Hyperscan
 * databases.
 *
 * Threads: any; state is read-only. Hot path: no heap; linear in TYPE_LOOK and the table.
 */
#ifndef DATAPLANE_PREFILTER_TYPE_H
#define DATAPLANE_PREFILTER_TYPE_H

#include "signatures/prefilter/prefilter.h"

#define TYPE_LOOK 1024u /* MAGIC_BUFFER_SIZE of libclamav */

struct part_type {
    enum prefilter_type_class class;
    const char *name; /* "CL_TYPE_PDF"; points into the prefilter or is constant */
};

/* `bytes` are the first `length` of the stored part; `whole` when they are all of it, else length
 * is TYPE_LOOK. A part of at most 5 bytes is CL_TYPE_IGNORED, as in cli_magic_scan(). */
struct part_type type_of(const struct prefilter *prefilter, const uint8_t *bytes, size_t length,
                         bool whole);

#endif
