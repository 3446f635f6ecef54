/* source.h: ClamAV's signature files, read into what the compiler needs to know of them.
 *
 * source_read() takes what cl_load() would take (one file, or a directory of .ndb .ldb .hdb .hsb
 * .mdb .msb .cdb .pdb .wdb .fp .sfp .ign .ign2 .ftm .yar .yara .cbc .cvd .cld .cud and their "u"
 * forms) and calls the sink for each thing found. It never rejects a signature it does not
 * understand: such a one comes with an expression that is always true, and a reason. A file that
 * cannot be read or unpacked is an error: the prefilter must know everything the engine knows.
 *
 * Sources of the syntax: ClamAV's signature-writing manual and libclamav's readdb.c, matcher-ac.c,
 * matcher-pcre.c, matcher-byte-comp.c, yara_*.
 *
 * Threads: any, one reader each. Memory: everything given to the sink is borrowed for the call.
 * Limits: a signature line of SOURCE_LINE_MAX, containers of SOURCE_UNPACKED_MAX. Not hot.
 */
#ifndef SIGNATURES_READ_SOURCE_H
#define SIGNATURES_READ_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"
#include "platform/why.h"
#include "signatures/read/expression.h"

#define SOURCE_LINE_MAX     (1u << 20)
#define SOURCE_UNPACKED_MAX (UINT64_C(4) << 30)

/* A body signature (.ndb .ldb .yar .cbc): anything matched against bytes. */
struct source_signature {
    const char *name; /* as libclamav reports it, ".UNOFFICIAL" not added */
    const char *file; /* base name of the file (inside its container) */
    unsigned line;    /* from 1 */
    unsigned target;  /* ClamAV's Target: 0 any, 1 PE, 2 OLE2, 3 HTML, 4 mail, 5 graphics, ... */
    bool container_never; /* Container: or Intermediates: names a type that no mail the prefilter
                             settles contains (ZIP, PDF, PE, ...): the signature cannot match there
                           */
    bool image_fuzzy;     /* has a fuzzy image hash subsignature */
    const struct expression *necessary; /* what must occur in a buffer for it to match */
    const char *doubt;                  /* why `necessary` is weaker than it could be, or null */
};

struct source_hash {
    const char *name;
    uint8_t digest[32]; /* 16, 20 or 32 bytes used */
    unsigned digest_bytes;
    bool any_size;
    uint64_t size;
};

/* A container metadata rule (.cdb) that can apply to the parts of a mail. */
struct source_name_rule {
    const char *name;
    const char *pattern; /* POSIX extended regular expression over the file name as it stands in the
                            .cdb: a leading "(?i)" makes it caseless; null: any */
    const char *file;
    unsigned line;
};

/* A line of a file-type table: see the .ftm chapter. `expression` for types found anywhere. */
struct source_type {
    bool anywhere;   /* magic type 1: searched in the whole buffer */
    uint32_t offset; /* when not anywhere */
    const uint8_t *magic;
    uint32_t magic_length;
    const struct expression *necessary; /* when anywhere */
    const char *type;                   /* "CL_TYPE_PDF": what it is recognised as */
    const char *needed;                 /* the type it must have so far: "CL_TYPE_ANY", ... */
    const char *line;                   /* as it stands in the table: what types.h takes */
};

struct source_sink {
    void *context;
    void (*signature)(void *context, const struct source_signature *signature);
    void (*hash)(void *context, const struct source_hash *hash);
    void (*name_rule)(void *context, const struct source_name_rule *rule);
    void (*type)(void *context,
                 const struct source_type *type); /* the database has its own table */
    /* A host or a regular expression over the URLs; ".*" where any URL may be listed. */
    void (*phishing_domain)(void *context, const char *domain, bool regular_expression);
    void (*ignored)(void *context, const char *name);
    void (*counted)(void *context, const char *file, const char *kind,
                    uint64_t count); /* .fp, .wdb,
.mdb, ...: read, of no consequence to a prefilter, for the report */
};

/* Reads `path` (file or directory). On an error `why` gets one line that names file and reason:
 * STATUS_NOT_FOUND, STATUS_BAD_FORMAT, STATUS_NO_MEMORY, STATUS_SYSTEM. */
enum status source_read(const char *path, const struct source_sink *sink,
                        struct why *why) STATUS_CHECKED;

/* Whether `word` (of 2 to 64 bytes) stands anywhere in the text of what cl_load() would take from
 * `path`, and be it in a comment. For what a signature has to name to use it. Nothing is parsed:
 * the cost is that of unpacking the containers. Errors as of source_read(). */
enum status source_mentions(const char *path, const char *word, bool *mentioned,
                            struct why *why) STATUS_CHECKED;

#endif
