/* read.h: what the readers of the formats share (reader.c); private to this library.
 *
 * A format is a function that takes an input to its end and gives the sink what it finds. The input
 * is a file or a member of a container, read forward only. Lines are cut as libclamav cuts them
 * (at '\n', then CR and LF chomped from the end).
 *
 * The rule for doubtful lines: where libclamav's reading of a line is not certain (longer than its
 * buffer, a NUL inside, syntax not understood) the signature is given as always true, with the
 * reason; the arena is reset after each signature, so expressions live for one call of the sink.
 */
#ifndef SIGNATURES_READ_READ_H
#define SIGNATURES_READ_READ_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "platform/why.h"
#include "signatures/read/expression.h"
#include "signatures/read/source.h"

/* libclamav's own line buffers: a longer line it takes as two. */
#define READ_LINE_PLAIN    8191u
#define READ_LINE_LOGICAL  32768u
#define READ_LINE_BYTECODE SOURCE_LINE_MAX /* it has the length in its header */

struct read_input {
    /* Up to `size` bytes into `buffer`; 0: the end; -1: an error, and the reader's `why` is set. */
    ssize_t (*take)(void *context, uint8_t *buffer, size_t size);
    void *context;
};

struct reader {
    const struct source_sink *sink;
    /* For members of containers: whether libclamav loads a file of that name, and what reads it. */
    bool (*loads)(const char *name);
    enum status (*content)(struct reader *reader, struct read_input *input, const char *name);
    struct expression_arena *arena;
    char *line;           /* SOURCE_LINE_MAX + 1 bytes */
    const char *path;     /* what the user named or the directory's entry, for errors */
    const char *file;     /* base name, for signatures */
    unsigned line_number; /* of the line last read */
    unsigned line_max;    /* what libclamav's buffer holds for this format */
    uint64_t count;       /* of things of no consequence, for the report */
    int descriptor;       /* of the file, or of the container */
    bool inside_container;
    uint64_t unpacked;  /* bytes taken out of containers so far */
    enum status status; /* the first error of the sink's side of things: no memory */
    struct why *why;
    /* YARA: names of all rules; of those whose strings a rule without any may have got. */
    struct yara_names *yara_names;
    struct yara_names *yara_before;
    /* Lines */
    struct read_input *input;
    uint8_t buffer[65536];
    size_t buffer_at;
    size_t buffer_end;
    bool at_end;
};

typedef enum status (*read_format)(struct reader *reader);

/* source.c: gives `content` each file that libclamav would load from `path` (a file or a
 * directory), until it fails; those of a container by read_container(). */
enum status read_path(struct reader *reader, const char *path) STATUS_CHECKED;
/* Whether libclamav loads a file of that name. */
bool read_loads(const char *name);

/* Says why and returns `status`. */
enum status read_fail(struct reader *reader, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4))) STATUS_CHECKED;

enum read_line {
    READ_LINE, /* reader->line, NUL-terminated, chomped */
    READ_ODD,  /* the same, but libclamav may read it differently: see `doubt` */
    READ_END,
    READ_ERROR,
};
enum read_line read_line(struct reader *reader, const char **doubt);

/* The whole input in memory, at most `max` bytes; a NUL is added. The caller frees. */
enum status read_all(struct reader *reader, size_t max, char **text, size_t *length) STATUS_CHECKED;

/* Fills in file and line, gives the signature to the sink and resets the arena. A null `necessary`
 * means memory ran out. */
void read_emit(struct reader *reader, struct source_signature *signature);

/* A line that is not understood: always true. */
void read_emit_doubtful(struct reader *reader, const char *name, const char *doubt);

/* A signature whose highest functionality level is below this is for no library this product links
 * (1.0 has 160): such ones are counted. */
#define READ_LEVEL_OLD 150u
bool read_is_old(const char *level_max);
void read_emit_old(struct reader *reader);

/* What was read and is of no consequence. */
void read_emit_count(struct reader *reader, const char *kind);

/* Splits `text` at `delimiter` in place into at most `max` fields; the number of fields, which may
 * be more than `max` (those are not stored). */
unsigned read_split(char *text, char delimiter, char **fields, unsigned max);

/* A decimal number without anything else, saturated; false when it is not one or is empty. */
bool read_number(const char *text, uint64_t *number);

/* body.c: a hex pattern. */
#define BODY_CASELESS 1u
#define BODY_WIDE     2u /* every byte followed by 00 */
#define BODY_START    4u /* at offset 0 */
struct expression *body_read(struct expression_arena *arena, const char *pattern, size_t length,
                             unsigned options, const char **doubt);

/* regex.c: what every match of a PCRE or YARA regular expression contains. */
#define REGEX_CASELESS 1u
#define REGEX_EXTENDED 2u /* white space and comments are not matched */
struct expression *regex_read(struct expression_arena *arena, const char *pattern, size_t length,
                              unsigned options, const char **doubt);

/* Decodes pairs of hex digits; the number of bytes, or -1 for anything else or more than `max`. */
ssize_t read_hex(const char *text, uint8_t *bytes, size_t max);

/* The next line that is neither empty nor a comment; odd ones are given as doubtful on the way.
 * False at the end; then `status`. */
bool read_next(struct reader *reader, enum status *status);

/* The formats. */
enum status read_ndb(struct reader *reader);
enum status read_db(struct reader *reader);
enum status read_ldb(struct reader *reader);
enum status read_hashes(struct reader *reader);
enum status read_ioc(struct reader *reader);
enum status read_cdb(struct reader *reader);
enum status read_pdb(struct reader *reader);
enum status read_ign(struct reader *reader);
enum status read_ftm(struct reader *reader);
enum status read_cfg(struct reader *reader);
enum status read_cbc(struct reader *reader);
enum status read_yara(struct reader *reader);
enum status read_container(struct reader *reader);
enum status read_allowed(struct reader *reader);      /* .fp .sfp .wdb: only take away */
enum status read_sections(struct reader *reader);     /* .mdb .msb .imp: of PE files */
enum status read_archive(struct reader *reader);      /* .zmd .rmd: names in archives */
enum status read_icons(struct reader *reader);        /* .idb: of PE files */
enum status read_certificates(struct reader *reader); /* .crb .cat: of PE files */
enum status read_passwords(struct reader *reader);    /* .pwdb: of archives and documents */
enum status read_information(struct reader *reader);  /* .info */

/* yara.c: at the end of everything. */
void yara_finish(struct reader *reader);

/* Is this a type (CL_TYPE_...) of files that are containers or documents, which no part of a mail
 * that the prefilter settles has, nor anything around one? */
bool read_type_never(const char *type);

/* logical.c: one line of the .ldb form; also what a bytecode has as its trigger. The line is cut
 * up. */
void logical_read(struct reader *reader, char *line);

#endif
