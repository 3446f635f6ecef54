/* bytes.h: a growing string of bytes, for the oracle's own use.
 *
 * Threads: one. Memory: bytes_free(); running out of it ends the program (a test has no better
 * answer). A reset keeps the memory.
 */
#ifndef TESTS_ORACLE_BYTES_H
#define TESTS_ORACLE_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data;
    size_t length;
    size_t room;
};

/* Makes room for `more` bytes behind the end; returns where they begin. */
uint8_t *bytes_grow(struct bytes *bytes, size_t more);

void bytes_append(struct bytes *bytes, const void *from, size_t length);
void bytes_byte(struct bytes *bytes, uint8_t byte);
void bytes_text(struct bytes *bytes, const char *text);
void bytes_format(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts `length` bytes in place of `cut` bytes at `offset`; `from` is not inside `bytes`. */
void bytes_splice(struct bytes *bytes, size_t offset, size_t cut, const void *from, size_t length);

/* Sets the content. */
void bytes_set(struct bytes *bytes, const void *from, size_t length);
void bytes_free(struct bytes *bytes);

/* Offset of the first `length` bytes `part` at or after `from`; SIZE_MAX when there are none. */
size_t bytes_find(const struct bytes *bytes, size_t from, const void *part, size_t length);

/* Writes the content to a file; false (errno) when it could not be. */
int bytes_save(const struct bytes *bytes, const char *path);

#endif
