/* oracle.h: our HTML normal forms against those of the library, byte for byte.
 *
 * cases.c makes inputs (from seeds, from a grammar, around chunk borders), library.c lets libclamav
 * normalise them, main.c compares and makes a difference small. One seed and a case number make
 * the same input again.
 */
#ifndef TESTS_ORACLE_HTML_ORACLE_H
#define TESTS_ORACLE_HTML_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *at;
    size_t length;
    size_t room;
};

void bytes_add(struct bytes *bytes, const void *from, size_t length);
void bytes_text(struct bytes *bytes, const char *text);
void bytes_free(struct bytes *bytes);

struct random {
    uint64_t state;
};

/* Below `limit`, which is not 0. */
uint32_t random_below(struct random *random, uint32_t limit);

struct seeds {
    struct bytes *list;
    size_t count;
};

/* A file of seeds: each a length in four bytes, little endian, and so many bytes. */
void seeds_load(struct seeds *seeds, const char *path);
void seeds_free(struct seeds *seeds);

/* The input of a case. `into` is emptied first. */
void case_make(struct bytes *into, const struct seeds *seeds, struct random *random);

/* What a normaliser makes of an input. */
struct forms {
    struct bytes nocomment;
    struct bytes notags;
    bool more; /* the library made other files besides */
};

void forms_clear(struct forms *forms);
void forms_free(struct forms *forms);

/* Main thread. A folder for the library's files is made, and removed. */
void library_open(void);
void library_close(void);
/* `map`: from a file that is mapped on demand, as the parts of a mail are; else from memory. */
void library_normalise(struct forms *forms, const uint8_t *bytes, size_t length, bool map);

#endif
