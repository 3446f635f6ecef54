/* types.h: from a line of ClamAV's file-type table to what the prefilter does about it.
 *
 * Lines come from the database's .ftm or, without one, from `postern-scanner --describe`, which
 * prints the table built into the loaded library:
 *
 *   magictype:offset:hex:name:needed type:type[:lowest flevel[:highest flevel]]
 *
 * Every line in force becomes one struct prefilter_magic, which decides types of parts from their
 * first 1,024 bytes (signatures/content/type/type.h). A pattern (magic type 1) that also matters
 * deep inside a buffer, where libclamav would start another parser, is besides either a group of
 * kind PREFILTER_TYPE (when it has a literal worth searching in all those domains) or watched by
 * type.h.
 *
 * What matters where is read from scanners.c (scanraw) and matcher-ac.c (cli_ac_scanbuff):
 *
 *   archives (ZIPSFX RARSFX 7ZSFX CABSFX ARJSFX EGGSFX),
 *     disk images (DMG ISO9660 UDF MBR)             any buffer but HTML's, the message itself too
 *   MHTML, XDP, XML_WORD, XML_XL, XML_HWP           text and unknown binary; not at offset 0
 *   MAIL                                            ASCII text
 *   HTML                                            ASCII text and GIF
 *   NULSFT, AUTOIT, ISHIELD_MSI, MSEXE              only inside executables, ZIP and OLE2: nowhere
 *   PDF and all others                              the first 1,024 bytes only
 *   types not known here                            any buffer but HTML's
 *
 * A type that needs another than CL_TYPE_ANY so far is taken as if it needed none. Distances
 * between the segments of a pattern are taken as any; only the order counts.
 *
 * Not types, but noted here as the other thing that libclamav finds in parts without a body
 * signature: phishing links (phishcheck.c; mbox.c, checkURLs). Nothing is reported without a .pdb
 * or .gdb line in force: cloaking and SSL checks are off in signatures/scanner/engine.c. With one,
 * *every* text part of up to 100 KiB is read as HTML, text/plain too, and a link is reported when
 * what it displays (its text, tags left out; its title; in a form, href and src) has the listed
 * host and its target has another. Before that the displayed text is changed: bit 7 is cleared, %XX
 * is decoded,
 * '"', ';', '<', '>', "&lt", "&gt", controls and white space are dropped, the full stops of other
 * scripts become '.', letters are lowered. So no literal of the listed domain is necessary in what
 * was sent. What is: the attribute, whose name libclamav takes letter by letter, with nothing but
 * white space (and CR, NUL) to be left out, and a '=' behind it. "href" of <a> and <area>; inside a
 * form with "action" also "src" and "dynsrc" of other tags. Every part with these, as they are
 * squeezed, is sent on (collect.c), and what could hide them: see there. The Content-Type alone
 * makes a part text here, so one of another type by its bytes (unknown binary, an image) is
 * searched too (signatures/content/inspect/subject.c). S lines (hashed targets) make all text
 * doubtful.
 *
 * Threads: any. Memory: the caller's. Not hot.
 */
#ifndef SIGNATURES_COMPILE_TYPES_H
#define SIGNATURES_COMPILE_TYPES_H

#include "signatures/prefilter/prefilter.h"
#include "signatures/read/expression.h"

#define TYPES_NAME_BYTES   32u
#define TYPES_REASON_BYTES 96u

enum types_answer {
    TYPES_ENTRY,   /* `entry` is filled */
    TYPES_NOTHING, /* a comment, another flevel's, a partition's: nothing to do, `reason` says why
                    */
    TYPES_BAD, /* libclamav would not load it, or this reader does not understand it: no prefilter
                  can be made; `reason` */
};

struct types_entry {
    char type[TYPES_NAME_BYTES]; /* "CL_TYPE_PDF" */
    /* Complete but for magic, mask and type, which are offsets into the strings of the prefilter:
     * of `magic_bytes`, `mask_bytes` (magic.length bytes each) and `type`. */
    struct prefilter_magic magic;
    uint8_t magic_bytes[PREFILTER_MAGIC_MAX];
    uint8_t mask_bytes[PREFILTER_MAGIC_MAX];
    uint32_t group_domains;          /* not 0: make a group of types_necessary() in these domains */
    char reason[TYPES_REASON_BYTES]; /* for the report: why nothing, bad, or what is done */
};

/* Reads one line, without its line end. `flevel` is the library's (cl_retflevel(); `flevel N` of
 * --describe). `entry` is written in any case. */
enum types_answer types_read(const char *line, unsigned flevel, struct types_entry *entry);

/* What must occur for the pattern to match: AND of its segments' runs. Null when memory runs out.
 */
struct expression *types_necessary(const struct types_entry *entry, struct expression_arena *arena);

#endif
