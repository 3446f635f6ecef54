/* Reads signatures from text and keeps what the sink was given, for tests. */
#ifndef TESTS_UNIT_READ_COLLECT_H
#define TESTS_UNIT_READ_COLLECT_H

#include <stddef.h>

#include "platform/why.h"
#include "signatures/read/source.h"

#define COLLECT_MAX 256u

struct collected_signature {
    char name[64];
    char formula[4096];
    char doubt[96]; /* "": none */
    char file[64];
    unsigned line;
    unsigned target;
    bool container_never;
    bool image_fuzzy;
};

struct collected_hash {
    char name[64];
    struct source_hash hash;
};

struct collected_type {
    struct source_type type; /* the pointers are not valid any more */
    char magic[256];         /* hex, or the formula */
    char name[64];
    char needed[64];
    char line[256];
};

struct collection {
    struct collected_signature signatures[COLLECT_MAX];
    unsigned signature_count;
    struct collected_hash hashes[COLLECT_MAX];
    unsigned hash_count;
    struct collected_type types[COLLECT_MAX];
    unsigned type_count;
    char text[8192]; /* name rules, domains, ignored names, counts: a line each */
    enum status status;
    struct why why;
};

/* The sink that fills `collection`. */
struct source_sink collect_sink(struct collection *collection);

/* What reading a file of this name with this content gives; the caller frees with free(). */
struct collection *collect_bytes(const char *name, const void *bytes, size_t length);
struct collection *collect_text(const char *name, const char *text);

/* The formula of the one signature in a one-line .ndb with this pattern. */
void expect_pattern(const char *pattern, const char *formula);

/* The formula of the one signature that a file of this name with this content has. */
void expect_formula(const char *name, const char *text, const char *formula);

#endif
