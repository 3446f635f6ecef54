/* type.h: what libclamav would take a part's bytes for, by its own tables.
 *
 * Follows filetypes.c (cli_determine_fmap_type, cli_compare_ftm_file, is_tar, the text and HTML
 * guesses) over the first TYPE_LOOK bytes of a stored part: type_of(). It answers with a class:
 * what the prefilter does with such a part. Whenever the library would look further than this does,
 * or the answer could depend on anything else, the class is PREFILTER_CLASS_ESCALATE; that includes
 * the one heuristic it runs over unknown binary data (special.c, cli_check_mydoom_log).
 *
 * While it matches the whole of a part (and of the message itself) libclamav looks for the tables'
 * patterns again, and what it finds changes the scan: an archive inside, HTML further down in a
 * text or a GIF, a mail inside a text, a disk image (scanners.c, scanraw). Patterns with a literal
 * that Hyperscan can find are groups of kind PREFILTER_TYPE in the databases; all others (too
 * short, ordinary in a message's own header, or counted from the end) are the business of a
 * type_watch, which every such byte string must be given from its first to its last byte:
 *
 *   the message as it came   type_watch_begin(watch, table, PREFILTER_RAW, NULL)
 *   a part, as stored        ... the domain of its class (TEXT, BINARY, IMAGE), its type
 *
 * HTML parts and ignored parts are not watched: libclamav does not match them as they are.
 *
 * Threads: any; prefilter and table are read-only, a watch belongs to one thread. Memory: the table
 * is made once for a prefilter (about 70 KiB); the structs. Hot path: all but making the table: no
 * heap; linear in the bytes and the patterns.
 */
#ifndef SIGNATURES_CONTENT_TYPE_TYPE_H
#define SIGNATURES_CONTENT_TYPE_TYPE_H

#include "signatures/prefilter/prefilter.h"

#define TYPE_LOOK         1024u /* MAGIC_BUFFER_SIZE of libclamav */
#define TYPE_PATTERNS_MAX 128u  /* with more of them in the table every part is escalated */
#define TYPE_SEGMENT_MAX                                                                          \
    64u                       /* bytes of a pattern's part between two gaps; the rest of a longer \
                                 one is not looked at */
#define TYPE_ANCHORS_FEW 4u   /* bytes that are looked for at once */
#define TYPE_END_MAX     512u /* bytes from the end that END magics may reach */

/* The file-type table of a prefilter, ready to be searched. */
struct type_table;

/* Not hot. The prefilter is borrowed and must outlive the table. STATUS_NO_MEMORY. */
enum status type_table_create(struct type_table **table,
                              const struct prefilter *prefilter) STATUS_CHECKED;
void type_table_destroy(struct type_table *table);

struct part_type {
    enum prefilter_type_class class;
    const char *name; /* "CL_TYPE_PDF"; points into the prefilter or is constant */
};

/* `bytes` are the first `length` of the stored part; `whole` when they are all of it, else length
 * is TYPE_LOOK. A part of at most 5 bytes is CL_TYPE_IGNORED, as in cli_magic_scan(). */
struct part_type type_of(const struct type_table *table, const uint8_t *bytes, size_t length,
                         bool whole);

/* One pattern that is being looked for: its segment in hand. */
struct type_seek {
    const struct prefilter_magic *magic;
    const uint8_t *value; /* of the segment */
    const uint8_t *mask;
    uint64_t earliest; /* offset at which the segment may begin */
    uint64_t latest;   /* offset at which its anchor may be */
    uint16_t after;    /* where the pattern goes on behind the segment */
    uint8_t length;    /* of the segment */
    uint8_t anchor;    /* index in it of a byte that is given */
    int8_t probe;      /* from the anchor to a neighbour of it, that is looked at first */
    uint8_t probe_value;
    uint8_t probe_mask;
    uint8_t next; /* the next seek with the same anchor byte, plus one; 0: none */
    bool first;
};

/* The fields are watch.c's own. Beginning one copies what is before `hold`. */
struct type_watch {
    const struct prefilter *prefilter;
    const struct prefilter_magic *found; /* null as long as there is nothing to tell */
    const struct prefilter_magic *html;
    uint64_t length; /* bytes seen */
    uint64_t done;   /* anchors before this offset have been looked at */
    uint32_t bits;
    uint32_t ends_from; /* of the table's lines those with an END magic that matters are in here */
    uint32_t ends_to;
    unsigned seek_count;
    unsigned anchor_count;             /* different anchor bytes in use */
    uint8_t anchors[TYPE_ANCHORS_FEW]; /* they, when there are no more */
    bool has_end;
    bool overflow;
    bool all;           /* type_of(): goes on after HTML */
    uint8_t first[256]; /* by anchor byte: seek plus one */
    struct type_seek seeks[TYPE_PATTERNS_MAX];
    uint8_t hold[2 * TYPE_SEGMENT_MAX]; /* the last bytes */
    uint8_t tail[TYPE_END_MAX];         /* a ring, by offset */
};

/* Starts a byte string of `domain` (one of PREFILTER_RAW, TEXT, IMAGE, BINARY); `type` as type_of()
 * said, null for PREFILTER_RAW. */
void type_watch_begin(struct type_watch *watch, const struct type_table *table, uint32_t domain,
                      const struct part_type *type);

/* Takes the next bytes. The name of the type that libclamav might find ("CL_TYPE_MAIL": the part
 * must go to a full scan, and nothing else in it matters), or null. */
const char *type_watch_feed(struct type_watch *watch, const uint8_t *bytes, size_t length);

/* The byte string ends here. As above. */
const char *type_watch_end(struct type_watch *watch);

/* File names. Container metadata rules (.cdb) are not matched against a part's name as it is in the
 * mail but as blob.c cleans it (sanitiseName): whatever is not a letter of ASCII, a digit, '.' or
 * '_' is '_'. A part without a name has one of those that libclamav makes up (mbox.c, message.c).
 * So the rules must be tried on every named part's cleaned name, and once on all of
 * type_made_names. Nothing else depends on a name: no type, no parser. */

#define TYPE_MADE_NAMES 6u

extern const char *const type_made_names[TYPE_MADE_NAMES];

/* Writes the cleaned name (`length` bytes) to `to`, which may be `name`. */
void type_clean_name(const uint8_t *name, size_t length, uint8_t *to);

#endif
