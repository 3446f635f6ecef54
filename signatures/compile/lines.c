/* .hdb .hsb (digest:size:name[:minimum level[:maximum level]]), .ndb and .db: one line each. */
#include <string.h>

#include "signatures/compile/read.h"

static bool hash_digit(char c, uint8_t *value)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

    if (at != NULL)
        *value = (uint8_t)(at - digits);
    return at != NULL;
}

static bool hash_digest(const char *text, struct source_hash *hash)
{
    size_t length = strlen(text);

    if (length != 32 && length != 40 && length != 64)
        return false;
    hash->digest_bytes = (unsigned)(length / 2);
    for (size_t i = 0; i < length / 2; i++) {
        uint8_t high;
        uint8_t low;

        if (!hash_digit(text[2 * i], &high) || !hash_digit(text[2 * i + 1], &low))
            return false;
        hash->digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* libclamav refuses a file with a bad line; until it does, such a line detects anything. */
static void hash_line(struct reader *reader)
{
    struct source_hash hash = {.digest_bytes = 0};
    char *fields[5];
    unsigned count = read_split(reader->line, ':', fields, 5);

    if (count < 3 || count > 5 || !hash_digest(fields[0], &hash)) {
        read_emit_doubtful(reader, count >= 3 ? fields[2] : "", "hash line not understood");
        return;
    }
    hash.name = fields[2];
    hash.any_size = strcmp(fields[1], "*") == 0;
    if (!hash.any_size && !read_number(fields[1], &hash.size)) {
        read_emit_doubtful(reader, fields[2], "hash line not understood");
        return;
    }
    if (reader->sink->hash != NULL)
        reader->sink->hash(reader->sink->context, &hash);
}

/* Lines one after the other; comments and empty ones left out. False at the end; then `status`. */
static bool hash_next(struct reader *reader, enum status *status)
{
    const char *doubt;

    *status = STATUS_OK;
    for (;;) {
        switch (read_line(reader, &doubt)) {
        case READ_END:
            return false;
        case READ_ERROR:
            *status = STATUS_SYSTEM;
            return false;
        case READ_ODD:
            read_emit_doubtful(reader, "", doubt);
            break;
        case READ_LINE:
            if (reader->line[0] != '#' && reader->line[0] != '\0')
                return true;
        }
    }
}

enum status read_hashes(struct reader *reader)
{
    enum status status;

    while (hash_next(reader, &status))
        hash_line(reader);
    return status;
}

static unsigned hash_target(const char *text, const char **doubt)
{
    uint64_t number = 0;

    if (strcmp(text, "*") == 0 || text[0] == '\0')
        return 0;
    if (!read_number(text, &number) || number > 255) {
        *doubt = "target not understood";
        return 0;
    }
    return (unsigned)number;
}

/* name:target:offset:pattern[:minimum level[:maximum level]] */
static void ndb_line(struct reader *reader)
{
    struct source_signature signature = {.name = reader->line};
    char *fields[6];
    unsigned count = read_split(reader->line, ':', fields, 6);

    if (count < 4 || count > 6) {
        read_emit_doubtful(reader, fields[0], "line has not four to six fields");
        return;
    }
    signature.necessary =
        body_read(reader->arena, fields[3], strlen(fields[3]), 0, &signature.doubt);
    signature.target = hash_target(fields[1], &signature.doubt);
    read_emit(reader, &signature);
}

enum status read_ndb(struct reader *reader)
{
    enum status status;

    while (hash_next(reader, &status))
        ndb_line(reader);
    return status;
}

/* name=pattern, the oldest form. */
static void db_line(struct reader *reader)
{
    struct source_signature signature = {.name = reader->line};
    char *pattern = strchr(reader->line, '=');

    if (pattern == NULL) {
        read_emit_doubtful(reader, reader->line, "line without '='");
        return;
    }
    *pattern++ = '\0';
    signature.necessary = body_read(reader->arena, pattern, strlen(pattern), 0, &signature.doubt);
    read_emit(reader, &signature);
}

enum status read_db(struct reader *reader)
{
    enum status status;

    while (hash_next(reader, &status))
        db_line(reader);
    return status;
}
