/* internal.h: the seams inside the room of readings; nobody else includes it. */
#ifndef SIGNATURES_CONTENT_READINGS_INTERNAL_H
#define SIGNATURES_CONTENT_READINGS_INTERNAL_H

#include "signatures/content/open/open.h"
#include "signatures/content/readings/readings.h"
#include "signatures/content/readings/variants.h"

#define READINGS_NAMES_MAX 4u /* names of one entity that are kept */

/* A run of bytes of a text; borrowed. */
struct piece {
    const uint8_t *at;
    size_t length;
};

/* --- collection.c: what has come out, each byte string once. --- */

struct collected {
    struct piece bytes;
    uint8_t digest[32];
    char *type;
    char *name;
    bool opened;
    uint32_t next; /* of one hash, plus one; 0: the last */
};

struct text {
    struct piece bytes;
    unsigned depth;
    bool opened;
    uint8_t digest[32]; /* whatever its line ends */
};

struct readings {
    struct readings_limits limits;
    struct readings_report report;
    uint64_t work;
    struct opener opener; /* of what the engine does not open */
    bool opened;          /* what is looked at has been in such a thing */
    enum status end;      /* why it has ended early; STATUS_OK: it has not */
    struct collected *parts;
    unsigned part_room;
    uint32_t *table; /* by digest, plus one */
    uint32_t table_mask;
    uint8_t **buffers; /* what was decoded, to be freed */
    size_t buffer_count;
    size_t buffer_room;
    struct text *texts; /* that are mails or may be, still to be looked at from `text_next` on */
    size_t text_count;
    size_t text_room;
    size_t text_next;
};

/* Counts `bytes` looked at; false when it is to end. */
bool readings_work(struct readings *readings, size_t bytes);

/* It ends early, for the first of its reasons. Returns false. */
bool readings_stop(struct readings *readings, enum status why);

/* Adds a byte string; borrowed bytes must outlive the readings. False when it is to end. */
bool collection_add(struct readings *readings, struct piece bytes, const char *type,
                    const char *name);

/* Memory that lives as long as the readings; null, and the end, when there is none. Counts as
 * bytes that came out. */
uint8_t *collection_buffer(struct readings *readings, size_t size);

/* The last buffer is not needed: what is in it was there already. */
void collection_return(struct readings *readings, size_t size);

/* Adds a text to be looked at, if it was not yet, with these line ends or others. */
bool collection_text(struct readings *readings, struct piece bytes, unsigned depth);

/* --- text.c: lines and words. --- */

/* The line that starts there and ends before `end`: without its line end. *next: the one behind
 * it. */
struct piece line_at(const uint8_t *at, const uint8_t *end, const uint8_t **next);

/* Whether it has nothing but blanks. */
bool line_white(struct piece line);

/* Where `word`, in lower case, stands in `text` next from `at` on, whatever its case; or its end.
 */
const uint8_t *text_find(struct piece text, const uint8_t *at, const char *word);

/* A field's name and a colon, blanks before it or not (RFC 5322 4.5.8). */
bool line_is_field(struct piece line);

/* Whether what starts there may be a header that matters: one with a Content-... field. */
bool text_looks_header(struct piece text);

/* --- lines.c: where a text may be cut. --- */

#define LINES_NONE UINT32_MAX

/* A value that some field gives as a boundary, or that stands behind "--" before a header. */
struct boundary {
    struct piece value;
    uint32_t shorter; /* the longest other one that it starts with, or LINES_NONE */
    uint32_t next;    /* while cuts are paired: the next cut of it, or LINES_NONE */
    uint32_t exact;   /* the next one that is it alone, or with "--" behind it */
};

/* A line that some reader may take for a boundary. */
struct cut {
    const uint8_t *before; /* where what stands before it ends, without the line end between */
    const uint8_t *next;   /* the line behind it */
    uint32_t boundary;     /* the longest one behind its "--", or LINES_NONE */
    bool exact;
};

struct lines {
    struct cut *cuts;
    size_t cut_count;
    size_t cut_room;
    struct boundary *boundaries; /* in the order of their bytes */
    size_t boundary_count;
    size_t boundary_room;
    struct readings *readings;
};

/* False when it is to end. `lines` is to be freed whatever comes. */
bool lines_find(struct readings *readings, struct piece text, struct lines *lines);
void lines_free(struct lines *lines);

/* --- values.c: values of fields, as some reader takes them. --- */

#define VALUES_ROOM 256u

/* False: enough. */
typedef bool value_take(void *context, const uint8_t *value, size_t length);

/* Calls `take` with each value that an attribute may have whose name ends at `at`: quoted or not,
 * up to a blank or a semicolon, in pieces (RFC 2231), encoded. Longer values are not given. */
void values_find(struct piece text, const uint8_t *at, value_take *take, void *context);

/* --- entity.c: from a header on to where its body may end. --- */

/* `cut`: lines that may be boundaries are in it. False when it is to end. */
bool entity_read(struct readings *readings, struct piece entity, unsigned depth, bool cut);

/* --- leaf.c: what a body may be. --- */

#define LEAF_BASE64   1u
#define LEAF_QUOTED   2u
#define LEAF_UUENCODE 4u
#define LEAF_IDENTITY 8u

/* What is said of a body. */
struct leaf {
    struct piece body;
    unsigned encodings; /* LEAF_...: every one that anybody may take it to have */
    unsigned depth;
    unsigned type_count;
    unsigned name_count;
    char types[READINGS_NAMES_MAX][READINGS_TYPE_BYTES];
    char names[READINGS_NAMES_MAX][READINGS_NAME_BYTES];
};

bool leaf_read(struct readings *readings, const struct leaf *leaf);

#endif
